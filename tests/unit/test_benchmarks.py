"""The pages contain the saved benchmark results."""

import pytest

from benchmarks import report
from tests.support.paths import ROOT


@pytest.mark.parametrize("page", report.PAGES)
def test_page_contains_the_saved_results(page: str) -> None:
    assert (ROOT / page).read_text() == report.render(page)
