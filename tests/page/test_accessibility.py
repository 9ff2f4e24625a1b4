"""Accessibility: axe-core's rules, narrow screens, and names of controls."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from local.stack import Stack


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("path", ["page/", "page/reference.html"])
def test_axe_finds_no_violation_and_the_page_fits_the_screen(tab: Page, stack: Stack, path: str, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    stack.simulator.end(stack.simulator.ring("user0", caller="c" * 32, call_id="w" * 32))
    stack.simulator.ring("user0", timeout=0.001)
    call = stack.simulator.ring("user1")
    stack.simulator.fault("code", code=660300005, times=None)
    tab.goto(f"{stack.simulator_url}/{path}")
    if path == "page/":
        tab.get_by_role("button", name=f"Decline: call {call} to user1").click()
        expect(tab.get_by_text("429 RateLimited", exact=True).first).to_be_visible()
        expect(tab.get_by_role("switch", name="Rate limit exceeded")).to_be_checked()
        stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody="not JSON")
        expect(tab.get_by_text("InvalidRequest", exact=True)).to_be_visible()
    for closed in tab.locator("summary:visible").all():
        closed.click()
    results = Axe().run(tab)
    assert results.violations_count == 0, results.generate_report()
    tab.emulate_media(color_scheme="dark")
    results = Axe().run(tab, options={"runOnly": ["color-contrast"]})
    assert results.violations_count == 0, results.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_cut_off(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_role("spinbutton", name="Calls").fill("8")
    page.get_by_role("button", name="Start", exact=True).click()
    rows = page.get_by_role("row").filter(has=page.get_by_role("rowheader"))
    expect(rows).to_have_count(6)
    page.get_by_role("button", name="Show all 8").click()
    expect(rows).to_have_count(8)
    page.get_by_role("button", name="Show the latest 6").click()
    expect(rows).to_have_count(6)
    cut = """() => [...document.querySelectorAll("main *:not(select, svg *)")].filter((element) =>
        getComputedStyle(element).overflow !== "visible" && !element.classList.contains("hidden") &&
        (element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight)).length"""
    assert page.evaluate(cut) == 0


def test_each_control_has_a_unique_name(page: Page, stack: Stack) -> None:
    for _ in range(2):
        stack.simulator.ring("user0")
    expect(page.get_by_role("button", name="Hang up")).to_have_count(2)
    names = [
        line.strip().removeprefix("- ").split(" [")[0].rstrip(":")
        for line in page.locator("main").aria_snapshot().splitlines()
        if line.strip().startswith(("- button", "- textbox", "- spinbutton", "- switch"))
    ]
    assert len(names) > 15
    assert all('"' in name for name in names)
    assert len(set(names)) == len(names)
