"""The page, with a deployed stack: calls, responses, faults, queues and the API reference."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from local.stack import Stack
from tests.page.conftest import Activity

QUEUE_MILLISECONDS = 60_000
RATE_LIMITED = "Rate limit exceeded"


def start_calls(page: Page, count: int = 1) -> Locator:
    """Start calls with the form, and return the row of the newest call."""
    rows = page.locator("#calls tr")
    before = rows.count()
    page.get_by_role("spinbutton", name="Calls").fill(str(count))
    page.get_by_role("button", name="Start", exact=True).click()
    expect(rows).to_have_count(before + count)
    return rows.first


def switch(page: Page, name: str) -> Locator:
    return page.get_by_role("switch", name=name, include_hidden=True)


def turn_on(page: Page, name: str) -> None:
    folded = page.locator("#faults details:not([open])").filter(has=switch(page, name))
    if folded.count():
        folded.locator("summary").click()
    switch(page, name).click()
    expect(switch(page, name)).to_be_checked()
    expect(page.locator("#fault-state")).to_have_text(f"Active: {name}.")


def responses(page: Page) -> Locator:
    """Return the rows of all responses, newest first."""
    return page.locator("#results > details")


def texts(locator: Locator) -> tuple[str, list[str], str]:
    """Return the first line, the other lines, and what follows the empty line."""
    head, _, body = (locator.text_content() or "").partition("\n\n")
    first, *lines = head.splitlines()
    return first, lines, body


def decline(page: Page, row: Locator, button: str = "Decline:") -> tuple[str, list[str], str]:
    """Decline a call, and return the status, the headers and the body of the response as the page shows them."""
    with page.expect_response(re.compile("/call-reject")):
        row.get_by_role("button", name=button).click()
    newest = responses(page).first.locator(".response")
    expect(newest).not_to_contain_text("Waiting")
    return texts(newest)


def test_declining_over_https_rejects_the_call_and_shows_the_exchange(page: Page, stack: Stack) -> None:
    page.get_by_label("Callee").fill("another user")
    row = start_calls(page)
    expect(row).to_contain_text("ringing")
    with page.expect_response(stack.call_reject_url) as received:
        status, headers, body = decline(page, row)
    expect(row).to_contain_text("rejected")
    (call,) = stack.simulator.calls()
    assert json.loads(call.extended_data["another user"])["reason"] == "decline"

    assert status == "200 OK"
    assert "content-type: application/json" in headers
    assert body == received.value.text()
    sent = received.value.request
    request = responses(page).first.locator(".request").text_content() or ""
    assert request.startswith(f"POST {stack.call_reject_url}\n")
    assert request.endswith(f"\n\n{sent.post_data}")
    token = (sent.header_value("authorization") or "").removeprefix("Bearer ")
    assert f"Authorization: Bearer {token[:12]}…" in request
    assert token not in page.content()
    summary = responses(page).first.locator("summary")
    expect(summary).to_have_text(re.compile(r"^✓ 200 OK · another user · call \d{4}… · \d+ ms$"))
    expect(responses(page).first.locator(".explanation")).to_contain_text("ZIM received the call after")


def test_a_call_that_is_over_has_no_buttons(page: Page) -> None:
    rows = page.get_by_role("row")
    start_calls(page).get_by_role("button", name="Hang up").click()
    expect(rows.filter(has_text="ended")).to_have_count(1)
    assert decline(page, start_calls(page))[0] == "200 OK"
    for state in ("rejected", "ended"):
        row = rows.filter(has=page.get_by_text(state, exact=True))
        expect(row).to_have_count(1)
        expect(row.get_by_role("button")).to_have_count(0)


def send_again(page: Page) -> tuple[str, dict[str, object]]:
    """Send the newest request again, and return the status and the body of the response."""
    before = responses(page).count()
    responses(page).first.locator("summary").click()
    with page.expect_response(re.compile("/call-reject")):
        responses(page).first.get_by_role("button", name="Send again").click()
    expect(responses(page)).to_have_count(before + 1)
    newest = responses(page).first.locator(".response")
    expect(newest).not_to_contain_text("Waiting")
    status, _, body = texts(newest)
    return status, json.loads(body)


def start_call(page: Page, mode: str, seconds: int = 90) -> Locator:
    page.get_by_label("Mode").select_option(mode)
    page.get_by_label("Rings for (s)").fill(str(seconds))
    return start_calls(page)


@pytest.mark.parametrize("mode", ["normal", "advanced"])
@pytest.mark.parametrize(
    ("expires", "status", "outcome"), [(True, "410", "RequestExpired"), (False, "409", "InvitationClosed")]
)
def test_a_late_rejection_expires_or_finds_the_invitation_closed(
    page: Page, stack: Stack, mode: str, status: str, outcome: str, *, expires: bool
) -> None:
    page.get_by_label("Send ExpiresAt").set_checked(expires)
    row = start_call(page, mode, seconds=1)
    expect(row).to_contain_text("timed out")
    page.wait_for_timeout(1000)  # ExpiresAt is in whole seconds
    received, _, body = decline(page, row)
    assert received.startswith(status)
    assert json.loads(body)["type"].endswith(f":{outcome}")
    assert [record.code for record in stack.simulator.requests()] == ([] if expires else [660900006])


def test_a_double_rejection_of_a_normal_call_finds_the_call_ended(page: Page) -> None:
    assert decline(page, start_call(page, "normal"))[0] == "200 OK"
    status, problem = send_again(page)
    assert (status, problem["Code"]) == ("409 Conflict", 660900005)


@pytest.mark.parametrize(
    ("answer", "status", "code"), [("not_invited", "409 Conflict", 660900008), ("success", "200 OK", 0)]
)
def test_a_double_rejection_of_an_advanced_call_has_the_response_of_the_settings(
    page: Page, answer: str, status: str, code: int
) -> None:
    page.get_by_label("Second rejection").select_option(answer)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#settings-message")).to_have_text("Settings saved.")
    row = start_call(page, "advanced")
    assert decline(page, row)[0] == "200 OK"
    expect(row).to_contain_text("rejected")
    received, body = send_again(page)
    assert (received, body["Code"]) == (status, code)


def invite_again(page: Page, row: Locator) -> None:
    expect(row).to_contain_text("rejected")
    page.get_by_label("Rings for (s)").fill("90")
    row.get_by_role("button", name="Invite again").click()
    expect(row).to_contain_text("ringing")


def test_a_double_rejection_rejects_a_second_invitation(page: Page) -> None:
    row = start_call(page, "advanced")
    assert decline(page, row)[0] == "200 OK"
    invite_again(page, row)
    assert send_again(page)[0] == "200 OK"
    expect(row).to_contain_text("rejected")


def test_a_call_to_several_users_rings_for_the_others(page: Page, stack: Stack) -> None:
    page.get_by_label("Callee").fill("bob, carol, ")
    page.get_by_role("button", name="Start", exact=True).click()
    row = page.get_by_role("row").filter(has_text="caller0 calls bob")
    assert decline(page, row)[0] == "200 OK"
    expect(row).to_contain_text("rejected")
    expect(page.get_by_role("row").filter(has_text="caller0 calls carol")).to_contain_text("ringing")
    assert [call.invitees for call in stack.simulator.calls()] == [{"bob": "rejected", "carol": "ringing"}]


def test_an_error_of_the_simulator_is_shown(page: Page) -> None:
    page.get_by_label("Callee").fill("no/such*user")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#start-message")).to_contain_text("Invitees[0] must match pattern")


@pytest.mark.parametrize("name", [RATE_LIMITED, "User not registered", "Connection closed", "100 MB response"])
def test_a_fault_gives_the_response_next_to_its_switch_until_it_is_off(page: Page, stack: Stack, name: str) -> None:
    row = start_calls(page)
    turn_on(page, name)
    item = page.get_by_role("listitem").filter(has=switch(page, name))
    expected_status, problem = item.locator(".outcome").inner_text().split()
    status, headers, body = decline(page, row)
    assert status.startswith(f"{expected_status} ")
    assert json.loads(body)["type"].endswith(f":{problem}")
    sign = "↻" if json.loads(body)["retryable"] else {"4": "!", "5": "✕"}[status[0]]
    expect(responses(page).first.locator("summary")).to_contain_text(f"{sign} {expected_status} {problem} ·")
    assert any(header.startswith("retry-after: ") for header in headers) == (expected_status in {"429", "503"})

    switch(page, name).click()
    expect(page.locator("#fault-state")).to_have_text("No active fault.")
    assert stack.simulator.faults() == []
    assert decline(page, start_calls(page))[0] == "200 OK"


def test_the_active_fault_is_shown_even_if_it_was_set_elsewhere(page: Page, stack: Stack) -> None:
    turn_on(page, RATE_LIMITED)
    turn_on(page, "Connection closed")
    expect(switch(page, RATE_LIMITED)).not_to_be_checked()
    stack.simulator.clear_faults()
    stack.simulator.fault("hang", times=3)
    expect(page.locator("#fault-state")).to_have_text("Active: No response, for 3 more requests.")
    page.get_by_role("button", name="Turn off faults").click()
    expect(page.locator("#fault-state")).to_have_text("No active fault.")
    assert stack.simulator.faults() == []


def test_a_message_stays_in_the_queue_until_the_fault_is_off(page: Page) -> None:
    row = start_calls(page)
    turn_on(page, RATE_LIMITED)
    status, _, body = decline(page, row, "Decline via queue:")
    assert status == "202 Accepted"
    assert json.loads(body).keys() == {"MessageId"}
    expect(page.locator("#queue-text")).to_have_text(re.compile("^1"))
    expect(row).to_contain_text("ringing")
    switch(page, RATE_LIMITED).click()
    expect(row).to_contain_text("rejected")
    expect(page.locator("#queue-text")).to_have_text("0")
    expect(page.locator("#dead-letters-text")).to_have_text("0")


def test_a_dead_letter_is_listed_with_its_reason_and_can_be_put_back(page: Page, stack: Stack) -> None:
    count, put_back = page.locator("#dead-letters-text"), page.get_by_role("button", name="Put back")
    expect(count).to_have_text("0")
    expect(put_back).to_be_hidden()
    row = start_calls(page)
    turn_on(page, "User not registered")
    (call,) = stack.simulator.calls()
    body = json.dumps({"FromUserId": next(iter(call.invitees)), "CallId": call.call_id})
    stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=body)
    expect(count).to_have_text("1", timeout=QUEUE_MILLISECONDS)
    letter = page.locator("#dead-letters details")
    expect(letter.locator("summary")).to_contain_text("UserNotRegistered")
    letter.locator("summary").click()
    expect(letter).to_contain_text("660500002")
    expect(letter.locator("pre")).to_contain_text(call.call_id)

    switch(page, "User not registered").click()
    expect(page.locator("#fault-state")).to_have_text("No active fault.")
    put_back.click()
    expect(page.locator("#dead-letters-message")).to_have_text("Put back: 1 message is in the queue again.")
    expect(row).to_contain_text("rejected", timeout=QUEUE_MILLISECONDS)
    expect(letter).to_have_count(0)
    expect(put_back).to_be_hidden()
    expect(page.get_by_role("heading", name="Dead letters")).to_be_focused()


def test_settings_are_saved_and_the_chart_shows_the_rate_and_the_limit(page: Page, stack: Stack) -> None:
    page.get_by_label("Rate limit (requests/s)").fill("2")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#settings-message")).to_have_text("Settings saved.")
    expect(page.locator("#rate-text")).to_have_text("now 0, maximum 0, limit 2")
    start_calls(page, 12)
    page.get_by_role("button", name="Decline all", exact=True).click()
    expect(responses(page)).to_have_count(12)
    expect(page.locator("#results .response").filter(has_text="Waiting")).to_have_count(0)
    limited = sum(record.code == 660300005 for record in stack.simulator.requests())
    assert limited > 0
    expect(page.locator("#rate-text")).to_contain_text(f", limit 2, {limited} over the limit")
    rate = page.get_by_role("img", name="limit 2")
    for bars, expected in ((".total", len(stack.simulator.requests())), (".rate-limited", limited)):
        assert sum(int(bar.get_attribute("data-value") or 0) for bar in rate.locator(bars).all()) == expected
    expect(rate.get_by_text("limit 2", exact=True)).to_be_visible()


def test_the_keyboard_operates_the_page_and_keeps_the_focus(page: Page, stack: Stack) -> None:
    def tab_to(target: Locator) -> None:
        for _ in range(60):
            if target.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {target}")

    def wait_for_two_refreshes() -> None:
        for _ in range(2):
            with page.expect_response("**/page/overview"):
                pass

    tab_to(page.get_by_role("button", name="Ring and decline"))
    page.keyboard.press("Enter")
    expect(page.locator("#story")).to_contain_text("is now rejected in ZIM")
    tab_to(responses(page).first.locator("summary"))
    page.keyboard.press("Enter")
    expect(responses(page).first.get_by_role("button", name="Send again")).to_be_visible()

    tab_to(page.get_by_label("Callee"))
    page.keyboard.type("erin")
    page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text="caller0 calls erin")
    tab_to(row.get_by_role("button", name="Decline:"))
    wait_for_two_refreshes()
    page.keyboard.press("Enter")
    expect(row).to_contain_text("rejected")
    expect(row.get_by_role("rowheader")).to_be_focused()
    tab_to(switch(page, RATE_LIMITED))
    page.keyboard.press("Space")
    expect(switch(page, RATE_LIMITED)).to_be_checked()
    wait_for_two_refreshes()
    expect(switch(page, RATE_LIMITED)).to_be_focused()
    assert switch(page, RATE_LIMITED).evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    assert [fault.code for fault in stack.simulator.faults()] == [660300005]


def test_a_hidden_page_sends_no_requests(stack: Stack, tab: Page, activity: Activity) -> None:
    tab.clock.install()
    tab.goto(f"{stack.simulator_url}/page/")
    expect(tab.locator("#queue-text")).to_have_text("0")
    tab.evaluate("Object.defineProperty(document, 'hidden', {configurable: true, value: true})")
    tab.clock.run_for(2000)
    requested = len(activity.urls)
    tab.clock.run_for(60_000)
    assert activity.urls[requested:] == []
    with tab.expect_response("**/page/overview"):
        tab.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_notice_is_shown_while_the_simulator_does_not_respond(page: Page) -> None:
    expect(page.locator("#notice")).to_be_hidden()
    page.route("**/page/overview", lambda route: route.fulfill(status=500, body="error"))
    expect(page.locator("#notice")).to_contain_text("The simulator does not respond (HTTP status 500)")
    page.unroute("**/page/overview")
    expect(page.locator("#notice")).to_be_hidden()


def test_without_a_stack_calls_can_be_started_but_not_declined(tab: Page, simulator_without_stack: str) -> None:
    tab.goto(f"{simulator_without_stack}/")
    expect(tab.locator("#notice")).to_contain_text("No stack is deployed")
    row = start_calls(tab)
    for name in ("Decline:", "Decline via queue:"):
        expect(row.get_by_role("button", name=name)).to_be_disabled()
    expect(tab.get_by_role("button", name="Decline all", exact=True)).to_be_disabled()
    expect(tab.locator("#queue-text")).to_be_hidden()
    row.get_by_role("button", name="Hang up").click()
    expect(row).to_contain_text("ended")
    turn_on(tab, RATE_LIMITED)


def test_a_message_disappears(stack: Stack, tab: Page) -> None:
    tab.clock.install()
    tab.goto(f"{stack.simulator_url}/page/")
    tab.get_by_role("button", name="Save").click()
    expect(tab.locator("#settings-message")).to_have_text("Settings saved.")
    tab.clock.run_for(8000)
    expect(tab.locator("#settings-message")).to_have_text("")
