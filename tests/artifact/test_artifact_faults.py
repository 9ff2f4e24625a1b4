"""ZIM misbehaves, or cannot be reached: what a caller is told, how often ZIM was asked, and that no harm is left."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from local.lambda_runtime import FUNCTION, LAYER
from local.processes import HOST, free_port
from local.zim_simulator.faults import Kind
from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import LOUD, REQUEST, SHORT_SECONDS, Function, Response, Start


def assert_is_a_problem(response: Response, name: str, status: int, *, retryable: bool) -> None:
    """Hold against what every problem without an answer of ZIM's has."""
    assert response.status == status
    assert response.headers == {"Content-Type": "application/problem+json"}
    assert response.members.keys() == {"type", "title", "status", "detail", "retryable"}
    assert response.members["type"] == f"urn:problem-type:call-reject:{name}"
    assert response.members["status"] == status
    assert response.members["retryable"] is retryable
    assert response.members["title"]
    assert response.members["detail"]


def rejects_again(function: Function, zim: SimulatorClient) -> bool:
    """Tell whether the same environment rejects the next call, and is answered by the answer to that."""
    call_id = zim.ring(REQUEST["FromUserId"])
    return function.reject(CallId=call_id).status == 200 and zim.call(call_id).state == "rejected"


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("cut_middle", {}),
        ("html", {}),
        ("http_500", {}),
        ("redirect", {"location": "/?Action=CallReject"}),
        # Without a limit to its size, this would end in a timeout.
        ("huge", {"size": 2**40}),
        ("no_code", {}),
        ("not_object", {}),
    ],
)
def test_what_is_no_answer_of_zims_is_told_and_not_asked_for_again(
    kind: Kind, members: dict[str, Any], ringing: SimulatorClient, function: Function
) -> None:
    ringing.fault(kind, **members)
    assert_is_a_problem(function.reject(), "UnexpectedAnswer", 502, retryable=True)
    assert [record.fault for record in ringing.requests()] == [kind]
    assert rejects_again(function, ringing)


def test_a_slow_answer_is_waited_for(ringing: SimulatorClient, function: Function) -> None:
    ringing.fault("slow", seconds=0.3)
    assert function.reject().status == 200
    assert function.line()["zim_ms"] >= 300
    assert len(ringing.requests()) == 1


def test_an_answer_that_does_not_come_is_waited_for_5_seconds_and_not_asked_for_again(
    ringing: SimulatorClient, function: Function
) -> None:
    ringing.fault("hang")
    assert_is_a_problem(function.reject(), "ZimTimeout", 504, retryable=True)
    assert 4900 < function.line()["zim_ms"] < 9000
    assert len(ringing.requests()) == 1
    ringing.clear_faults()
    assert rejects_again(function, ringing)


def test_a_connection_that_dies_before_the_answer_is_tried_once_more(
    ringing: SimulatorClient, function: Function
) -> None:
    ringing.fault("cut_before")
    assert function.reject().status == 200
    assert function.line()["attempts"] == 2
    first, second = ringing.requests()
    assert (first.fault, second.fault) == ("cut_before", None)
    assert first.parameters["SignatureNonce"] != second.parameters["SignatureNonce"]
    assert first.connection != second.connection


def test_a_call_rejected_over_a_connection_that_died_is_found_rejected(
    ringing: SimulatorClient, function: Function
) -> None:
    ringing.fault("cut_before", carried_out=True)
    response = function.reject()
    assert (response.status, response.members["Code"]) == (409, 660900005)
    assert [record.code for record in ringing.requests()] == [0, 660900005]


def test_a_connection_that_dies_twice_is_unreachable(ringing: SimulatorClient, function: Function) -> None:
    ringing.fault("cut_before", times=2)
    assert_is_a_problem(function.reject(), "ZimUnreachable", 502, retryable=True)
    assert function.line()["attempts"] == 2
    assert [record.fault for record in ringing.requests()] == ["cut_before", "cut_before"]
    assert rejects_again(function, ringing)


def test_an_answer_that_drips_is_not_waited_for_past_the_end_of_the_invocation(
    ringing: SimulatorClient, short_lived: Function
) -> None:
    ringing.fault("drip", seconds=0.1)
    assert_is_a_problem(short_lived.reject(), "ZimTimeout", 504, retryable=True)
    assert short_lived.line()["zim_ms"] < SHORT_SECONDS * 1000
    assert len(ringing.requests()) == 1
    assert rejects_again(short_lived, ringing)


def test_a_byte_that_comes_late_does_not_take_the_answer_past_the_end_of_the_invocation(
    ringing: SimulatorClient, short_lived: Function
) -> None:
    ringing.fault("drip", seconds=SHORT_SECONDS * 0.4)
    assert_is_a_problem(short_lived.reject(), "ZimTimeout", 504, retryable=True)


def test_nobody_listening_is_unreachable(zim: SimulatorClient, start: Start) -> None:
    with start(ZIM_API_BASE_URL=f"http://{HOST}:{free_port()}", **LOUD) as function:
        assert_is_a_problem(function.reject(), "ZimUnreachable", 502, retryable=True)
        assert function.line()["attempts"] == 1
    assert zim.requests() == []


def test_a_certificate_of_an_authority_that_nobody_trusts_is_refused(zim: SimulatorClient, start: Start) -> None:
    assert zim.https_url
    with start(ZIM_API_BASE_URL=zim.https_url, **LOUD) as function:
        assert_is_a_problem(function.reject(), "ZimUnreachable", 502, retryable=True)
    assert zim.requests() == []


def test_a_certificate_of_an_authority_in_the_artifacts_list_is_accepted(
    ringing: SimulatorClient, start: Start, tmp_path: Path
) -> None:
    assert ringing.https_url
    assert ringing.ca_file
    shutil.copytree(LAYER / "certifi", tmp_path / "certifi")
    with (tmp_path / "certifi" / "cacert.pem").open("ab") as authorities:
        authorities.write(ringing.ca_file.read_bytes())
    path = f"{tmp_path}:{FUNCTION}:{LAYER}"
    with start(ZIM_API_BASE_URL=ringing.https_url, PYTHONPATH=path, **LOUD) as function:
        assert function.reject().status == 200
