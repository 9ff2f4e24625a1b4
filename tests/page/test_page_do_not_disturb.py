"""The switch "Do not disturb", with examples/do-not-disturb deployed next to the stack."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from local.example import DoNotDisturb, deploy
from local.stack import Stack
from tests.page.test_page import start_calls, switch


@pytest.fixture(scope="module")
def deployed_example(deployed_with_page: Stack) -> DoNotDisturb:
    return deploy(deployed_with_page)


def test_a_call_to_a_callee_with_the_switch_on_is_rejected_immediately(
    deployed_example: DoNotDisturb, page: Page
) -> None:
    do_not_disturb = switch(page, "Do not disturb")
    expect(page.get_by_text("No calls yet.")).to_be_visible()
    expect(do_not_disturb).to_be_hidden()
    deployed_example.receive_callbacks()
    expect(do_not_disturb).to_be_visible()
    expect(do_not_disturb).not_to_be_checked()
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()

    do_not_disturb.click()
    expect(page.get_by_text(re.compile("Calls to user[0-9]+ are rejected for an hour."))).to_be_visible()
    expect(do_not_disturb).to_be_checked()
    expect(start_calls(page)).to_contain_text(re.compile(r"rejected\s+after [0-9.]+ m?s"))

    callee = page.get_by_label("Callee").input_value()
    page.get_by_label("Callee").fill("another")
    expect(do_not_disturb).not_to_be_checked()
    page.get_by_label("Callee").fill(callee)
    expect(do_not_disturb).to_be_checked()

    do_not_disturb.click()
    expect(page.get_by_text(re.compile("Calls to user[0-9]+ ring."))).to_be_visible()
    expect(start_calls(page)).to_contain_text("ringing")
    expect(do_not_disturb).not_to_be_checked()


def test_an_error_of_the_example_is_shown(deployed_example: DoNotDisturb, page: Page) -> None:
    deployed_example.receive_callbacks()
    page.get_by_label("Callee").fill("not/valid")
    expect(page.locator("#do-not-disturb-message")).to_contain_text("is not a ZIM user id")
