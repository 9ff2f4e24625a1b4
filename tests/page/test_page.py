"""The page for people who try it, used as they use it."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from local.stack import ROOT, Stack
from tests.page.seen import Seen

RESULTS = ROOT / "test-results"
DRAINED_MILLISECONDS = 60_000

RATE_LIMITED = "Over the rate limit"
UNREGISTERED = "The user is not registered"
# What the API answers while a switch is on: the status, and the problem's name.
FAULTS = {
    RATE_LIMITED: (429, "RateLimited"),
    "Servers are busy": (503, "ZimInTrouble"),
    "The signature is wrong": (502, "ZimRefusesUs"),
    UNREGISTERED: (422, "UserNotRegistered"),
    "The call cannot be found": (404, "CallNotFound"),
    "A code that nobody documented": (502, "UnexpectedAnswer"),
    "Answers two seconds late": (200, ""),
    "Does not answer": (504, "ZimTimeout"),
    "Cuts the connection": (502, "ZimUnreachable"),
    "Cuts the answer in two": (502, "UnexpectedAnswer"),
    "Answers byte by byte": (504, "ZimTimeout"),
    "Answers with a web page": (502, "UnexpectedAnswer"),
    "Answers with status 500": (502, "UnexpectedAnswer"),
    "Redirects elsewhere": (502, "UnexpectedAnswer"),
    "Answers without Code": (502, "UnexpectedAnswer"),
    "Answers with an array": (502, "UnexpectedAnswer"),
    "Answers with 100 MB": (502, "UnexpectedAnswer"),
}


def ring(page: Page, count: int = 1) -> Locator:
    """Ring by the form, and give the row of the newest call."""
    rows = page.get_by_role("row").filter(has=page.get_by_role("rowheader"))
    before = rows.count()
    page.get_by_label("Calls", exact=True).fill(str(count))
    page.get_by_role("button", name="Ring", exact=True).click()
    expect(rows).to_have_count(before + count)
    return rows.first


def switch(page: Page, name: str) -> Locator:
    return page.get_by_role("switch", name=name)


def answers(page: Page) -> Locator:
    """Give all answers that are shown, the newest first."""
    return page.locator("#answers > details")


def decline(page: Page, row: Locator, way: str = "Decline (HTTPS)") -> tuple[str, list[str], str]:
    """Decline a call, and give the status, the headers and the body of the answer as they are shown."""
    with page.expect_response(re.compile("/call-reject")):
        row.get_by_role("button", name=way).click()
    newest = answers(page).first.locator(".response")
    expect(newest).not_to_contain_text("waiting")
    head, _, body = newest.inner_text().partition("\n\n")
    status, *headers = head.splitlines()
    return status, headers, body


def test_a_call_that_is_declined_over_https_is_rejected_and_the_exchange_is_shown_as_it_is(
    page: Page, stack: Stack
) -> None:
    row = ring(page)
    expect(row).to_contain_text("ringing")
    with page.expect_response(stack.call_reject_url) as received:
        status, headers, body = decline(page, row)
    expect(row).to_contain_text("rejected")
    (call,) = stack.simulator.calls()
    assert call.state == "rejected"
    assert call.extended_data == {"user0": '{"reason":"decline"}'}

    assert status == "200 OK"
    assert "content-type: application/json" in headers
    assert body == received.value.text()
    sent = received.value.request
    request = answers(page).first.locator(".request").inner_text()
    assert request.startswith(f"POST {stack.call_reject_url}\n")
    assert request.endswith(f"\n\n{sent.post_data}")
    token = (sent.header_value("authorization") or "").removeprefix("Bearer ")
    assert f"Authorization: Bearer {token[:12]}…" in request
    assert token not in page.content()
    expect(page.get_by_role("status")).to_contain_text("200 OK")


def test_a_call_that_is_declined_through_the_queue_is_taken_at_once_and_rejected_soon(page: Page) -> None:
    row = ring(page)
    status, _, body = decline(page, row, "Decline (queue)")
    assert status == "202 Accepted"
    assert json.loads(body).keys() == {"MessageId"}
    expect(row).to_contain_text("rejected")


def test_a_call_that_the_caller_ends_is_shown_as_ended_and_cannot_be_declined_any_more(page: Page) -> None:
    row = ring(page)
    row.get_by_role("button", name="Hang up").click()
    expect(row).to_contain_text("ended")
    status, _, body = decline(page, row)
    assert status == "409 Conflict"
    assert json.loads(body)["type"].endswith(":NothingToReject")


def test_the_user_whose_call_is_declined_is_the_user_of_the_token(page: Page, stack: Stack) -> None:
    page.get_by_label("User who is rung").fill("somebody else")
    assert decline(page, ring(page))[0] == "200 OK"
    assert stack.simulator.requests()[0].parameters["FromUserId"] == "somebody else"


def test_what_the_simulator_refuses_is_said_with_its_reason(page: Page) -> None:
    page.get_by_label("User who is rung").fill("no/such*user")
    page.get_by_role("button", name="Ring", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Invitees must be an array of user ids that ZIM would take")


def test_there_is_a_switch_for_each_fault_that_is_tested_here(page: Page) -> None:
    assert page.locator("#faults .name").all_inner_texts() == list(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_is_on_gives_the_problem_that_its_switch_names_until_it_is_off(
    page: Page, stack: Stack, name: str
) -> None:
    status, problem = FAULTS[name]
    row = ring(page)
    switch(page, name).click()
    expect(switch(page, name)).to_be_checked()
    expect(page.locator("#fault-state")).to_have_text(f"On: {name}.")
    expect(page.get_by_role("listitem").filter(has=switch(page, name))).to_contain_text(f"{status} {problem}".strip())
    got, headers, body = decline(page, row)
    assert got.startswith(f"{status} ")
    if problem:
        assert json.loads(body)["type"].endswith(f":{problem}")
    assert any(header.startswith("retry-after: ") for header in headers) == (status in {429, 503})

    switch(page, name).click()
    expect(switch(page, name)).not_to_be_checked()
    expect(page.locator("#fault-state")).to_have_text("No fault is on.")
    assert stack.simulator.faults() == []
    assert decline(page, ring(page))[0] == "200 OK"


def test_a_second_fault_takes_the_place_of_the_first(page: Page, stack: Stack) -> None:
    switch(page, RATE_LIMITED).click()
    expect(switch(page, RATE_LIMITED)).to_be_checked()
    switch(page, "Cuts the connection").click()
    expect(switch(page, RATE_LIMITED)).not_to_be_checked()
    expect(switch(page, "Cuts the connection")).to_be_checked()
    assert [fault.kind for fault in stack.simulator.faults()] == ["cut_before"]


def test_a_fault_that_somebody_else_set_is_named_and_can_be_switched_off(page: Page, stack: Stack) -> None:
    stack.simulator.fault("hang", times=3, seconds=7)
    expect(page.locator("#fault-state")).to_have_text("On: Does not answer, 3 more.")
    page.get_by_role("button", name="Switch faults off").click()
    expect(page.locator("#fault-state")).to_have_text("No fault is on.")
    assert stack.simulator.faults() == []


def test_what_the_queue_cannot_do_now_waits_there_and_is_done_when_the_fault_is_off(page: Page) -> None:
    row = ring(page)
    switch(page, RATE_LIMITED).click()
    expect(switch(page, RATE_LIMITED)).to_be_checked()
    decline(page, row, "Decline (queue)")
    expect(page.locator("#rate-text")).to_contain_text("refused")
    expect(page.locator("#queue-text")).to_have_text(re.compile("^1"))
    expect(row).to_contain_text("ringing")
    switch(page, RATE_LIMITED).click()
    expect(row).to_contain_text("rejected")
    expect(page.locator("#queue-text")).to_have_text("0")
    expect(page.locator("#dead-letters-text")).to_have_text("0")


def test_what_the_queue_can_never_do_is_counted_as_a_dead_letter(page: Page) -> None:
    row = ring(page)
    expect(page.locator("#dead-letters-text")).to_have_text("0")
    switch(page, UNREGISTERED).click()
    expect(switch(page, UNREGISTERED)).to_be_checked()
    decline(page, row, "Decline (queue)")
    expect(page.locator("#dead-letters-text")).to_have_text("1")
    expect(page.get_by_role("img", name="1", exact=True).locator("rect")).not_to_have_count(0)


def test_the_rate_is_drawn_and_said_against_the_limit(page: Page, stack: Stack) -> None:
    page.get_by_label("Calls a second allowed").fill("2")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("#rate-text")).to_have_text("now 0, at most 0 in any second, 2 allowed")
    ring(page, 12)
    page.get_by_role("button", name="Decline all over HTTPS").click()
    expect(answers(page)).to_have_count(12)
    expect(page.locator("#answers .response").filter(has_text="waiting")).to_have_count(0)
    refused = sum(record.code == 660300005 for record in stack.simulator.requests())
    assert refused > 0
    expect(page.locator("#rate-text")).to_have_text(
        re.compile(rf"^now \d+, at most \d+ in any second, 2 allowed; {refused} refused$")
    )
    rate = page.get_by_role("img", name="2 allowed")
    heights = [float(bar.get_attribute("height") or 0) for bar in rate.locator("rect:not(.refused)").all()]
    assert sum(heights) == len(stack.simulator.requests())
    assert sum(float(bar.get_attribute("height") or 0) for bar in rate.locator("rect.refused").all()) == refused
    expect(rate.locator("line")).to_have_count(1)


def test_a_setting_that_is_set_stays_while_the_others_are_typed(page: Page, stack: Stack) -> None:
    page.get_by_label("Clock ahead, in seconds").fill("700")
    page.get_by_label("Round trip, in seconds").fill("0.1")
    page.get_by_role("button", name="Set").click()
    expect(page.get_by_role("status")).to_have_text("The settings are set.")
    settings = stack.simulator.settings()
    assert (settings.clock_offset, settings.latency, settings.calls_per_second) == (700, 0.1, 20)
    assert "100000004" in decline(page, ring(page))[2]


def test_all_can_be_done_by_the_keyboard_and_the_focus_stays_where_it_is(page: Page, stack: Stack) -> None:
    def tab_to(target: Locator) -> None:
        for _ in range(60):
            if target.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not come to {target}")

    def polls_twice() -> None:
        for _ in range(2):
            with page.expect_response("**/page/overview"):
                pass

    tab_to(page.get_by_label("User who is rung"))
    page.keyboard.type("user1")
    page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text="caller0 rings user1")
    tab_to(row.get_by_role("button", name="Decline (HTTPS)"))
    polls_twice()
    page.keyboard.press("Enter")
    expect(row).to_contain_text("rejected")
    expect(row.get_by_role("button", name="Decline (HTTPS)")).to_be_focused()
    tab_to(switch(page, RATE_LIMITED))
    page.keyboard.press("Space")
    expect(switch(page, RATE_LIMITED)).to_be_checked()
    polls_twice()
    expect(switch(page, RATE_LIMITED)).to_be_focused()
    outline = switch(page, RATE_LIMITED).evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"
    assert [fault.code for fault in stack.simulator.faults()] == [660300005]


def test_nothing_is_asked_while_nobody_looks(stack: Stack, blank: Page, seen: Seen) -> None:
    blank.clock.install()
    blank.goto(f"{stack.simulator_url}/page/")
    expect(blank.locator("#queue-text")).to_have_text("0")
    blank.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, value: true})")
    blank.clock.run_for(2000)
    asked = len(seen.urls)
    blank.clock.run_for(60_000)
    assert seen.urls[asked:] == []
    with blank.expect_response("**/page/overview"):
        blank.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_stack_that_is_gone_is_said(page: Page) -> None:
    expect(page.locator("#notice")).to_be_hidden()
    page.route("**/page/overview", lambda route: route.fulfill(status=500, body="gone"))
    expect(page.locator("#notice")).to_contain_text("The simulator does not answer")
    page.unroute("**/page/overview")
    expect(page.locator("#notice")).to_be_hidden()


def test_beside_no_stack_the_page_says_so_and_does_what_the_simulator_can(blank: Page, simulator_alone: str) -> None:
    blank.goto(f"{simulator_alone}/")
    expect(blank.locator("#notice")).to_contain_text("No stack is deployed beside this simulator")
    row = ring(blank)
    for name in ("Decline (HTTPS)", "Decline (queue)"):
        expect(row.get_by_role("button", name=name)).to_be_disabled()
    expect(blank.get_by_role("button", name="Decline all over HTTPS")).to_be_disabled()
    expect(blank.locator("#queue-text")).to_be_hidden()
    row.get_by_role("button", name="Hang up").click()
    expect(row).to_contain_text("ended")
    switch(blank, RATE_LIMITED).click()
    expect(switch(blank, RATE_LIMITED)).to_be_checked()


def test_the_reference_shows_both_routes_of_openapi_yaml_at_the_deployed_address(page: Page, stack: Stack) -> None:
    page.get_by_role("link", name="API reference").click()
    for heading in ("POST /call-reject Reject a call", "POST /call-reject/async Have a call rejected soon"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_text(stack.call_reject_url.removesuffix("/call-reject"), exact=True)).to_be_visible()
    page.get_by_text("Over the rate limit, ours or ZIM's.").click()
    expect(page.get_by_text('"type": "urn:problem-type:call-reject:RateLimited"')).to_be_visible()
    page.get_by_role("link", name="CallReject on this machine").click()
    expect(page.get_by_role("heading", name="Calls at ZIM")).to_be_visible()


def test_screenshots_are_kept(page: Page, stack: Stack) -> None:
    """What docs/page.png was taken from; the folder is what CI keeps."""
    RESULTS.mkdir(exist_ok=True)
    page.set_viewport_size({"width": 1280, "height": 1180})
    page.get_by_label("Round trip, in seconds").fill("0.1")
    page.get_by_role("button", name="Set").click()
    ring(page, 16)
    page.get_by_role("button", name="Decline all through the queue").click()
    expect(page.locator("#states")).to_have_text("16 rejected", timeout=DRAINED_MILLISECONDS)
    ring(page, 4)
    page.get_by_role("button", name="Decline all over HTTPS").click()
    expect(page.locator("#states")).to_have_text("20 rejected")
    page.get_by_label("User who is rung").fill("user1")
    row = ring(page)
    switch(page, RATE_LIMITED).click()
    expect(switch(page, RATE_LIMITED)).to_be_checked()
    assert decline(page, row)[0].startswith("429")
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=RESULTS / "page-wide.png")
    page.set_viewport_size({"width": 360, "height": 780})
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=RESULTS / "page-narrow.png")
    page.goto(f"{stack.simulator_url}/page/reference.html")
    page.screenshot(path=RESULTS / "reference-narrow.png")
