"""The pages contain the saved benchmark results, and the results come from complete runs."""

import pytest

from benchmarks import report
from benchmarks.results import load
from tests.support.paths import ROOT


@pytest.mark.parametrize("page", report.PAGES)
def test_page_contains_the_saved_results(page: str) -> None:
    assert (ROOT / page).read_text() == report.render(page)


@pytest.mark.parametrize("name", ["performance", "memory_size"])
def test_saved_results_have_at_least_twenty_rounds(name: str) -> None:
    assert load(name)["measured"]["rounds"] >= 20


def test_saved_rates_were_measured_for_a_minute_each() -> None:
    measured = load("rate")["measured"]
    assert {each["round_trip"] for each in measured} == {0.03, 0.1, 0.3}
    assert all(each["seconds"] > 59 for each in measured)
