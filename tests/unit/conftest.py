"""What the unit tests share: a simulator on a real socket, and credentials that it accepts."""

import os
from collections.abc import Iterator

import pytest

from local.zim_simulator.running import SimulatorClient, simulator

# Whatever is asked of AWS here is asked of moto: no profile and no credentials of whoever runs the tests.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCESS_KEY_ID="made-up",
    AWS_SECRET_ACCESS_KEY="made-up",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    POWERTOOLS_METRICS_NAMESPACE="CallReject",
    POWERTOOLS_SERVICE_NAME="call-reject",
)


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[SimulatorClient]:
    with simulator() as running:
        yield running


@pytest.fixture
def zim(running_simulator: SimulatorClient) -> SimulatorClient:
    """A simulator in which nothing has happened yet."""
    running_simulator.reset()
    return running_simulator
