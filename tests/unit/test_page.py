"""What the simulator serves for the page, and that ZIM's API is none the worse for it. The page itself: tests/page."""

import hashlib
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import requests

from local.page.routes import SHOWN_CALLS, SHOWN_SECONDS
from local.zim_simulator.running import SimulatorClient, simulator
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

DEADLINE_SECONDS = 10
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
STACK = dict.fromkeys(
    ("CallRejectUrl", "CallRejectAsyncUrl", "TokenUrl", "QueuesUrl"), "http://127.0.0.1:1/call-reject"
)


@pytest.fixture
def sim() -> Iterator[SimulatorClient]:
    with simulator(https=False) as client:
        yield client


def get(sim: SimulatorClient, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{sim.url}{path}", headers=headers, timeout=DEADLINE_SECONDS)


def reject(sim: SimulatorClient, call_id: str) -> int:
    now, nonce = str(int(time.time())), "0123456789abcdef"
    signature = hashlib.md5(f"{APP_ID}{nonce}{SERVER_SECRET}{now}".encode(), usedforsecurity=False).hexdigest()
    common = {"AppId": str(APP_ID), "SignatureNonce": nonce, "Timestamp": now, "Signature": signature}
    asked = {"Action": "CallReject", "SignatureVersion": "2.0", "FromUserId": "bob", "CallId": call_id, **common}
    # As a browser would ask: it is the query that makes it a request to ZIM.
    response = requests.get(sim.url, params=asked, headers=BROWSER, timeout=DEADLINE_SECONDS)
    code: int = response.json()["Code"]
    return code


def test_a_browser_at_the_bare_address_finds_the_page(sim: SimulatorClient) -> None:
    response = get(sim, "/", **BROWSER)
    assert response.url == f"{sim.url}/page/"
    assert "<title>CallReject on this machine</title>" in response.text
    assert sim.requests() == []


def test_a_request_to_zim_is_answered_by_zim_whoever_asks(sim: SimulatorClient) -> None:
    assert reject(sim, sim.ring("bob")) == 0
    assert get(sim, "/?Action=", **BROWSER).json()["Code"] == 100000006
    assert get(sim, "/").json()["Code"] == 100000006
    assert get(sim, "/", Accept="application/json").json()["Code"] == 100000006
    posted = requests.post(f"{sim.url}/", headers=BROWSER, timeout=DEADLINE_SECONDS)
    assert posted.json()["Code"] == 100000006
    assert len(sim.requests()) == 5


def test_the_overview_counts_what_arrived_in_the_last_minute_and_what_was_refused(sim: SimulatorClient) -> None:
    sim.settings(calls_per_second=2)
    call = sim.ring("bob", "carol")
    assert [reject(sim, call) for _ in range(3)] == [0, 660900008, 660300005]
    overview = get(sim, "/page/overview").json()
    assert len(overview["arrivals"]) == SHOWN_SECONDS
    assert sum(second["all"] for second in overview["arrivals"]) == 3
    assert sum(second["refused"] for second in overview["arrivals"]) == 1
    assert sum(second["all"] for second in overview["arrivals"][-3:]) == 3
    assert overview["most_in_a_second"] == 3


def test_the_overview_forgets_what_arrived_before_that(sim: SimulatorClient, monkeypatch: pytest.MonkeyPatch) -> None:
    reject(sim, "call")
    later = time.monotonic() + SHOWN_SECONDS
    monkeypatch.setattr("local.page.routes.time", SimpleNamespace(monotonic=lambda: later))
    overview = get(sim, "/page/overview").json()
    assert (sum(second["all"] for second in overview["arrivals"]), overview["most_in_a_second"]) == (0, 0)


def test_the_overview_shows_the_latest_calls_and_counts_all(sim: SimulatorClient) -> None:
    calls = [sim.ring("bob") for _ in range(SHOWN_CALLS + 1)]
    sim.end(calls[-1])
    overview = get(sim, "/page/overview").json()
    assert [call["CallId"] for call in overview["calls"]] == calls[:0:-1]
    assert overview["states"] == {"ringing": SHOWN_CALLS, "ended": 1}


def test_a_stack_is_known_when_it_is_told_even_past_a_reset(sim: SimulatorClient) -> None:
    assert get(sim, "/page/overview").json()["stack"] == {}
    requests.put(f"{sim.url}/page/stack", json=STACK, timeout=DEADLINE_SECONDS).raise_for_status()
    sim.reset()
    assert get(sim, "/page/overview").json()["stack"] == STACK
    assert "http://127.0.0.1:1</code>" in get(sim, "/page/reference.html").text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"TokenUrl": "javascript:alert(1)"}, "TokenUrl must be a URL."),
        ({"Token": ""}, "Token is not a member known here."),
    ],
)
def test_a_stack_that_breaks_a_rule_is_refused(sim: SimulatorClient, changes: dict[str, str], error: str) -> None:
    response = requests.put(f"{sim.url}/page/stack", json={**STACK, **changes}, timeout=DEADLINE_SECONDS)
    assert (response.status_code, response.json()["error"]) == (400, error)


def test_the_reference_works_without_a_stack(sim: SimulatorClient) -> None:
    shown = get(sim, "/page/reference.html").text
    assert "<code>POST /call-reject</code>" in shown
    assert "<code>POST /call-reject/async</code>" in shown
    assert "https://{api}.execute-api.{region}.amazonaws.com" in shown
