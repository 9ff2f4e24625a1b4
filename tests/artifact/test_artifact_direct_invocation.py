"""Invoked with a bare request, as Step Functions and `aws lambda invoke` do: a value, or an error that has a name."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.artifact.runtime import EVENTS, REQUEST, SHORT_SECONDS, Function, Start

DIRECT_EVENT: dict[str, str] = json.loads((EVENTS / "direct.json").read_text())


def problem(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the problem in an error, as Step Functions hands it on."""
    assert {"errorType", "errorMessage"} <= answer.keys()
    members: dict[str, Any] = json.loads(answer["errorMessage"])
    assert members["type"] == f"urn:problem-type:call-reject:{answer['errorType']}"
    return members


def test_a_rejected_call_is_zims_own_three_members(zim: SimulatorClient, function: Function) -> None:
    zim.ring(DIRECT_EVENT["FromUserId"], call_id=DIRECT_EVENT["CallId"])
    answer = function.invoke(DIRECT_EVENT)
    assert answer.keys() == {"Code", "Message", "RequestId"}
    assert (answer["Code"], answer["Message"]) == (0, "success")
    seen = zim.call(DIRECT_EVENT["CallId"])
    assert seen.extended_data == {DIRECT_EVENT["FromUserId"]: DIRECT_EVENT["ExtendedData"]}
    assert function.line()["trigger"] == "direct"


@pytest.mark.parametrize(
    ("code", "name", "status"),
    [
        (2, "InvalidRequest", 400),
        (51102, "UserNotRegistered", 422),
        (660900004, "CallNotFound", 404),
        (660900005, "NothingToReject", 409),
        (660300005, "RateLimited", 429),
        (1, "ZimInTrouble", 503),
        (3, "ZimRefusesUs", 502),
        (42, "UnexpectedAnswer", 502),
    ],
)
def test_an_error_has_the_outcomes_name_and_the_problem_with_zims_answer(
    code: int, name: str, status: int, zim: SimulatorClient, function: Function
) -> None:
    zim.fault("code", code=code)
    answer = function.invoke(REQUEST)
    assert answer["errorType"] == name
    members = problem(answer)
    assert (members["status"], members["Code"]) == (status, code)
    assert members.keys() >= {"title", "detail", "retryable", "Message", "RequestId"}
    assert function.line()["outcome"] == name


def cut_twice(zim: SimulatorClient) -> None:
    zim.fault("cut_before", times=2)


def page(zim: SimulatorClient) -> None:
    zim.fault("html")


@pytest.mark.parametrize(
    ("happens", "name", "status"), [(cut_twice, "ZimUnreachable", 502), (page, "UnexpectedAnswer", 502)]
)
def test_an_error_without_an_answer_of_zims_has_a_name_and_a_problem_too(
    happens: Callable[[SimulatorClient], None], name: str, status: int, zim: SimulatorClient, function: Function
) -> None:
    happens(zim)
    answer = function.invoke(REQUEST)
    assert answer["errorType"] == name
    assert problem(answer)["status"] == status


def test_an_answer_that_does_not_come_within_the_invocation_is_an_error_too(
    zim: SimulatorClient, short_lived: Function
) -> None:
    zim.fault("hang")
    answer = short_lived.invoke(REQUEST)
    assert (answer["errorType"], problem(answer)["status"]) == ("ZimTimeout", 504)
    assert short_lived.line()["zim_ms"] < SHORT_SECONDS * 1000


def test_a_secret_that_cannot_be_read_is_an_error_too(zim: SimulatorClient, start: Start) -> None:
    with start(ZIM_SECRET_ID="no-such-secret") as function:
        answer = function.invoke(REQUEST)
        assert (answer["errorType"], problem(answer)["status"]) == ("SecretUnreadable", 500)
    assert zim.requests() == []


@pytest.mark.parametrize(
    ("event", "member", "rule"),
    [
        (None, "body", "type"),
        ([], "body", "type"),
        ([REQUEST], "body", "type"),
        (json.dumps(REQUEST), "body", "type"),
        ("", "body", "type"),
        (1, "body", "type"),
        (1.5, "body", "type"),
        (False, "body", "type"),
        ({}, "FromUserId", "required"),
        ({"body": json.dumps(REQUEST)}, "FromUserId", "required"),
        ({**REQUEST, "CallId": None}, "CallId", "type"),
        ({**REQUEST, "CallId": "\ud800"}, "CallId", "pattern"),
        ({**REQUEST, "headers": {}}, "headers", "additionalProperties"),
    ],
    ids=lambda given: repr(given)[:40],
)
def test_an_event_that_is_no_request_is_an_error_without_asking_zim(
    event: object, member: str, rule: str, zim: SimulatorClient, function: Function
) -> None:
    answer = function.invoke(event)
    assert answer["errorType"] == "InvalidRequest"
    members = problem(answer)
    assert (members["status"], members["member"], members["rule"]) == (400, member, rule)
    assert zim.requests() == []


def test_an_error_names_no_value_that_was_sent(zim: SimulatorClient, function: Function) -> None:
    zim.fault("html")
    for event in (REQUEST, {**REQUEST, "CallId": ""}):
        assert REQUEST["ExtendedData"] not in json.dumps(function.invoke(event))
