"""The deployed route: a real request to API Gateway, the deployed function, the simulator in ZIM's place."""

import json
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from local.stack import Stack


def body(call_id: str, **members: Any) -> str:
    return json.dumps({"FromUserId": "user0", "CallId": call_id, **members})


def elsewhere(stack: Stack, path: str) -> str:
    return urlunsplit(urlsplit(stack.call_reject_url)._replace(path=path))


def test_a_ringing_call_is_rejected(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    response = stack.post(body(call_id, ExtendedData='{"reason":"décline"}'))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json().items() >= {"Code": 0, "Message": "success"}.items()
    call = stack.simulator.call(call_id)
    assert call.state == "rejected"
    assert call.extended_data == {"user0": '{"reason":"décline"}'}


def test_rejecting_again_says_that_nothing_is_left_to_reject(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    stack.post(body(call_id))
    response = stack.post(body(call_id))
    assert response.status_code == 409
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["Code"] == 660900005
    assert response.json()["retryable"] is False


@pytest.mark.parametrize(
    ("code", "status", "retry_after"),
    [
        (660000002, 400, None),
        (660500002, 422, None),
        (660900004, 404, None),
        (660900008, 409, None),
        (660300005, 429, "1"),
        (1, 503, "5"),
        (3, 502, None),
        (-1, 502, None),
    ],
)
def test_the_status_and_the_headers_of_an_outcome_pass_through_the_gateway(
    stack: Stack, code: int, status: int, retry_after: str | None
) -> None:
    stack.simulator.fault("code", code=code)
    response = stack.post(body("call-1"))
    assert response.status_code == status
    assert response.headers.get("Retry-After") == retry_after
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["Code"] == code


def test_a_zim_that_does_not_answer_is_a_504_after_five_seconds(stack: Stack) -> None:
    stack.simulator.fault("hang")
    response = stack.post(body("call-1"))
    stack.simulator.clear_faults()
    assert response.status_code == 504
    assert 5 <= response.elapsed.total_seconds() < 10
    assert len(stack.simulator.requests()) == 1


@pytest.mark.parametrize("content_type", ["application/json", "application/octet-stream", "text/plain"])
def test_a_body_arrives_whether_or_not_the_gateway_encodes_it(stack: Stack, content_type: str) -> None:
    call_id = stack.simulator.ring("user0")
    assert stack.post(body(call_id).encode(), {"Content-Type": content_type}).status_code == 200


@pytest.mark.parametrize(
    ("sent", "member", "rule"),
    [
        ("", "body", "required"),
        ("{", "body", "json"),
        (b"\xff\xfe", "body", "json"),
        ("[]", "body", "type"),
        ('{"FromUserId":"user0"}', "CallId", "required"),
        (body("c" * 33), "CallId", "maxLength"),
        (body("call-1", ExtendedData="€" * 700), "ExtendedData", "maxBytes"),
        (body("call-1", callId="call-1"), "callId", "additionalProperties"),
    ],
)
def test_a_bad_request_is_refused_with_member_and_rule_and_zim_is_not_called(
    stack: Stack, sent: str | bytes, member: str, rule: str
) -> None:
    response = stack.post(sent)
    assert response.status_code == 400
    assert (response.json()["member"], response.json()["rule"]) == (member, rule)
    assert stack.simulator.requests() == []


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("GET", "/call-reject", {404, 405}),
        ("PUT", "/call-reject", {404, 405}),
        ("DELETE", "/call-reject", {404, 405}),
        ("POST", "/", {404}),
        ("POST", "/call-rejects", {404}),
    ],
)
def test_there_is_no_other_path_and_no_other_method(stack: Stack, method: str, path: str, statuses: set[int]) -> None:
    assert stack.request(method, elsewhere(stack, path), body("call-1")).status_code in statuses
    assert stack.simulator.requests() == []


def test_who_does_not_sign_is_turned_away_before_the_function(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    assert stack.post(body(call_id), signed=False).status_code == 403
    assert stack.simulator.call(call_id).state == "ringing"
