"""The pages against axe-core's rules, and on a phone, in light and in dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from local.stack import Stack

WIDTHS = (360, 1280)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("address", ["page/", "page/reference.html"])
def test_axe_finds_nothing_and_no_line_runs_out_of_the_screen(
    blank: Page, stack: Stack, address: str, width: int, scheme: str
) -> None:
    blank.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    blank.set_viewport_size({"width": width, "height": 800})
    stack.simulator.end(stack.simulator.ring("user0", caller="c" * 32, call_id="w" * 32))
    stack.simulator.ring("user0", timeout=0.001)
    call = stack.simulator.ring("user1")
    stack.simulator.fault("code", code=660300005, times=None)
    blank.goto(f"{stack.simulator_url}/{address}")
    if address == "page/":
        blank.get_by_role("button", name=f"Decline (HTTPS): call {call} of user1").click()
        expect(blank.get_by_text("429 Too Many Requests").first).to_be_visible()
        expect(blank.get_by_role("switch", name="Over the rate limit")).to_be_checked()
    else:
        for answer in blank.locator("summary").all():
            answer.click()
    found = Axe().run(blank)
    assert found.violations_count == 0, found.generate_report()
    assert blank.evaluate("document.documentElement.scrollWidth") == width


def test_each_control_has_a_name_of_its_own(page: Page, stack: Stack) -> None:
    for _ in range(2):
        stack.simulator.ring("user0")
    expect(page.get_by_role("button", name="Hang up")).to_have_count(2)
    names = [
        line.strip().removeprefix("- ").split(" [")[0].rstrip(":")
        for line in page.locator("main").aria_snapshot().splitlines()
        if line.strip().startswith(("- button", "- textbox", "- spinbutton", "- switch"))
    ]
    assert len(names) > 20
    assert all('"' in name for name in names)
    assert len(set(names)) == len(names)
