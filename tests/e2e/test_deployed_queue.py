"""The deployed queue: each way to send a message, and what happens to it."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.dead_letters import VISIBILITY_SECONDS, DeadLetter, dead_letters
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


def wait_for_dead_letters(stack: Stack, count: int) -> list[DeadLetter]:
    until(lambda: len(dead_letters(stack)) == count, WAIT_SECONDS, "The messages are not in the dead-letter queue")
    return dead_letters(stack)


def test_messages_that_cannot_succeed_are_dead_letters_with_a_reason(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    invalid, unknown_user = body("c" * 33), body("call-1", user="unknown")
    for message in (invalid, unknown_user, body(call_id)):
        to_queue(stack, message)
    letters = {letter.request["CallId"]: letter for letter in wait_for_dead_letters(stack, 2)}
    wait_until_rejected(stack, call_id)
    assert letters["c" * 33].outcome == "InvalidRequest"
    assert letters["c" * 33].detail.startswith("CallId ")
    assert letters["call-1"].outcome == "UserNotRegistered"
    assert letters["call-1"].request == json.loads(unknown_user)
    assert time.time() - WAIT_SECONDS < letters["call-1"].sent < time.time()


def test_a_retryable_error_is_retried_after_one_and_two_seconds(stack: Stack) -> None:
    call_id = stack.simulator.ring("user0")
    stack.simulator.fault("code", code=1)
    stack.simulator.fault("code", code=660300005)
    to_queue(stack, body(call_id))
    wait_until_rejected(stack, call_id)
    first, second, third = (record.monotonic for record in stack.simulator.requests())
    assert 1 <= second - first < 10
    assert 2 <= third - second < 10


def send_dead_letters(stack: Stack, count: int) -> None:
    """Send messages straight to the dead-letter queue, as SQS does if the function fails each time."""
    url = stack.outputs["DeadLetterQueueUrl"]
    for number in range(count):
        stack.client("sqs").send_message(QueueUrl=url, MessageBody=body(f"call-{number}"))


def test_every_listing_shows_all_dead_letters_immediately(stack: Stack) -> None:
    send_dead_letters(stack, 25)
    first = dead_letters(stack)
    started = time.monotonic()
    second = dead_letters(stack)
    assert time.monotonic() - started < VISIBILITY_SECONDS / 2
    assert [letter.request["CallId"] for letter in first] == [f"call-{number}" for number in range(25)]
    assert {letter.outcome for letter in first} == {"ReceivedTooOften"}
    assert second == first


def test_simultaneous_listings_show_all_dead_letters(stack: Stack) -> None:
    send_dead_letters(stack, 25)
    with ThreadPoolExecutor() as pool:
        listings = list(pool.map(dead_letters, [stack] * 8))
    assert [len(listing) for listing in listings] == [25] * 8
