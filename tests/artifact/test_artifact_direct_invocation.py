"""Direct invocation, as from Step Functions and `aws lambda invoke`: a result, or an error with the outcome's name."""

import json
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import REQUEST, Function
from tests.support.paths import EVENTS


def problem(result: dict[str, Any], name: str) -> dict[str, Any]:
    """Check that a result is an error with this name, and return the problem in its message."""
    assert result["errorType"] == name
    members: dict[str, Any] = json.loads(result["errorMessage"])
    assert members["type"] == f"urn:problem-type:call-reject:{name}"
    return members


def test_the_sample_event_returns_the_response_of_zim(zim: SimulatorClient, function: Function) -> None:
    event = json.loads((EVENTS / "CallRejectFunction" / "direct.json").read_text())
    zim.ring(event["FromUserId"], call_id=event["CallId"])
    result = function.invoke(event)
    assert result.keys() == {"Code", "Message", "RequestId"}
    assert (result["Code"], result["Message"]) == (0, "success")
    assert function.line()["trigger"] == "direct"


def test_an_error_contains_the_response_of_zim(zim: SimulatorClient, function: Function) -> None:
    zim.fault("code", code=660900004)
    assert problem(function.invoke(REQUEST), "CallNotFound").items() >= {"status": 404, "Code": 660900004}.items()


@pytest.mark.parametrize(
    ("event", "member", "rule"), [(None, "body", "type"), ({**REQUEST, "CallId": "\ud800"}, "CallId", "pattern")]
)
def test_an_invalid_event_is_an_error_and_zim_is_not_called(
    event: object, member: str, rule: str, zim: SimulatorClient, function: Function
) -> None:
    members = problem(function.invoke(event), "InvalidRequest")
    assert (members["status"], members["member"], members["rule"]) == (400, member, rule)
    assert zim.requests() == []
