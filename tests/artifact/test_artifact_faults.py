"""ZIM fails: what depends on the built function, its timeout and its certificates. tests/unit tests all faults."""

import shutil
from pathlib import Path

import pytest

from local.lambda_runtime import FUNCTION, LAYER
from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import DEBUG_LOGS, Function, Response

TIMEOUT_SECONDS = 4
"""Less than the 5 s for a response from ZIM, and enough for a cold start on a busy machine."""


def assert_is_problem(response: Response, name: str, status: int) -> None:
    assert response.status == response.members["status"] == status
    assert response.headers == {"Content-Type": "application/problem+json"}
    assert response.members.keys() == {"type", "title", "status", "detail", "retryable"}
    assert response.members["type"] == f"urn:problem-type:call-reject:{name}"
    assert response.members["retryable"] is True


# Without a limit to its size, the response would end in a timeout.
def test_a_response_of_a_terabyte_is_rejected_and_not_retried(ringing: SimulatorClient, function: Function) -> None:
    ringing.fault("huge", size=2**40)
    assert_is_problem(function.reject(), "UnexpectedZimResponse", 502)
    assert [record.fault for record in ringing.requests()] == ["huge"]
    assert function.reject().status == 200


def test_a_response_that_is_not_complete_before_the_function_times_out_is_not_retried(
    ringing: SimulatorClient, start: StartFunction
) -> None:
    with start(AWS_LAMBDA_FUNCTION_TIMEOUT=str(TIMEOUT_SECONDS), **DEBUG_LOGS) as function:
        assert function.post(None).status == 400  # the cold start
        ringing.fault("hang")
        assert_is_problem(function.reject(), "ZimTimeout", 504)
        assert function.line()["zim_ms"] < TIMEOUT_SECONDS * 1000
        assert len(ringing.requests()) == 1
        ringing.clear_faults()
        assert function.reject().status in {200, 409}


@pytest.mark.parametrize("trusted", [False, True])
def test_a_certificate_is_accepted_only_from_an_authority_in_certifi(
    ringing: SimulatorClient, start: StartFunction, tmp_path: Path, *, trusted: bool
) -> None:
    assert ringing.ca_file
    shutil.copytree(LAYER / "certifi", tmp_path / "certifi")
    if trusted:
        with (tmp_path / "certifi" / "cacert.pem").open("ab") as authorities:
            authorities.write(ringing.ca_file.read_bytes())
    path = f"{tmp_path}:{FUNCTION}:{LAYER}"
    with start(ZIM_API_BASE_URL=ringing.https_url, PYTHONPATH=path, **DEBUG_LOGS) as function:
        if trusted:
            assert function.reject().status == 200
        else:
            assert_is_problem(function.reject(), "ZimUnreachable", 502)
    assert len(ringing.requests()) == trusted
