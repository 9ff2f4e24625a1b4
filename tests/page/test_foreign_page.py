"""A page on another port of this machine cannot use the local servers."""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page

from local.access import HEADER
from local.stack import Stack
from tests.page.conftest import SWITCHES, WAIT_MILLISECONDS
from tests.support.http_server import Response, serve

SECONDS = 10
FUNCTION = "/2015-03-31/functions"

ATTEMPTS = """
async (attempts) => {
  const results = [];
  for (const [url, options] of attempts) {
    try {
      const response = await fetch(url, options);
      results.push(response.type === "opaque" ? "opaque" : `${response.status} ${await response.text()}`);
    } catch (error) {
      results.push("blocked");
    }
  }
  return results;
}
"""


@pytest.fixture
def foreign_page(browser: Browser) -> Iterator[Page]:
    """A page on another port, which can be any project that the developer runs."""
    html = Response(body=b"<title>Other</title>", headers={"Content-Type": "text/html"})
    with serve(lambda _: html) as server, browser.new_context() as context:
        context.set_default_timeout(WAIT_MILLISECONDS)
        page = context.new_page()
        page.goto(server.url.replace("127.0.0.1", "localhost"))
        yield page


def attempt(page: Page, *attempts: tuple[str, dict[str, object]]) -> list[str]:
    results: list[str] = page.evaluate(ATTEMPTS, [list(each) for each in attempts])
    return results


def test_it_reads_nothing(stack: Stack, foreign_page: Page) -> None:
    urls = requests.get(f"{stack.simulator_url}/page/overview", timeout=SECONDS).json()["stack"]
    attempts = [
        f"{stack.simulator_url}/simulator/requests",
        f"{stack.simulator_url}/page/overview",
        f"{urls['TokenUrl']}?user=user0",
        urls["QueuesUrl"],
        urls["DeadLettersUrl"],
        urls["DeadLettersUrl"],
        f"{stack.emulator_url}/_ministack/health",
        f"{stack.emulator_url}{FUNCTION}",
    ]
    assert attempt(foreign_page, *((url, {}) for url in attempts)) == ["blocked"] * len(attempts)


def test_it_changes_nothing_in_the_simulator(stack: Stack, foreign_page: Page) -> None:
    ringing = stack.simulator.ring("user0")
    call = json.dumps({"Caller": "caller", "Invitees": ["user0"]})
    # Without a preflight: a simple request, whose response the page cannot read.
    simple: dict[str, object] = {"method": "POST", "mode": "no-cors", "body": call}
    with_header: dict[str, object] = {"method": "POST", "headers": {HEADER: "1"}, "body": call}
    attempts = [(f"{stack.simulator_url}/simulator/{path}", simple) for path in ("reset", "calls", "faults")]
    results = attempt(foreign_page, *attempts, (f"{stack.simulator_url}/simulator/reset", with_header))
    assert results == ["opaque", "opaque", "opaque", "blocked"]
    assert [call.call_id for call in stack.simulator.calls()] == [ringing]
    assert stack.simulator.faults() == []


def test_it_runs_no_code_in_the_emulator(stack: Stack, foreign_page: Page) -> None:
    functions = stack.client("lambda")
    before = functions.list_functions()["Functions"]
    credential = (
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0"
    )
    name = before[0]["FunctionName"]
    body = json.dumps(
        {"FunctionName": "f", "Runtime": "python3.13", "Handler": "f.f", "Role": "r", "Code": {"ZipFile": ""}}
    )
    results = attempt(
        foreign_page,
        (f"{stack.emulator_url}{FUNCTION}", {"method": "POST", "mode": "no-cors", "body": body}),
        (f"{stack.emulator_url}{FUNCTION}", {"method": "POST", "body": body, "headers": {"Authorization": credential}}),
        (f"{stack.emulator_url}{FUNCTION}/{name}/invocations", {"method": "POST", "mode": "no-cors", "body": "{}"}),
        (f"{stack.emulator_url}/_ministack/reset", {"method": "POST", "mode": "no-cors"}),
        (stack.call_reject_url, {"method": "POST", "headers": {"Authorization": "Bearer token"}, "body": "{}"}),
    )
    assert results == ["opaque", "blocked", "opaque", "opaque", "blocked"]
    assert functions.list_functions()["Functions"] == before
    assert stack.simulator.requests() == []


def test_a_host_name_that_resolves_to_this_machine_gives_no_access(
    chromium: str, browser: Browser, stack: Stack
) -> None:
    """DNS rebinding: the page has the server's origin, because its own name leads to the server."""
    port = urlsplit(stack.simulator_url).port
    switches = [*SWITCHES, "--host-resolver-rules=MAP rebind.example 127.0.0.1"]
    with browser.browser_type.launch(executable_path=chromium, args=switches) as other:
        page = other.new_page()
        response = page.goto(f"http://rebind.example:{port}/page/")
        assert response is not None
        assert response.status == 403
        assert attempt(page, ("/simulator/requests", {}))[0].startswith("403 ")
