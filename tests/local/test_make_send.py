"""`make send`: what it says if the call is not rejected."""

import pytest

from local import send
from local.processes import LocalError
from local.stack import Stack
from local.zim_simulator.running import simulator


def test_a_call_that_is_not_rejected_is_an_error_that_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "WAIT_SECONDS", 0.1)
    monkeypatch.setitem(send.SENDERS, "queue", lambda *_: None)
    with simulator(https=False) as sim:
        monkeypatch.setattr(send, "running", lambda: Stack("http://127.0.0.1:1", sim.url, "", {}))
        with pytest.raises(LocalError, match=r"not rejected .* `make logs` and `make dead-letters`\."):
            send.main("queue")
