"""ZIM fails or is unreachable: one test for each outcome, and for each retry."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.lambda_runtime import FUNCTION, LAYER
from local.processes import HOST, free_port
from local.zim_simulator.faults import Kind
from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import DEBUG_LOGS, REQUEST, Function, Response

TIMEOUT_SECONDS = 4
"""Less than the 5 s for a response from ZIM, and enough for a cold start on a busy machine."""


@pytest.fixture(scope="module")
def short_function(start: StartFunction) -> Iterator[Function]:
    """A function with a short timeout, after its cold start."""
    with start(AWS_LAMBDA_FUNCTION_TIMEOUT=str(TIMEOUT_SECONDS), **DEBUG_LOGS) as running:
        assert running.post(None).status == 400
        yield running


def assert_is_problem(response: Response, name: str, status: int) -> None:
    assert response.status == response.members["status"] == status
    assert response.headers == {"Content-Type": "application/problem+json"}
    assert response.members.keys() == {"type", "title", "status", "detail", "retryable"}
    assert response.members["type"] == f"urn:problem-type:call-reject:{name}"
    assert response.members["retryable"] is True


def assert_rejects_next_call(function: Function, zim: SimulatorClient) -> None:
    call_id = zim.ring(REQUEST["FromUserId"])
    assert function.reject(CallId=call_id).status == 200
    assert zim.call(call_id).state == "rejected"


# Without a limit to its size, the last response would end in a timeout.
@pytest.mark.parametrize(("kind", "members"), [("cut_middle", {}), ("html", {}), ("huge", {"size": 2**40})])
def test_a_response_that_is_not_from_zim_is_not_retried(
    kind: Kind, members: dict[str, int], ringing: SimulatorClient, function: Function
) -> None:
    ringing.fault(kind, **members)
    assert_is_problem(function.reject(), "UnexpectedZimResponse", 502)
    assert [record.fault for record in ringing.requests()] == [kind]
    assert_rejects_next_call(function, ringing)


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_a_response_that_is_not_complete_before_the_function_times_out_is_not_retried(
    kind: Kind, ringing: SimulatorClient, short_function: Function
) -> None:
    ringing.fault(kind)
    assert_is_problem(short_function.reject(), "ZimTimeout", 504)
    assert short_function.line()["zim_ms"] < TIMEOUT_SECONDS * 1000
    assert len(ringing.requests()) == 1
    ringing.clear_faults()
    assert_rejects_next_call(short_function, ringing)


def test_a_lost_connection_is_retried_once(ringing: SimulatorClient, function: Function) -> None:
    ringing.fault("cut_before")
    assert function.reject().status == 200
    assert function.line()["attempts"] == 2
    first, second = ringing.requests()
    assert (first.fault, second.fault) == ("cut_before", None)
    assert first.parameters["SignatureNonce"] != second.parameters["SignatureNonce"]
    assert first.connection != second.connection


def test_a_refused_connection_is_not_retried(start: StartFunction) -> None:
    with start(ZIM_API_BASE_URL=f"http://{HOST}:{free_port()}", **DEBUG_LOGS) as function:
        assert_is_problem(function.reject(), "ZimUnreachable", 502)
        assert function.line()["attempts"] == 1


def test_a_certificate_of_an_unknown_authority_is_rejected(zim: SimulatorClient, start: StartFunction) -> None:
    with start(ZIM_API_BASE_URL=zim.https_url, **DEBUG_LOGS) as function:
        assert_is_problem(function.reject(), "ZimUnreachable", 502)
    assert zim.requests() == []


def test_a_certificate_of_an_authority_in_certifi_is_accepted(
    ringing: SimulatorClient, start: StartFunction, tmp_path: Path
) -> None:
    assert ringing.ca_file
    shutil.copytree(LAYER / "certifi", tmp_path / "certifi")
    with (tmp_path / "certifi" / "cacert.pem").open("ab") as authorities:
        authorities.write(ringing.ca_file.read_bytes())
    path = f"{tmp_path}:{FUNCTION}:{LAYER}"
    with start(ZIM_API_BASE_URL=ringing.https_url, PYTHONPATH=path, **DEBUG_LOGS) as function:
        assert function.reject().status == 200
