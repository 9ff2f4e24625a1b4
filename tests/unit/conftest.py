"""Fixtures for the unit tests: the ZIM simulator on a real socket, moto in place of AWS, and a loader for functions."""

import importlib.util
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.loaders import create_loader
from hypothesis import settings
from moto import mock_aws

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from tests.support.paths import FUNCTIONS
from tests.unit.doubles import SETTINGS, Clock, Function, Log
from zim.aws import client

# No time limit for an example, because the machine may be busy; the same examples in every run.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# Neither the profile nor the credentials of the person who runs the tests is used.
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


@pytest.fixture(scope="session", autouse=True)
def _shared_service_models() -> Iterator[None]:
    """Read the service models of botocore once instead of for each client, which takes most of the time of a test."""
    loader = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda *_: loader)
        yield


@pytest.fixture
def zim(running_simulator: SimulatorClient) -> SimulatorClient:
    """A simulator in its initial state."""
    running_simulator.reset()
    return running_simulator


@pytest.fixture
def aws(zim: SimulatorClient) -> Iterator[Any]:
    """A client for moto's Secrets Manager, which has the secret `zim` that the simulator accepts."""
    with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1:.*"]}}}):
        secrets = client("secretsmanager")
        secrets.create_secret(Name="zim", SecretString=json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET}))
        yield secrets


@pytest.fixture
def queue(aws: Any) -> Any:
    """A queue in moto."""
    return boto3.resource("sqs").create_queue(QueueName="calls")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    handler = logging.StreamHandler(log.stream)
    logger = logging.getLogger(os.environ["POWERTOOLS_SERVICE_NAME"])
    handler.setFormatter(logger.handlers[0].formatter)
    logger.addHandler(handler)
    yield log
    logger.removeHandler(handler)


@pytest.fixture
def load(zim: SimulatorClient, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Function]:
    """Load a function as a cold start does: `load("call_reject", VARIABLE="value")`."""

    def load(function: str, **environment: str) -> Function:
        for name, value in {**SETTINGS, "ZIM_API_BASE_URL": zim.url, **environment}.items():
            monkeypatch.setenv(name, value)
        sys.modules.pop("zim.startup", None)
        spec = importlib.util.spec_from_file_location("app", FUNCTIONS / function / "app.py")
        assert spec
        assert spec.loader
        app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(app)
        return Function(app)

    return load
