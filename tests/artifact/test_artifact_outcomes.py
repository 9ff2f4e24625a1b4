"""One return code for each outcome, over HTTPS. tests/unit/test_return_codes.py tests all return codes."""

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import REQUEST, Function


def test_a_rejected_call_returns_the_response_of_zim(ringing: SimulatorClient, function: Function) -> None:
    response = function.reject()
    assert response.status == 200
    assert response.headers == {"Content-Type": "application/json"}
    assert response.members.keys() == {"Code", "Message", "RequestId"}
    assert (response.members["Code"], response.members["Message"]) == (0, "success")
    assert ringing.call(REQUEST["CallId"]).invitees == {REQUEST["FromUserId"]: "rejected"}


def test_a_second_rejection_finds_the_invitation_closed(ringing: SimulatorClient, function: Function) -> None:
    assert function.reject().status == 200
    assert function.reject().status == 409
    assert ringing.call(REQUEST["CallId"]).invitees == {REQUEST["FromUserId"]: "rejected"}


@pytest.mark.parametrize(
    ("code", "name", "status", "retryable"),
    [
        (660000002, "InvalidRequest", 400, False),
        (660900004, "CallNotFound", 404, True),
        (660900006, "InvitationClosed", 409, False),
        (660200001, "UserNotRegistered", 422, False),
        (660300005, "RateLimited", 429, True),
        (3, "ZimConfigurationError", 502, False),
        (660600001, "ZimRejectedRequest", 502, False),
        (42, "UnexpectedZimResponse", 502, True),
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
