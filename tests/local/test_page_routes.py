"""What the simulator serves for the page. tests/page tests the page itself."""

import re
import time
from types import SimpleNamespace

import pytest
import requests
import yaml

from local.access import HEADER
from local.page.routes import SHOWN_CALLS, SHOWN_SECONDS
from local.paths import OPENAPI
from tests.local.zim_client import TIMEOUT_SECONDS, Simulator, parameters

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def get(sim: Simulator, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{sim.url}{path}", headers=headers, timeout=TIMEOUT_SECONDS)


def test_other_requests_to_the_root_go_to_zim(sim: Simulator) -> None:
    sim.ring("bob", call_id="call")
    from_a_browser = requests.get(sim.url, params=parameters(), headers=BROWSER, timeout=TIMEOUT_SECONDS)
    assert from_a_browser.json()["Code"] == 0
    assert get(sim, "/?Action=CallReject").json()["Code"] == 100000001
    assert requests.post(f"{sim.url}/", headers=BROWSER, timeout=TIMEOUT_SECONDS).json()["Code"] == 100000006


def test_a_terminal_gets_the_address_of_the_page(sim: Simulator) -> None:
    greeting = get(sim, "/").text
    assert f"{sim.url}/page/" in greeting
    assert sim.requests() == []
    page = re.search(r"http://\S+/page/", greeting)
    assert page
    assert "<title>CallReject" in requests.get(page[0], timeout=TIMEOUT_SECONDS).text


def test_the_overview_counts_requests_and_those_over_the_rate_limit(sim: Simulator) -> None:
    sim.settings(calls_per_second=2)
    assert [sim.code() for _ in range(3)] == [660500002, 660500002, 660300005]
    overview = get(sim, "/page/overview").json()
    assert len(overview["requests_by_second"]) == SHOWN_SECONDS
    assert sum(second["total"] for second in overview["requests_by_second"][-3:]) == 3
    assert sum(second["rate_limited"] for second in overview["requests_by_second"]) == 1
    assert overview["most_in_a_second"] == 3


def test_the_overview_leaves_out_requests_older_than_a_minute(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    sim.code()
    later = time.monotonic() + SHOWN_SECONDS
    monkeypatch.setattr("local.page.routes.time", SimpleNamespace(monotonic=lambda: later))
    overview = get(sim, "/page/overview").json()
    assert (sum(second["total"] for second in overview["requests_by_second"]), overview["most_in_a_second"]) == (0, 0)


def test_the_overview_lists_the_latest_calls_and_counts_all(sim: Simulator) -> None:
    calls = [sim.ring("bob") for _ in range(SHOWN_CALLS + 1)]
    sim.end(calls[-1])
    overview = get(sim, "/page/overview").json()
    assert [call["CallId"] for call in overview["calls"]] == calls[:0:-1]
    assert overview["states"] == {"ringing": SHOWN_CALLS, "ended": 1}


def test_the_page_rejects_other_urls_than_http(sim: Simulator) -> None:
    names = ("CallRejectUrl", "CallRejectAsyncUrl", "TokenUrl", "QueuesUrl", "DeadLettersUrl", "DoNotDisturbUrl")
    urls = dict.fromkeys(names, "http://127.0.0.1:1/") | {"TokenUrl": "javascript:alert(1)"}
    response = requests.put(f"{sim.url}/page/stack", json=urls, headers={HEADER: "1"}, timeout=TIMEOUT_SECONDS)
    assert response.status_code == 400
    assert get(sim, "/page/overview").json()["stack"] == {}


def test_the_reference_has_an_example_of_each_problem(sim: Simulator) -> None:
    html = get(sim, "/page/reference.html").text
    types = yaml.safe_load(OPENAPI.read_text())["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    names = [each.rpartition(":")[2] for each in types]
    assert sorted(re.findall(r'<pre id="(\w+)">', html)) == sorted(names)


def test_both_pages_have_the_same_content_security_policy(sim: Simulator) -> None:
    pattern = r'"Content-Security-Policy" content="([^"]+)"'
    page, reference = (re.findall(pattern, get(sim, path).text) for path in ("/page/", "/page/reference.html"))
    assert page == reference != []
