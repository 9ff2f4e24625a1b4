"""Direct invocation, as from Step Functions and `aws lambda invoke`: a result, or an error with the outcome's name."""

import json
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import REQUEST, Function
from tests.support.paths import EVENTS


def assert_is_error(result: dict[str, Any], name: str, status: int) -> dict[str, Any]:
    """Check that a result is an error with this name and a problem in its message, and return the problem."""
    assert result["errorType"] == name
    problem: dict[str, Any] = json.loads(result["errorMessage"])
    assert problem["type"] == f"urn:problem-type:call-reject:{name}"
    assert problem["status"] == status
    return problem


def test_the_sample_event_returns_the_response_of_zim(zim: SimulatorClient, function: Function) -> None:
    event = json.loads((EVENTS / "CallRejectFunction" / "direct.json").read_text())
    zim.ring(event["FromUserId"], call_id=event["CallId"])
    result = function.invoke(event)
    assert result.keys() == {"Code", "Message", "RequestId"}
    assert (result["Code"], result["Message"]) == (0, "success")
    assert zim.call(event["CallId"]).extended_data == {event["FromUserId"]: event["ExtendedData"]}
    assert function.line()["trigger"] == "direct"


def test_an_error_contains_the_response_of_zim(zim: SimulatorClient, function: Function) -> None:
    zim.fault("code", code=660900004)
    problem = assert_is_error(function.invoke(REQUEST), "CallNotFound", 404)
    assert problem["Code"] == 660900004


def test_without_a_response_of_zim_the_error_contains_a_problem(zim: SimulatorClient, function: Function) -> None:
    zim.fault("html")
    problem = assert_is_error(function.invoke(REQUEST), "UnexpectedZimResponse", 502)
    assert problem.keys() == {"type", "title", "status", "detail", "retryable"}


@pytest.mark.parametrize(
    ("event", "member", "rule"),
    [
        (None, "body", "type"),
        (json.dumps(REQUEST), "body", "type"),
        ({"body": json.dumps(REQUEST)}, "FromUserId", "required"),
        ({**REQUEST, "CallId": "\ud800"}, "CallId", "pattern"),
    ],
)
def test_an_invalid_event_is_an_error_and_zim_is_not_called(
    event: object, member: str, rule: str, zim: SimulatorClient, function: Function
) -> None:
    problem = assert_is_error(function.invoke(event), "InvalidRequest", 400)
    assert (problem["member"], problem["rule"]) == (member, rule)
    assert REQUEST["ExtendedData"] not in json.dumps(problem)
    assert zim.requests() == []
