"""The secret: its rotation and errors, with the botocore of the layer. tests/unit tests all forms of a secret."""

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import DEBUG_LOGS
from tests.artifact.secrets_manager import CREDENTIALS, SecretsManager


def test_a_rotated_secret_is_read_and_the_call_is_retried(
    ringing: SimulatorClient, secrets_manager: SecretsManager, start: StartFunction, forbidden_texts: list[str]
) -> None:
    secrets_manager.put("rotated", CREDENTIALS)
    with start(ZIM_SECRET_ID="rotated", **DEBUG_LOGS) as function:
        assert function.reject().status == 200
        reads = secrets_manager.reads
        forbidden_texts.append(ringing.rotate())
        secrets_manager.put("rotated", {**CREDENTIALS, "ServerSecret": forbidden_texts[-1]})
        assert function.reject(CallId=ringing.ring("user0")).status == 200
        assert function.line()["attempts"] == 2
        assert secrets_manager.reads == reads + 1
    assert [record.code for record in ringing.requests()] == [0, 100000005, 0]


# botocore decides which errors to retry, from its data files in the layer.
@pytest.mark.parametrize(("error", "reads"), [("AccessDeniedException", 1), ("ThrottlingException", 2)])
def test_a_secret_that_cannot_be_read_is_logged_and_read_again_for_the_next_request(
    ringing: SimulatorClient, secrets_manager: SecretsManager, start: StartFunction, error: str, reads: int
) -> None:
    secrets_manager.put("unreadable", CREDENTIALS)
    with start(ZIM_SECRET_ID="unreadable", **DEBUG_LOGS) as function:
        assert function.post(None).status == 400  # the cold start
        secret = ringing.rotate()  # so that the function reads the secret again
        before, secrets_manager.error = secrets_manager.reads, error
        response = function.reject()
        secrets_manager.error = None
        assert response.status == 500
        assert response.members["type"] == "urn:problem-type:call-reject:SecretUnavailable"
        assert secrets_manager.reads == before + reads
        line = function.line()
        assert line["level"] == "ERROR"
        assert error in line["message"]
        secrets_manager.put("unreadable", {**CREDENTIALS, "ServerSecret": secret})
        assert function.reject().status == 200
