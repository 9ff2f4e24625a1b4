"""Who may ask for whom over HTTPS: `functions/http_api.py`, with and without tokens."""

import json
from pathlib import Path
from typing import Any

import pytest

import http_api
from zim.outcome import INVALID_REQUEST, NOT_ALLOWED, Failed
from zim.request import CallRejectRequest

EVENT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "events" / "CallRejectFunction" / "http_api.json").read_text()
)
OWN = {"CallId": "call-1"}


def event(members: Any, claims: dict[str, Any] | None) -> dict[str, Any]:
    authorizer = None if claims is None else {"jwt": {"claims": claims, "scopes": []}}
    context = {**EVENT["requestContext"], "authorizer": authorizer}
    return {**EVENT, "requestContext": context, "body": json.dumps(members)}


def refused(members: Any, claims: dict[str, Any] | None) -> Failed:
    with pytest.raises(Failed) as caught:
        http_api.request(event(members, claims))
    return caught.value


@pytest.fixture
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "JWT_USER_CLAIM", "sub")


@pytest.mark.usefixtures("_tokens")
@pytest.mark.parametrize("members", [OWN, {**OWN, "FromUserId": "user0"}])
def test_a_user_may_act_for_themselves_named_or_not(members: dict[str, str]) -> None:
    assert http_api.request(event(members, {"sub": "user0"})) == CallRejectRequest("user0", "call-1")


@pytest.mark.usefixtures("_tokens")
@pytest.mark.parametrize("other", ["user1", "", "USER0", "user0 ", None, 7, ["user0"]])
def test_a_user_may_not_act_for_anybody_else(other: Any) -> None:
    failed = refused({**OWN, "FromUserId": other}, {"sub": "user0"})
    assert failed.kind is NOT_ALLOWED
    assert failed.detail == "FromUserId is not the user of the token; leave it out."


@pytest.mark.usefixtures("_tokens")
@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        (None, "The claim sub is missing from the token."),
        ({}, "The claim sub is missing from the token."),
        ({"name": "user0"}, "The claim sub is missing from the token."),
        ({"sub": 7}, "The claim sub in the token is no string."),
        ({"sub": ["user0"]}, "The claim sub in the token is no string."),
        ({"sub": ""}, "The token's claim sub is no FromUserId: it breaks the rule minLength."),
        ({"sub": "u" * 33}, "The token's claim sub is no FromUserId: it breaks the rule maxLength."),
        ({"sub": "auth0|üser"}, "The token's claim sub is no FromUserId: it breaks the rule pattern."),
    ],
)
def test_a_token_that_does_not_name_a_user_is_refused_with_the_reason(
    claims: dict[str, Any] | None, detail: str
) -> None:
    failed = refused(OWN, claims)
    assert (failed.kind, failed.detail) == (NOT_ALLOWED, detail)


@pytest.mark.usefixtures("_tokens")
@pytest.mark.parametrize("members", [{}, {"CallId": ""}, [], "text"])
def test_with_a_good_token_a_bad_request_is_still_a_bad_request(members: Any) -> None:
    assert refused(members, {"sub": "user0"}).kind is INVALID_REQUEST


def test_without_tokens_a_server_names_the_user() -> None:
    request = http_api.request(event({**OWN, "FromUserId": "user1"}, None))
    assert request.from_user_id == "user1"
    failed = refused(OWN, None)
    assert (failed.kind, failed.named["member"]) == (INVALID_REQUEST, "FromUserId")
