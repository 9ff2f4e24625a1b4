"""What the unit tests share: a simulator on a real socket, and credentials that it accepts."""

import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from moto import mock_aws

from local.zim_simulator.running import SimulatorClient, simulator
from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from zim.aws import client

ROOT = Path(__file__).resolve().parents[2]

# How long an example takes says how busy the machine is; and what CI tries today it tries again tomorrow.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

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


@pytest.fixture
def aws(zim: SimulatorClient) -> Iterator[Any]:
    """Moto in AWS's place, with the secret `zim` that the simulator accepts; gives the Secrets Manager client."""
    with mock_aws(config={"core": {"passthrough": {"urls": [f"{zim.url}/.*"]}}}):
        secrets = client("secretsmanager")
        secrets.create_secret(Name="zim", SecretString=json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET}))
        yield secrets


@dataclass
class Context:
    """What Powertools and the handlers read of Lambda's context."""

    function_name: str = "function"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 15_000


type Handler = Callable[[Any], Any]


@pytest.fixture
def load(zim: SimulatorClient, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Handler]:
    """Loads a function anew, as a cold start does, and gives its handler: `load("call_reject", VARIABLE="value")`."""

    def loaded(function: str, **environment: str) -> Handler:
        settings = {
            "ZIM_SECRET_ID": "zim",
            "ZIM_API_BASE_URL": zim.url,
            "CALLS_PER_SECOND": "100",
            "OTHER_CALLS_PER_SECOND": "1",
            "ZIM_CALLS_PER_SECOND_LIMIT": "101",
            "RESERVED_CONCURRENCY": "1",
        }
        for name, value in {**settings, **environment}.items():
            monkeypatch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("app", ROOT / "functions" / function / "app.py")
        assert spec
        assert spec.loader
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        return lambda event: app.handler(event, Context())

    return loaded
