"""Events of API Gateway and their responses: `zim.http_api`, with and without tokens."""

import base64
import json
from typing import Any

import pytest

from tests.support.paths import EVENTS
from zim import http_api
from zim.errors import CallRejectError, Forbidden, InvalidRequest, RateLimited, RequestTooLarge
from zim.request import LATEST_EXPIRY, CallRejectRequest
from zim.response import ZimResponse

EVENT: dict[str, Any] = json.loads((EVENTS / "CallRejectFunction" / "http_api.json").read_text())
CALL = {"CallId": "call-1"}


def event(body: Any = CALL, **authorizer: Any) -> dict[str, Any]:
    context = {**EVENT["requestContext"], "authorizer": authorizer or None}
    return {**EVENT, "requestContext": context, "body": body if isinstance(body, str) else json.dumps(body)}


def jwt(**claims: Any) -> dict[str, Any]:
    return event(jwt={"claims": claims, "scopes": []})


def rejection(event: dict[str, Any], user: str | None = "user0") -> CallRejectError:
    with pytest.raises(CallRejectError) as raised:
        http_api.parse_request(event, user)
    return raised.value


def forbidden(event: dict[str, Any], claim: str | None = "sub") -> Forbidden:
    with pytest.raises(Forbidden) as raised:
        http_api.authorized_user(event, claim)
    return raised.value


def test_the_claim_identifies_the_user() -> None:
    assert http_api.authorized_user(jwt(sub="user0", name="user1"), "sub") == "user0"
    assert http_api.authorized_user(jwt(sub="user0", name="user1"), "name") == "user1"


@pytest.mark.parametrize("claim", [None, ""])
def test_a_caller_that_iam_authorizes_is_no_user(claim: str | None) -> None:
    assert http_api.authorized_user(event(iam={"accountId": "123456789012"}), claim) is None
    assert http_api.authorized_user(event(), claim) is None
    assert http_api.authorized_user({"requestContext": {}}, claim) is None


@pytest.mark.parametrize(
    ("authorizer", "claim", "expected"),
    [
        ({"iam": {"accountId": "123456789012"}}, "sub", "expected a JWT, the authorizer is iam"),
        ({}, "sub", "expected a JWT, the authorizer is missing"),
        ({"lambda": {}}, "sub", "expected a JWT, the authorizer is lambda"),
        ({"jwt": {"claims": {"sub": "user0"}}}, None, "expected IAM, the authorizer is jwt"),
        # Events of a Lambda authorizer, and of a REST API with an authorizer of Cognito.
        ({"lambda": {}}, None, "expected IAM, the authorizer is lambda"),
        ({"claims": {"sub": "user0"}}, None, "expected IAM, the authorizer is claims"),
        ({"iam": {}, "jwt": {}}, None, "expected IAM, the authorizer is iam, jwt"),
    ],
)
def test_a_route_with_another_authorization_is_forbidden(
    authorizer: dict[str, Any], claim: str | None, expected: str
) -> None:
    assert forbidden(event(**authorizer), claim).cause == expected


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, "no claim sub"),
        ({"name": "user0"}, "no claim sub"),
        ({"sub": 7}, "type"),
        ({"sub": ["user0"]}, "type"),
        ({"sub": ""}, "minLength"),
        ({"sub": "u" * 33}, "maxLength"),
        ({"sub": "auth0|üser"}, "pattern"),
    ],
)
def test_a_token_that_does_not_identify_a_user_is_rejected_with_the_reason(claims: dict[str, Any], reason: str) -> None:
    error = forbidden(jwt(**claims))
    assert "sub" in error.detail
    assert reason in error.detail
    assert error.__cause__ is None
    if claims.get("sub"):
        assert str(claims["sub"]) not in f"{error.detail}{error.cause}"
        assert error.__suppress_context__


def test_a_token_without_claims_does_not_identify_a_user() -> None:
    assert "no claim sub" in forbidden(event(jwt={"scopes": None})).detail


@pytest.mark.parametrize("body", [CALL, {**CALL, "FromUserId": "user0"}])
def test_a_user_can_reject_their_own_call_and_omit_their_name(body: dict[str, str]) -> None:
    assert http_api.parse_request(event(body), "user0") == CallRejectRequest("user0", "call-1")


@pytest.mark.parametrize("other", ["user1", "", "USER0", "user0 ", None, 7, ["user0"]])
def test_a_user_cannot_reject_the_call_of_another_user(other: Any) -> None:
    error = rejection(event({**CALL, "FromUserId": other}))
    assert isinstance(error, Forbidden)
    assert "FromUserId" in error.detail
    assert error.cause == "FromUserId is another user"


@pytest.mark.parametrize("body", [{}, {"CallId": ""}, [], "text", "not JSON", ""])
def test_an_invalid_request_of_a_user_is_invalid(body: Any) -> None:
    assert isinstance(rejection(event(body)), InvalidRequest)


def test_without_a_token_the_body_names_the_user() -> None:
    assert http_api.parse_request(event({**CALL, "FromUserId": "user1"}), None).from_user_id == "user1"
    error = rejection(event(), None)
    assert isinstance(error, InvalidRequest)
    assert error.member == "FromUserId"


@pytest.mark.parametrize("encoded", [True, False])
def test_a_body_is_not_decoded_if_it_is_longer_than_any_valid_request(*, encoded: bool) -> None:
    longest = json.dumps({**CALL, "FromUserId": "user0"}).ljust(16_384)
    body = base64.b64encode(longest.encode()).decode() if encoded else longest
    event = {**EVENT, "body": body, "isBase64Encoded": encoded}
    assert http_api.parse_request(event, None) == CallRejectRequest("user0", "call-1")
    error = rejection({**event, "body": f"{body} "}, None)
    assert isinstance(error, RequestTooLarge)
    assert "16384" in error.detail


def test_the_longest_valid_request_is_not_too_large() -> None:
    members = {
        "FromUserId": "u" * 32,
        "CallId": "\U0001f4de" * 32,
        "ExtendedData": "\x01" * 2048,
        "ExpiresAt": LATEST_EXPIRY,
    }
    assert http_api.parse_request(event(members), None) == CallRejectRequest.from_dict(members)


def test_a_body_in_base64_is_decoded() -> None:
    body = base64.b64encode(json.dumps({**CALL, "FromUserId": "üser"}, ensure_ascii=False).encode()).decode()
    error = rejection({**EVENT, "body": body, "isBase64Encoded": True}, None)
    assert isinstance(error, InvalidRequest)
    assert (error.member, error.rule) == ("FromUserId", "pattern")


@pytest.mark.parametrize("body", ["e30", "e30=!", "{}", "é"])
def test_a_body_that_is_not_base64_is_rejected(body: str) -> None:
    error = rejection({**EVENT, "body": body, "isBase64Encoded": True}, None)
    assert isinstance(error, InvalidRequest)
    assert (error.member, error.rule) == ("body", "base64")
    assert body not in error.detail
    assert error.cause == "body violates base64"
    assert error.__suppress_context__


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("body", [None, ""])
def test_a_body_is_required(body: str | None, *, encoded: bool) -> None:
    error = rejection({**EVENT, "body": body, "isBase64Encoded": encoded}, None)
    assert isinstance(error, InvalidRequest)
    assert (error.member, error.rule) == ("body", "required")


def test_an_event_without_a_body_member_has_no_body() -> None:
    with pytest.raises(InvalidRequest):
        http_api.parse_request({"requestContext": {}}, None)


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


@pytest.mark.parametrize("member", ["CallId", ""])
def test_a_problem_names_the_member_and_the_rule_that_the_request_violates(member: str) -> None:
    response = http_api.problem_response(InvalidRequest("detail", member=member, rule="minLength"))
    assert response["headers"] == {"Content-Type": "application/problem+json"}
    assert json.loads(response["body"]) == {
        "type": "urn:problem-type:call-reject:InvalidRequest",
        "title": "Invalid request",
        "status": 400,
        "detail": "detail",
        "retryable": False,
        "member": member,
        "rule": "minLength",
    }


def test_a_problem_names_no_member_if_zim_rejects_a_parameter() -> None:
    problem = http_api.problem(InvalidRequest("detail", response=ZimResponse(2, "message", "1")))
    assert not {"member", "rule"} & problem.keys()
    assert problem["Code"] == 2


def test_the_time_of_arrival_is_in_the_event() -> None:
    assert http_api.received_at(EVENT) == 1795248000.0
    assert http_api.received_at({"requestContext": {}}) is None
