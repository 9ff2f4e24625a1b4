"""The stories that one button tells, and the picture of the path of a request."""

import json
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from local.send import to_queue
from local.stack import Stack
from tests.page.test_page import start_calls
from tests.support.paths import ROOT

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", ROOT / "test-results"))
"""CI keeps the screenshots in the default folder. `make screenshots` sets this variable to docs/."""

MAX_SCREENSHOT_BYTES = 150_000
QUEUE_MILLISECONDS = 60_000
BURST = 50
MOVE_MILLISECONDS = 280


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\b\d+\b", text)]


def take_screenshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / name)
    assert (SCREENSHOTS / name).stat().st_size < MAX_SCREENSHOT_BYTES


def ring_and_decline(page: Page) -> None:
    page.get_by_role("button", name="Ring and decline").click()


def test_ring_and_decline_tells_what_happened(page: Page, stack: Stack) -> None:
    user = page.get_by_label("Callee").input_value()
    story = page.locator("#story")
    ring_and_decline(page)
    expect(story).to_have_text(f"caller0 calls {user}. The phone rings …")
    expect(page.locator("#picture")).to_contain_text("1 ringing")
    expect(story).to_have_text(
        re.compile(
            rf"^{user} declined, and the API responded 200 OK after .*\. Call \d{{4}}… is now rejected in ZIM\.$"
        )
    )
    assert [call.invitees for call in stack.simulator.calls()] == [{user: "rejected"}]


def test_ring_and_decline_tells_why_the_call_was_not_rejected(page: Page, stack: Stack) -> None:
    stack.simulator.fault("code", code=660500002, times=None)
    ring_and_decline(page)
    because = "but the API responded 422 UserNotRegistered after .*: ZIM returned 660500002: "
    expect(page.locator("#story")).to_have_text(re.compile(rf"{because}.* was still ringing in ZIM\.$"))


def wait_for_dot(page: Page, meaning: str, sign: str = "") -> None:
    """Wait for a request of this look in the picture. Unlike `expect`, it does not miss one that is soon gone."""
    page.locator(f"#picture .dot.{meaning}", has_text=sign).first.wait_for(state="attached")


def test_a_request_moves_to_zim_and_returns_in_the_color_of_its_outcome(page: Page, stack: Stack) -> None:
    ring_and_decline(page)
    wait_for_dot(page, "waiting")
    wait_for_dot(page, "success", "✓")
    expect(page.locator("#picture .dot")).to_have_count(0)
    stack.simulator.fault("code", code=660500002, times=None)
    ring_and_decline(page)
    wait_for_dot(page, "caller", "!")


def test_a_request_of_another_client_moves_from_elsewhere_to_zim(page: Page, stack: Stack) -> None:
    expect(page.locator("#picture")).to_contain_text("idle")
    to_queue(stack, json.dumps({"FromUserId": "user0", "CallId": stack.simulator.ring("user0")}))
    wait_for_dot(page, "success", "Other client")
    expect(page.locator("#picture .dot")).to_have_count(0)


def test_a_request_of_this_page_does_not_look_like_one_of_another_client(page: Page) -> None:
    page.evaluate("""() => new MutationObserver(() => {
      window.otherClients ||= document.querySelector("#picture").textContent.includes("Other client");
    }).observe(document.querySelector("#picture"), { subtree: true, childList: true })""")
    ring_and_decline(page)
    expect(page.locator("#story")).to_contain_text("is now rejected in ZIM.")
    start_calls(page).get_by_role("button", name="Decline via queue").click()
    expect(page.locator("#states")).to_have_text("2 rejected", timeout=QUEUE_MILLISECONDS)
    expect(page.locator("#picture .dot")).to_have_count(0)
    assert not page.evaluate("() => window.otherClients")


def test_ring_and_decline_tells_immediately_that_a_call_starts(page: Page) -> None:
    page.route("**/simulator/calls", lambda _: None)  # gets no response
    ring_and_decline(page)
    expect(page.locator("#story")).to_have_text(re.compile(r"^caller0 calls user[0-9]+ …$"))


def test_a_long_sentence_and_the_results_move_nothing(page: Page, stack: Stack) -> None:
    ring_and_decline(page)
    expect(page.locator("#story")).to_contain_text("is now rejected in ZIM.")

    def tops() -> list[object]:
        top = "(each) => each.getBoundingClientRect().top + window.scrollY"
        return [page.locator(place).evaluate(top) for place in ("#picture", "#calls")]

    before = tops()
    stack.simulator.fault("code", code=1, times=None)
    for results in range(2, 5):
        ring_and_decline(page)
        expect(page.locator("#results > details")).to_have_count(results)
        expect(page.locator("#story")).to_contain_text("ZimUnavailable")
        assert tops() == before


def test_a_request_without_a_response_stays_visible_before_zim(page: Page, stack: Stack) -> None:
    stack.simulator.fault("hang")
    ring_and_decline(page)
    rests = """() => {
      const box = (selector) => document.querySelector(selector)?.getBoundingClientRect();
      const [dot, limit, zim] = ["#picture .dot.waiting", ".limit rect", ".zim rect"].map(box);
      const before = window.left;
      window.left = dot?.left;
      return dot && dot.left === before && limit.right < dot.left && dot.right < zim.left;
    }"""
    page.wait_for_function(rests, polling=MOVE_MILLISECONDS)
    expect(page.locator("#story")).to_contain_text("504 ZimTimeout")


@pytest.mark.parametrize("users", ["", " , "])
@pytest.mark.parametrize("button", ["Ring and decline", "Burst of 50"])
def test_a_story_without_a_callee_does_not_start(page: Page, stack: Stack, users: str, button: str) -> None:
    callee = page.get_by_label("Callee")
    callee.fill(users)
    page.get_by_role("button", name=button).click()
    expect(callee).to_be_focused()
    expect(page.locator("#story")).to_contain_text("Choose “Ring and decline”")
    assert stack.simulator.calls() == []


def test_with_reduced_motion_a_request_does_not_move(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("() => { Element.prototype.animate = () => { throw new Error('animated'); }; }")
    ring_and_decline(page)
    wait_for_dot(page, "success")
    expect(page.locator("#picture .dot")).to_have_count(0)


def test_a_burst_ends_in_a_sentence_and_the_queue_accepts_the_rest(page: Page, stack: Stack) -> None:
    story = page.locator("#story")
    page.get_by_label("Callee").fill("user0")
    page.get_by_role("button", name="Burst of 50").click()
    expect(page.locator("#picture")).to_contain_text(re.compile(r"\d waiting"))
    drain = page.get_by_role("button", name="through the queue")
    drain.wait_for(timeout=QUEUE_MILLISECONDS)
    take_screenshot(page, "page.png")
    expect(story).to_have_text(
        re.compile(r"^\d+ rejected, .*: the API serves 5 requests at a time\. The queue accepts")
    )
    rejected, *others, concurrency = numbers(story.inner_text())
    assert (rejected + sum(others), concurrency) == (BURST, 5)
    assert sum(call.state == "rejected" for call in stack.simulator.calls()) == rejected
    expect(drain).to_have_text(f"Send the other {BURST - rejected} through the queue")

    drain.click()
    expect(story).to_contain_text("ZIM rejected them all within", timeout=QUEUE_MILLISECONDS)
    accepted, sent = numbers(story.inner_text())[:2]
    assert (accepted, sent) == (BURST - rejected, BURST - rejected)
    assert {call.state for call in stack.simulator.calls()} == {"rejected"}
    summary = page.locator("#results summary").first
    expect(summary).to_have_text(re.compile(r"^✓ 202 Accepted .* · rejected after \d"))
