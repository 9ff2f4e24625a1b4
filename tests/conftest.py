"""All tests: a test run leaves nothing behind. Several folders share a simulator."""

from collections.abc import Iterator

import pytest

from local.zim_simulator.running import SimulatorClient, simulator
from tests.support.clean_run import pytest_configure

__all__ = ["pytest_configure"]


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[SimulatorClient]:
    with simulator() as running:
        yield running
