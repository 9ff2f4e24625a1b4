"""What the pages say of speed and cost: by what was measured, and by the prices and sizes as they are."""

import pytest

from benchmarks import report
from benchmarks.results import load
from local.stack import ROOT

PERFORMANCE = (ROOT / "docs" / "performance.md").read_text()


@pytest.mark.parametrize("page", report.TABLES)
def test_a_page_has_the_figures_that_were_measured_last(page: str) -> None:
    assert (ROOT / page).read_text() == report.pages()[page]


@pytest.mark.parametrize("name", ["performance", "tried", "memory_size"])
def test_what_is_kept_was_measured_twenty_times_at_least(name: str) -> None:
    assert load(name)["measured"]["rounds"] >= 20


def test_the_rates_that_are_kept_were_measured_for_a_minute_each() -> None:
    measured = load("rate")["measured"]
    assert {each["round_trip"] for each in measured} == {0.03, 0.1, 0.3}
    assert all(each["seconds"] > 59 for each in measured)


def test_what_snap_start_costs_is_worked_out_for_the_memory_that_the_functions_have() -> None:
    size, _ = report.memory_sizes()
    month = size / 1024 * 30 * 24 * 3600 * report.PRICES["SnapStart's cache, a GB-second"]
    thousand = size / 1024 * 1000 * report.PRICES["SnapStart's restore, a GB"]
    assert f"at {size} MB |" in PERFORMANCE
    assert f"| ${month:.2f} in 30 days |" in PERFORMANCE
    assert f"| ${thousand:.2f} in a thousand |" in PERFORMANCE
