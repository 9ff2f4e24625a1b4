"""The handler of CallRejectAsyncFunction: what goes on the queue, and what the caller is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.zim_simulator.running import SimulatorClient

type Handler = Callable[[Any], Any]

EVENT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "events" / "CallRejectAsyncFunction" / "http_api.json").read_text()
)


@pytest.fixture
def queue(aws: Any) -> Any:
    return boto3.resource("sqs").create_queue(QueueName="calls")


@pytest.fixture
def handler(load: Callable[..., Handler], queue: Any) -> Handler:
    return load("call_reject_async", QUEUE_URL=queue.url)


def test_a_valid_request_is_put_on_the_queue_and_answered_at_once(
    zim: SimulatorClient, handler: Handler, queue: Any
) -> None:
    response = handler(EVENT)
    (message,) = queue.receive_messages()
    assert response["statusCode"] == 202
    assert response["headers"] == {"Content-Type": "application/json"}
    assert json.loads(response["body"]) == {"MessageId": message.message_id}
    assert json.loads(message.body) == json.loads(EVENT["body"])
    assert zim.requests() == []


def test_every_character_that_extended_data_may_hold_can_go_on_the_queue(handler: Handler, queue: Any) -> None:
    request = {"FromUserId": "user0", "CallId": "call-1", "ExtendedData": "\x01\x1f\x7f\uffff€\U0001f4de"}
    assert handler({**EVENT, "body": json.dumps(request)})["statusCode"] == 202
    (message,) = queue.receive_messages()
    assert message.body.isascii()
    assert json.loads(message.body) == request


def test_a_bad_request_is_refused_and_not_put_on_the_queue(handler: Handler, queue: Any) -> None:
    response = handler({**EVENT, "body": '{"FromUserId":"user0"}'})
    assert response["statusCode"] == 400
    assert json.loads(response["body"])["member"] == "CallId"
    assert queue.receive_messages() == []


def test_a_queue_that_cannot_be_had_is_a_503_and_worth_another_try(handler: Handler, queue: Any) -> None:
    queue.delete()
    response = handler(EVENT)
    assert response["statusCode"] == 503
    assert response["headers"] == {"Content-Type": "application/problem+json", "Retry-After": "1"}
    problem = json.loads(response["body"])
    assert problem["type"] == "urn:problem-type:call-reject:QueueUnavailable"
    assert problem["retryable"] is True
