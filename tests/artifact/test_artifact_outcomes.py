"""Responses over HTTPS, one of each kind. tests/unit tests all return codes, rules and limits."""

import json
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.conftest import StartFunction
from tests.artifact.runtime import REQUEST, Function
from tests.support.http_server import Response, serve


def test_a_rejected_call_returns_the_response_of_zim(ringing: SimulatorClient, function: Function) -> None:
    response = function.reject()
    assert response.status == 200
    assert response.headers == {"Content-Type": "application/json"}
    assert response.members.keys() == {"Code", "Message", "RequestId"}
    assert (response.members["Code"], response.members["Message"]) == (0, "success")
    assert ringing.call(REQUEST["CallId"]).invitees == {REQUEST["FromUserId"]: "rejected"}


@pytest.mark.parametrize(
    ("code", "name", "status", "retryable"),
    [
        (660900006, "InvitationClosed", 409, False),
        (660300005, "RateLimited", 429, True),
        (1, "ZimUnavailable", 503, True),
    ],
)
def test_a_return_code_is_a_problem_with_the_response_of_zim(
    code: int, name: str, status: int, *, retryable: bool, zim: SimulatorClient, function: Function
) -> None:
    zim.fault("code", code=code)
    response = function.reject()
    assert response.status == response.members["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers.get("Retry-After") == {429: "1", 503: "5"}.get(status)
    members = {"type", "title", "status", "detail", "retryable", "Code", "Message", "RequestId"}
    assert response.members.keys() == members
    assert response.members["type"] == f"urn:problem-type:call-reject:{name}"
    assert response.members["retryable"] is retryable
    assert response.members["Code"] == code
    assert function.line()["outcome"] == name
    assert len(zim.requests()) == 1


@pytest.mark.parametrize(
    ("body", "member", "rule"),
    [
        (b'"\xff"', "body", "json"),
        ("[" * 16_000, "body", "json"),
        (json.dumps({**REQUEST, "ExtendedData": "€" * 700}), "ExtendedData", "maxBytes"),
    ],
    ids=["not UTF-8", "nested too deep", "too many bytes"],
)
def test_an_invalid_request_is_rejected_with_its_member_and_rule_and_zim_is_not_called(
    body: str | bytes, member: str, rule: str, zim: SimulatorClient, function: Function
) -> None:
    response = function.post(body)
    assert response.status == 400
    assert response.members["type"] == "urn:problem-type:call-reject:InvalidRequest"
    assert (response.members["member"], response.members["rule"]) == (member, rule)
    assert zim.requests() == []


@pytest.mark.parametrize("member", REQUEST)
def test_a_problem_does_not_contain_the_rejected_value(
    member: str, function: Function, forbidden_texts: list[str]
) -> None:
    forbidden_texts.append("rejected-value")
    response = function.reject(**{member: "rejected-value\0" * 200})
    assert response.status == 400
    assert "rejected-value" not in json.dumps(response.members)


@pytest.mark.parametrize("body", ["[" * 1_000_000, b"x" * 3_000_000], ids=["deep", "3 MB in base64"])
def test_a_body_that_is_too_long_is_rejected_before_it_is_parsed(
    zim: SimulatorClient, function: Function, body: str | bytes
) -> None:
    response = function.post(body)
    assert response.status == 413
    assert response.members["type"] == "urn:problem-type:call-reject:RequestTooLarge"
    assert zim.requests() == []


CLEANED = {"Message": "a?" + "b" * 254, "RequestId": "?"}


@pytest.mark.parametrize(
    ("code", "error", "status", "members"),
    [
        (0, None, 200, {"Code": 0, **CLEANED}),
        (2, "InvalidRequest", 400, {"Code": 2, **CLEANED}),
        (2**63, "UnexpectedZimResponse", 502, {}),
    ],
)
def test_a_hostile_response_of_zim_is_cleaned_and_does_not_end_the_function(
    start: StartFunction, code: int, error: str | None, status: int, members: dict[str, Any]
) -> None:
    response = Response.json({"Code": code, "Message": "a\ud800" + "b" * 1000, "RequestId": "\ud800"})
    with serve(lambda _: response) as zim, start(ZIM_API_BASE_URL=zim.url) as function:
        for _ in range(2):
            result = function.invoke(REQUEST)
            assert result.get("errorType") == error
            direct, posted = json.loads(result["errorMessage"]) if error else result, function.reject()
            assert posted.status == status
            for found in (direct, posted.members):
                assert {name: found[name] for name in ("Code", *CLEANED) if name in found} == members
