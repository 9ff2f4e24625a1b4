"""Accessibility: axe-core's rules, narrow screens, and names of controls."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from local.stack import Stack


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
@pytest.mark.parametrize("path", ["page/", "page/reference.html"])
def test_axe_finds_no_violation_and_the_page_fits_the_screen(
    tab: Page, stack: Stack, path: str, width: int, scheme: str
) -> None:
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.set_viewport_size({"width": width, "height": 800})
    stack.simulator.end(stack.simulator.ring("user0", caller="c" * 32, call_id="w" * 32))
    stack.simulator.ring("user0", timeout=0.001)
    call = stack.simulator.ring("user1")
    stack.simulator.fault("code", code=660300005, times=None)
    tab.goto(f"{stack.simulator_url}/{path}")
    if path == "page/":
        tab.get_by_role("button", name=f"Decline (HTTPS): call {call} to user1").click()
        expect(tab.get_by_text("429 Too Many Requests").first).to_be_visible()
        expect(tab.get_by_role("switch", name="Rate limit exceeded")).to_be_checked()
    else:
        for response in tab.locator("summary").all():
            response.click()
    results = Axe().run(tab)
    assert results.violations_count == 0, results.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_each_control_has_a_unique_name(page: Page, stack: Stack) -> None:
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
