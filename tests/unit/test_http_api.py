"""Events of API Gateway and their responses: `zim.http_api`, with and without tokens."""

import base64
import json
from typing import Any

import pytest

from tests.support.paths import EVENTS
from zim import http_api
from zim.errors import CallRejectError, Forbidden, InvalidRequest, RateLimited
from zim.request import CallRejectRequest
from zim.response import ZimResponse

EVENT: dict[str, Any] = json.loads((EVENTS / "CallRejectFunction" / "http_api.json").read_text())
CALL = {"CallId": "call-1"}


def event(body: Any, claims: dict[str, Any] | None) -> dict[str, Any]:
    authorizer = None if claims is None else {"jwt": {"claims": claims, "scopes": []}}
    context = {**EVENT["requestContext"], "authorizer": authorizer}
    return {**EVENT, "requestContext": context, "body": body if isinstance(body, str) else json.dumps(body)}


def rejection(event: dict[str, Any], user_claim: str | None = "sub") -> CallRejectError:
    with pytest.raises(CallRejectError) as raised:
        http_api.parse_request(event, user_claim)
    return raised.value


@pytest.mark.parametrize("body", [CALL, {**CALL, "FromUserId": "user0"}])
def test_a_user_can_reject_their_own_call_and_omit_their_name(body: dict[str, str]) -> None:
    request = http_api.parse_request(event(body, {"sub": "user0", "name": "user1"}), "sub")
    assert request == CallRejectRequest("user0", "call-1")


def test_another_claim_can_identify_the_user() -> None:
    assert http_api.parse_request(event(CALL, {"sub": "x", "name": "user1"}), "name").from_user_id == "user1"


@pytest.mark.parametrize("other", ["user1", "", "USER0", "user0 ", None, 7, ["user0"]])
def test_a_user_cannot_reject_the_call_of_another_user(other: Any) -> None:
    error = rejection(event({**CALL, "FromUserId": other}, {"sub": "user0"}))
    assert isinstance(error, Forbidden)
    assert "FromUserId" in error.detail


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (None, "no claim sub"),
        ({}, "no claim sub"),
        ({"name": "user0"}, "no claim sub"),
        ({"sub": 7}, "type"),
        ({"sub": ["user0"]}, "type"),
        ({"sub": ""}, "minLength"),
        ({"sub": "u" * 33}, "maxLength"),
        ({"sub": "auth0|üser"}, "pattern"),
    ],
)
def test_a_token_that_does_not_identify_a_user_is_rejected_with_the_reason(
    claims: dict[str, Any] | None, reason: str
) -> None:
    error = rejection(event(CALL, claims))
    assert isinstance(error, Forbidden)
    assert "sub" in error.detail
    assert reason in error.detail
    assert error.__cause__ is None
    if claims and claims.get("sub"):
        assert str(claims["sub"]) not in f"{error.detail}{error.cause}"
        assert error.__suppress_context__


def test_an_authorizer_without_a_jwt_does_not_identify_a_user() -> None:
    for authorizer in ({"iam": {"accountId": "123456789012"}}, {"jwt": {"scopes": None}}):
        context = {**EVENT["requestContext"], "authorizer": authorizer}
        assert isinstance(rejection({**EVENT, "requestContext": context}), Forbidden)
    context = {name: value for name, value in EVENT["requestContext"].items() if name != "authorizer"}
    assert isinstance(rejection({**EVENT, "requestContext": context}), Forbidden)


def test_the_token_is_checked_before_the_body() -> None:
    assert isinstance(rejection(event("not JSON", {})), Forbidden)


@pytest.mark.parametrize("body", [{}, {"CallId": ""}, [], "text", "not JSON", ""])
def test_an_invalid_request_is_invalid_with_any_token(body: Any) -> None:
    assert isinstance(rejection(event(body, {"sub": "user0"})), InvalidRequest)


@pytest.mark.parametrize("user_claim", [None, ""])
def test_without_tokens_the_body_names_the_user(user_claim: str | None) -> None:
    body = {**CALL, "FromUserId": "user1"}
    assert http_api.parse_request(event(body, {"sub": "user0"}), user_claim).from_user_id == "user1"
    error = rejection(event(CALL, {"sub": "user0"}), user_claim)
    assert isinstance(error, InvalidRequest)
    assert error.member == "FromUserId"


def test_a_body_in_base64_is_decoded() -> None:
    body = base64.b64encode(json.dumps({**CALL, "FromUserId": "üser"}, ensure_ascii=False).encode()).decode()
    error = rejection({**EVENT, "body": body, "isBase64Encoded": True}, None)
    assert isinstance(error, InvalidRequest)
    assert (error.member, error.rule) == ("FromUserId", "pattern")


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("body", [None, ""])
def test_a_body_is_required(body: str | None, *, encoded: bool) -> None:
    error = rejection({**EVENT, "body": body, "isBase64Encoded": encoded}, None)
    assert isinstance(error, InvalidRequest)
    assert (error.member, error.rule) == ("body", "required")


def test_an_event_without_a_body_member_has_no_body() -> None:
    with pytest.raises(InvalidRequest):
        http_api.parse_request({"requestContext": {}}, None)


def test_a_success_is_json() -> None:
    assert http_api.response(200, {"Code": 0, "Message": "é"}) == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": '{"Code": 0, "Message": "\\u00e9"}',
    }


def test_an_error_is_a_problem_with_the_response_of_zim_and_the_time_to_wait() -> None:
    error = RateLimited("detail", cause="not for callers", retry_after=30, response=ZimResponse(7, "message", "1"))
    response = http_api.problem_response(error)
    assert response["statusCode"] == 429
    assert response["headers"] == {"Content-Type": "application/problem+json", "Retry-After": "30"}
    assert json.loads(response["body"]) == {
        "type": "urn:problem-type:call-reject:RateLimited",
        "title": "Rate limit exceeded",
        "status": 429,
        "detail": "detail",
        "retryable": True,
        "Code": 7,
        "Message": "message",
        "RequestId": "1",
    }


def test_a_problem_names_the_member_and_the_rule_that_the_request_violates() -> None:
    response = http_api.problem_response(InvalidRequest("detail", member="CallId", rule="minLength"))
    assert response["headers"] == {"Content-Type": "application/problem+json"}
    assert json.loads(response["body"]) == {
        "type": "urn:problem-type:call-reject:InvalidRequest",
        "title": "Invalid request",
        "status": 400,
        "detail": "detail",
        "retryable": False,
        "member": "CallId",
        "rule": "minLength",
    }


def test_a_problem_names_no_member_if_zim_rejects_a_parameter() -> None:
    problem = http_api.problem(InvalidRequest("detail", response=ZimResponse(2, "message", "1")))
    assert not {"member", "rule"} & problem.keys()
    assert problem["Code"] == 2
