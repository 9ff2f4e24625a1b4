"""The validation of requests: one request for each rule. All limits are tested in tests/unit/test_request.py."""

import json
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import REQUEST, Function, Response


def assert_is_rejected(response: Response, member: str, rule: str) -> None:
    assert response.status == response.members["status"] == 400
    assert response.headers == {"Content-Type": "application/problem+json"}
    assert response.members.keys() == {"type", "title", "status", "detail", "retryable", "member", "rule"}
    assert response.members["type"] == "urn:problem-type:call-reject:InvalidRequest"
    assert response.members["retryable"] is False
    assert (response.members["member"], response.members["rule"]) == (member, rule)


@pytest.mark.parametrize(
    ("body", "rule"),
    [(None, "required"), ("{", "json"), (b'"\xff"', "json"), ("[" * 16_000, "json"), ("[]", "type")],
    ids=["no body", "not JSON", "not UTF-8", "nested too deep", "an array"],
)
def test_a_body_that_is_not_a_json_object_is_rejected_and_zim_is_not_called(
    body: str | bytes | None, rule: str, zim: SimulatorClient, function: Function
) -> None:
    assert_is_rejected(function.post(body), "body", rule)
    assert zim.requests() == []


@pytest.mark.parametrize(
    ("changes", "member", "rule"),
    [
        ({"CallId": None}, "CallId", "required"),
        ({"Action": "CallReject"}, "Action", "additionalProperties"),
        ({"CallId": 1}, "CallId", "type"),
        ({"FromUserId": ""}, "FromUserId", "minLength"),
        ({"FromUserId": "u" * 33}, "FromUserId", "maxLength"),
        ({"FromUserId": "user`0"}, "FromUserId", "pattern"),
        ({"ExtendedData": "€" * 700}, "ExtendedData", "maxBytes"),
    ],
)
def test_a_member_that_violates_a_rule_is_rejected_and_zim_is_not_called(
    changes: dict[str, Any], member: str, rule: str, zim: SimulatorClient, function: Function
) -> None:
    assert_is_rejected(function.reject(**changes), member, rule)
    assert zim.requests() == []


@pytest.mark.parametrize("member", REQUEST)
def test_a_problem_does_not_contain_the_rejected_value(
    member: str, function: Function, forbidden_texts: list[str]
) -> None:
    forbidden_texts.append("rejected-value")
    response = function.reject(**{member: "rejected-value\0" * 200})
    assert response.status == 400
    assert "rejected-value" not in json.dumps(response.members)
