"""A simulator in its initial state."""

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.local.zim_client import Simulator


@pytest.fixture
def sim(running_simulator: SimulatorClient) -> Simulator:
    """A simulator in its initial state."""
    running_simulator.reset()
    return Simulator(running_simulator.url, running_simulator.https_url, running_simulator.ca_file)
