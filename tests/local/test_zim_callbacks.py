"""The callbacks of the simulator: what ZIM sends, how it is signed, and when it is retried."""

import hashlib
import itertools
import time
from collections.abc import Iterator

import pytest

from local.http_server import Request, Response, Server, serve
from local.processes import until
from local.zim_simulator.calls import Mode
from tests.local.zim_client import TIMEOUT_SECONDS, Simulator

SECRET = "callback-secret"  # noqa: S105 - made up
DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8)


@pytest.fixture
def statuses() -> list[int]:
    """The statuses of the next responses. After them, it is 200."""
    return []


@pytest.fixture
def server(statuses: list[int]) -> Iterator[Server]:
    def respond(_: Request) -> Response | None:
        status = statuses.pop(0) if statuses else 200
        return Response(status) if status else None

    with serve(respond) as server:
        yield server


def wait_for(server: Server, count: int) -> list[Request]:
    until(lambda: len(server.requests) >= count, TIMEOUT_SECONDS, "The callbacks did not arrive")
    return server.requests


def test_an_invitation_is_sent_with_the_signature(sim: Simulator, server: Server) -> None:
    sim.send_callbacks(f"{server.url}/zim", SECRET)
    sim.ring("bob", "carol", caller="alice", call_id="call", timeout=30)
    (request,) = wait_for(server, 1)
    callback = request.json()
    assert (request.method, request.path) == ("POST", "/zim")
    assert {name: callback[name] for name in ("event", "call_id", "user_ids", "caller", "timeout", "payload")} == {
        "event": "call_create",
        "call_id": "call",
        "user_ids": ["bob", "carol"],
        "caller": "alice",
        "timeout": 30,
        "payload": "",
    }
    assert abs(callback["create_time"] - time.time()) < TIMEOUT_SECONDS
    text = "".join(sorted([SECRET, str(callback["timestamp"]), callback["nonce"]]))
    assert callback["signature"] == hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def test_an_invitation_into_a_call_has_no_timeout_and_milliseconds(sim: Simulator, server: Server) -> None:
    call_id = sim.ring("bob", mode=Mode.ADVANCED)
    sim.send_callbacks(server.url, SECRET)
    sim.invite(call_id, "carol")
    (request,) = wait_for(server, 1)
    callback = request.json()
    assert (callback["event"], callback["user_ids"], callback["inviter"]) == ("call_invite", ["carol"], "caller")
    assert abs(callback["invite_time"] / 1000 - time.time()) < TIMEOUT_SECONDS
    assert "timeout" not in callback


def test_a_callback_is_retried_after_growing_delays_until_it_succeeds(
    sim: Simulator, server: Server, statuses: list[int]
) -> None:
    statuses += [500, 0, 403]
    sim.send_callbacks(server.url, SECRET, retry_delays=DELAYS)
    sim.ring("bob", call_id="call")
    arrivals = [request.received_at for request in wait_for(server, 4)]
    for gap, delay in zip((later - first for first, later in itertools.pairwise(arrivals)), DELAYS, strict=False):
        assert gap >= delay
    assert len({request.body for request in server.requests}) == 1
    until(lambda: sim.callbacks()[0].statuses == [500, 0, 403, 200], TIMEOUT_SECONDS, "The statuses are wrong")


def test_a_reset_ends_callbacks_and_retries(sim: Simulator, server: Server, statuses: list[int]) -> None:
    statuses += [500] * 10
    sim.send_callbacks(server.url, SECRET, retry_delays=[0.2] * 5)
    sim.ring("bob")
    wait_for(server, 1)
    sim.reset()
    sim.ring("bob")
    assert sim.callbacks() == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://zim.example/",
        "http://127.0.0.1.zim.example:80/",
        "http://127.0.0.1:80@zim.example/",
        "http://127.0.0.1:password@zim.example/",
        "http://127.0.0.1:80.zim.example/",
        "http://127.0.0.1:80\\@zim.example/",
    ],
)
def test_callbacks_go_to_this_machine_only(sim: Simulator, url: str) -> None:
    with pytest.raises(ValueError, match="Url"):
        sim.send_callbacks(url, SECRET)


def test_the_time_from_ring_to_rejection_is_recorded(sim: Simulator) -> None:
    sim.ring("bob", "carol", call_id="call")
    assert sim.call("call").rejected_after == {"bob": None, "carol": None}
    sim.call_reject()
    seconds = sim.call("call").rejected_after["bob"]
    assert seconds is not None
    assert 0 < seconds < TIMEOUT_SECONDS
