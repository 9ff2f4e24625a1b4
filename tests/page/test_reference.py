"""The API reference: its contents, examples, and requests to the running stack."""

import pytest
from playwright.sync_api import Locator, Page, expect

from local.stack import Stack


@pytest.fixture
def reference(stack: Stack, tab: Page) -> Page:
    tab.goto(f"{stack.simulator_url}/page/reference.html")
    return tab


def form(page: Page, path: str) -> Locator:
    return page.get_by_role("form", name=f"Try it: {path}", exact=True)


def test_it_shows_the_routes_and_the_deployed_url(reference: Page, stack: Stack) -> None:
    for route in ("POST /call-reject", "POST /call-reject/async"):
        expect(reference.get_by_role("heading").get_by_text(route, exact=True)).to_be_visible()
    expect(reference.get_by_text(stack.call_reject_url.removesuffix("/call-reject"), exact=True)).to_be_visible()
    reference.get_by_role("link", name="Try it on the page").click()
    expect(reference.get_by_role("button", name="Ring and decline")).to_be_visible()


def test_each_link_leads_to_an_element(reference: Page) -> None:
    links = reference.locator("main a[href^='#']").evaluate_all("links => links.map((link) => link.hash.slice(1))")
    assert {"callReject", "problems", "CallRejectRequest", "RateLimited"} <= set(links)
    ids = reference.locator("[id]").evaluate_all("elements => elements.map((element) => element.id)")
    assert set(links) <= set(ids)
    assert len(ids) == len(set(ids))


def test_a_link_to_a_problem_opens_its_example(reference: Page) -> None:
    reference.locator("summary").filter(has_text="429").first.click()
    reference.get_by_role("link", name="RateLimited").first.click()
    expect(reference.get_by_text('"type": "urn:problem-type:call-reject:RateLimited"')).to_be_visible()


@pytest.mark.parametrize(
    ("path", "status"), [("/call-reject", "200 OK"), ("/call-reject/async", "202 Accepted")], ids=["sync", "async"]
)
def test_a_request_can_be_tried(reference: Page, stack: Stack, path: str, status: str) -> None:
    attempt = form(reference, path)
    attempt.get_by_label("Callee").fill("dave")
    attempt.get_by_role("button", name="Start a call").click()
    expect(attempt.get_by_role("status")).to_contain_text("caller0 calls dave")
    attempt.get_by_role("button", name="Send").click()
    expect(attempt.locator("pre")).to_contain_text(status)
    (call,) = stack.simulator.calls()
    expect(attempt.locator("pre")).to_contain_text(call.call_id)


def test_a_body_that_is_not_json_gets_the_response_of_the_api(reference: Page) -> None:
    attempt = form(reference, "/call-reject")
    attempt.get_by_label("Body").fill("not JSON")
    attempt.get_by_role("button", name="Send").click()
    expect(attempt.locator("pre")).to_contain_text("urn:problem-type:call-reject:InvalidRequest")


def test_without_a_stack_nothing_can_be_sent(tab: Page, simulator_without_stack: str) -> None:
    tab.goto(f"{simulator_without_stack}/page/reference.html")
    expect(tab.locator("#notice")).to_contain_text("No stack is deployed")
    expect(form(tab, "/call-reject").get_by_role("button", name="Send")).to_be_disabled()
