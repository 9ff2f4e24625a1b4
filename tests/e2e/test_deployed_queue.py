"""The deployed queue: each way to send a message, and what happens to it."""

import json
from collections.abc import Callable, Iterator

import pytest

from local.dead_letters import letters, reason, redrive
from local.processes import until
from local.send import SENDERS, to_queue
from local.stack import Stack
from tests.e2e.conftest import WAIT_SECONDS, wait_until_rejected


def body(call_id: str, user: str = "user0") -> str:
    return json.dumps({"FromUserId": user, "CallId": call_id})


@pytest.fixture(autouse=True)
def _empty_queues(stack: Stack) -> Iterator[None]:
    yield
    for output in ("QueueUrl", "DeadLetterQueueUrl"):
        stack.client("sqs").purge_queue(QueueUrl=stack.outputs[output])


def post(stack: Stack, message: str) -> None:
    response = stack.request("POST", stack.call_reject_async_url, message)
    assert response.status_code == 202
    assert response.json().keys() == {"MessageId"}


def to_topic_with_raw_delivery(stack: Stack, message: str) -> None:
    sns = stack.client("sns")
    topic = sns.create_topic(Name="raw")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=stack.outputs["QueueArn"], Attributes=raw)
    sns.publish(TopicArn=topic, Message=message)


@pytest.mark.parametrize("trigger", [post, *SENDERS.values(), to_topic_with_raw_delivery])
def test_every_trigger_rejects_the_call(stack: Stack, trigger: Callable[[Stack, str], None]) -> None:
    call_id = stack.simulator.ring("user0")
    trigger(stack, body(call_id))
    wait_until_rejected(stack, call_id)


def test_the_async_route_rejects_an_invalid_request(stack: Stack) -> None:
    response = stack.request("POST", stack.call_reject_async_url, body("c" * 33))
    assert response.status_code == 400
    assert (response.json()["member"], response.json()["rule"]) == ("CallId", "maxLength")


def test_messages_that_cannot_succeed_are_dead_letters_with_a_reason(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    invalid, unknown_user = body("c" * 33), body("call-1", user="unknown")
    for message in (invalid, unknown_user, body(call_id)):
        to_queue(stack, message)
    reasons: dict[str, str] = {}

    def all_found() -> bool:
        reasons.update((letter["Body"], reason(letter)) for letter in letters(stack))
        return reasons.keys() == {invalid, unknown_user}

    until(all_found, WAIT_SECONDS, "The messages are not in the dead-letter queue")
    wait_until_rejected(stack, call_id)
    assert reasons[invalid].startswith("InvalidRequest: ")
    assert reasons[unknown_user].startswith("UserNotRegistered: ")


def test_a_retryable_error_is_retried_after_one_and_two_seconds(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    stack.simulator.fault("code", code=1)
    stack.simulator.fault("code", code=660300005)
    to_queue(stack, body(call_id))
    wait_until_rejected(stack, call_id)
    first, second, third = (record.monotonic for record in stack.simulator.requests())
    assert 1 <= second - first < 10
    assert 2 <= third - second < 10


def test_a_dead_letter_can_be_moved_back_to_the_queue(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    stack.simulator.fault("code", code=660500002)
    to_queue(stack, body(call_id))
    until(lambda: redrive(stack) == 1, WAIT_SECONDS, "The message is not in the dead-letter queue")
    wait_until_rejected(stack, call_id)
