"""A simulator in its initial state."""

from collections.abc import Iterator

import pytest

from local.zim_simulator.running import SimulatorClient, simulator
from tests.local.zim_client import Simulator


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[SimulatorClient]:
    with simulator() as client:
        yield client


@pytest.fixture
def sim(running_simulator: SimulatorClient) -> Simulator:
    """A simulator in its initial state."""
    running_simulator.reset()
    return Simulator(running_simulator.url, running_simulator.https_url, running_simulator.ca_file)
