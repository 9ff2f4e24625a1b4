"""The handler of CallRejectAsyncFunction: the message on the queue, and the response."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from local.zim_simulator.running import SimulatorClient
from tests.support.paths import EVENTS
from tests.unit.doubles import UNIX_TIME, Clock, Function, Log

EVENT: dict[str, Any] = json.loads((EVENTS / "CallRejectAsyncFunction" / "http_api.json").read_text())


@pytest.fixture
def function(load: Callable[..., Function], queue: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Function:
    function = load(
        "call_reject_async",
        QUEUE_URL=queue.url,
        JWT_USER_CLAIM="sub",
        EXPIRES_AFTER_SECONDS="30",
        POWERTOOLS_LOGGER_LOG_EVENT="true",
    )
    monkeypatch.setattr(function.app, "time", clock)
    return function


def http_event(body: dict[str, Any]) -> dict[str, Any]:
    return {**EVENT, "body": json.dumps(body)}


def test_a_valid_request_is_queued_with_its_expiry_and_without_a_call_to_zim(
    zim: SimulatorClient, function: Function, queue: Any, clock: Clock, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.now += 0.9
    response = function(EVENT)
    (message,) = queue.receive_messages()
    assert response["statusCode"] == 202
    assert response["headers"] == {"Content-Type": "application/json"}
    assert json.loads(response["body"]) == {"MessageId": message.message_id}
    assert json.loads(message.body) == {**json.loads(EVENT["body"]), "ExpiresAt": UNIX_TIME + 30}
    assert zim.requests() == []
    (line,) = log.lines
    assert (line["outcome"], line["trigger"], line["call_id"]) == ("Accepted", "http", "call-async")
    assert (line["correlation_id"], line["function_request_id"]) == ("JKJaXmPLvHcESHA=", "request-1")
    assert json.loads(capsys.readouterr().out)["Accepted"] == [1.0]


def test_every_character_that_extended_data_can_contain_can_be_queued(function: Function, queue: Any, log: Log) -> None:
    request = {"FromUserId": "user0", "CallId": "call-1", "ExtendedData": "\x01\x1f\x7f\uffff€\U0001f4de planted"}
    assert function(http_event(request))["statusCode"] == 202
    (message,) = queue.receive_messages()
    assert message.body.isascii()
    assert json.loads(message.body).items() >= request.items()
    assert "planted" not in log.text


def test_an_invalid_request_is_rejected_and_not_queued(function: Function, queue: Any, log: Log) -> None:
    response = function({**EVENT, "body": '{"FromUserId":"user0"}'})
    assert response["statusCode"] == 400
    assert json.loads(response["body"])["member"] == "CallId"
    assert queue.receive_messages() == []
    assert [line["outcome"] for line in log.lines] == ["InvalidRequest"]


@pytest.mark.parametrize("seconds", [1, 600, 601])
def test_expires_at_is_queued_unchanged(function: Function, queue: Any, seconds: int) -> None:
    expires_at = UNIX_TIME + seconds
    assert function(http_event({"CallId": "call-1", "ExpiresAt": expires_at}))["statusCode"] == 202
    (message,) = queue.receive_messages()
    assert json.loads(message.body)["ExpiresAt"] == expires_at


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_expired_request_is_rejected_and_not_queued(function: Function, queue: Any, log: Log, seconds: int) -> None:
    response = function(http_event({"CallId": "call-1", "ExpiresAt": UNIX_TIME + seconds}))
    assert response["statusCode"] == 410
    problem = json.loads(response["body"])
    assert (problem["type"], problem["retryable"]) == ("urn:problem-type:call-reject:RequestExpired", False)
    assert queue.receive_messages() == []
    assert [(line["outcome"], line["call_id"]) for line in log.lines] == [("RequestExpired", "call-1")]


@pytest.mark.parametrize("reachable", [True, False])
def test_an_unavailable_queue_is_a_503_that_is_retryable(
    function: Function, queue: Any, log: Log, *, reachable: bool
) -> None:
    def fail(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs.example")

    if reachable:
        queue.delete()
    else:
        function.app.queue.meta.events.register("before-call.sqs.SendMessage", fail)
    aws_error = "NonExistentQueue" if reachable else "https://sqs.example"
    response = function(EVENT)
    assert response["statusCode"] == 503
    assert response["headers"] == {"Content-Type": "application/problem+json", "Retry-After": "1"}
    problem = json.loads(response["body"])
    assert problem["type"] == "urn:problem-type:call-reject:QueueUnavailable"
    assert problem["retryable"] is True
    assert "queue" in problem["detail"]
    assert aws_error not in problem["detail"]
    (line,) = log.lines
    assert (line["level"], line["outcome"]) == ("ERROR", "QueueUnavailable")
    assert aws_error in line["message"]
