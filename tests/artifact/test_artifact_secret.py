"""The secret: when it is read, its rotation, and errors.

All forms of a malformed secret are tested in tests/unit/test_credentials.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import DEBUG_LOGS, Function
from tests.artifact.secrets_manager import CREDENTIALS, SecretsManager

NAME = "rotated"


@dataclass
class Rotation:
    """A function that has cached its secret, and the two places that can change it: ZIM and Secrets Manager."""

    function: Function
    zim: SimulatorClient
    secrets_manager: SecretsManager
    forbidden_texts: list[str]
    requests_before: int

    def rotate_at_zim(self) -> dict[str, Any]:
        """Change the secret that ZIM accepts, and return the new value for Secrets Manager."""
        self.forbidden_texts.append(self.zim.rotate())
        return {"AppId": APP_ID, "ServerSecret": self.forbidden_texts[-1]}

    def put(self, secret: Any) -> None:
        """Change the secret in Secrets Manager."""
        self.secrets_manager.put(NAME, secret)

    def reads(self) -> int:
        """Return how often the function has read its secret since it cached it."""
        return self.secrets_manager.requests - self.requests_before


@pytest.fixture(scope="module")
def function_with_own_secret(start: StartFunction) -> Iterator[Function]:
    with start(ZIM_SECRET_ID=NAME, **DEBUG_LOGS) as running:
        yield running


@pytest.fixture
def rotation(
    function_with_own_secret: Function,
    ringing: SimulatorClient,
    secrets_manager: SecretsManager,
    forbidden_texts: list[str],
) -> Iterator[Rotation]:
    secrets_manager.put(NAME, CREDENTIALS)
    assert function_with_own_secret.reject().status == 200
    ringing.clear_requests()
    yield Rotation(function_with_own_secret, ringing, secrets_manager, forbidden_texts, secrets_manager.requests)
    secrets_manager.error = None


def test_a_rotated_secret_is_read_and_the_call_is_retried(rotation: Rotation) -> None:
    rotation.put(rotation.rotate_at_zim())
    call_id = rotation.zim.ring("user0")
    assert rotation.function.reject(CallId=call_id).status == 200
    assert rotation.function.line()["attempts"] == 2
    assert [record.code for record in rotation.zim.requests()] == [100000005, 0]
    assert rotation.function.reject(CallId=call_id).status == 409
    assert rotation.reads() == 1


# botocore decides which errors to retry, from its data files in the layer.
@pytest.mark.parametrize(("error", "reads"), [("AccessDeniedException", 1), ("ThrottlingException", 2)])
def test_a_secret_that_cannot_be_read_is_logged_and_read_again_for_the_next_request(
    error: str, reads: int, rotation: Rotation
) -> None:
    secret = rotation.rotate_at_zim()
    rotation.secrets_manager.error = error
    response = rotation.function.reject()
    assert response.status == 500
    assert response.headers == {"Content-Type": "application/problem+json"}
    assert response.members["type"] == "urn:problem-type:call-reject:SecretUnavailable"
    assert response.members["retryable"] is False
    assert rotation.reads() == reads
    line = rotation.function.line()
    assert line["level"] == "ERROR"
    assert error in line["message"]
    rotation.secrets_manager.error = None
    rotation.put(secret)
    assert rotation.function.reject().status == 409


def test_a_malformed_secret_is_not_sent_to_zim(
    ringing: SimulatorClient, secrets_manager: SecretsManager, start: StartFunction
) -> None:
    secrets_manager.put("malformed", {**CREDENTIALS, "ServerSecret": "\ud800" * 32})
    with start(ZIM_SECRET_ID="malformed", **DEBUG_LOGS) as function:
        assert function.reject().status == 500
        assert "ServerSecret" in function.line()["message"]
    assert ringing.requests() == []
