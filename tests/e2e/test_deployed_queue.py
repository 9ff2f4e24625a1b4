"""The deployed queue: every way in, and what becomes of a message, with the simulator's record as the witness."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.dead_letters import letters, reason, redrive
from local.processes import until
from local.stack import REGION, Stack

WAIT_SECONDS = 60.0


def eventually(condition: Callable[[], bool]) -> None:
    until(condition, WAIT_SECONDS, "It did not come to pass")


def body(call_id: str, **members: Any) -> str:
    return json.dumps({"FromUserId": "user0", "CallId": call_id, **members})


def rejected(stack: Stack, *calls: str) -> Callable[[], bool]:
    return lambda: all(stack.simulator.call(call).state == "rejected" for call in calls)


def taken(stack: Stack) -> list[tuple[str, str]]:
    """Take what is in the dead-letter queue: body and reason of each message."""
    found = []
    for letter in letters(stack):
        stack.client("sqs").delete_message(
            QueueUrl=stack.outputs["DeadLetterQueueUrl"], ReceiptHandle=letter["ReceiptHandle"]
        )
        found.append((letter["Body"], reason(letter)))
    return found


@pytest.fixture(autouse=True)
def _empty_queues(stack: Stack) -> Iterator[None]:
    yield
    for output in ("QueueUrl", "DeadLetterQueueUrl"):
        stack.client("sqs").purge_queue(QueueUrl=stack.outputs[output])


def send(stack: Stack, message: str) -> None:
    stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=message)


def test_what_is_posted_is_taken_at_once_and_rejected_soon(stack: Stack) -> None:
    call = stack.simulator.ring("user0")
    response = stack.request("POST", stack.call_reject_async_url, body(call, ExtendedData='{"reason":"busy"}'))
    assert response.status_code == 202
    assert response.json().keys() == {"MessageId"}
    eventually(rejected(stack, call))
    assert stack.simulator.call(call).extended_data == {"user0": '{"reason":"busy"}'}


def test_what_is_posted_is_checked_before_it_is_taken(stack: Stack) -> None:
    response = stack.request("POST", stack.call_reject_async_url, body("c" * 33))
    assert response.status_code == 400
    assert (response.json()["member"], response.json()["rule"]) == ("CallId", "maxLength")


def test_nobody_posts_without_a_signature(stack: Stack) -> None:
    response = stack.request("POST", stack.call_reject_async_url, body("call-1"), signed=False)
    assert response.status_code == 403


def test_a_message_of_a_server_is_done(stack: Stack) -> None:
    call = stack.simulator.ring("user0")
    send(stack, body(call))
    eventually(rejected(stack, call))


def test_an_event_on_the_bus_is_done(stack: Stack) -> None:
    call = stack.simulator.ring("user0")
    answer = stack.client("events").put_events(
        Entries=[{"Source": "app.example", "DetailType": "CallRejectRequested", "Detail": body(call)}]
    )
    assert answer["FailedEntryCount"] == 0
    eventually(rejected(stack, call))


@pytest.mark.parametrize("raw", ["false", "true"])
def test_a_notification_of_a_topic_is_done_raw_or_in_its_envelope(stack: Stack, raw: str) -> None:
    call = stack.simulator.ring("user0")
    sns = stack.client("sns")
    topic = sns.create_topic(Name=f"declined-{raw}")["TopicArn"]
    subscription = sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=stack.outputs["QueueArn"],
        Attributes={"RawMessageDelivery": raw},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message=body(call))
    eventually(rejected(stack, call))
    sns.unsubscribe(SubscriptionArn=subscription)


def test_what_can_never_work_is_a_dead_letter_with_its_reason_and_its_neighbours_are_done(stack: Stack) -> None:
    call = stack.simulator.ring("user0")
    sent = ["no JSON", body("c" * 33), json.dumps({"FromUserId": "nobody", "CallId": "call-1"}), body(call)]
    for message in sent:
        send(stack, message)
    found: list[tuple[str, str]] = []

    def all_dead() -> bool:
        found.extend(taken(stack))
        return len(found) == 3

    eventually(all_dead)
    eventually(rejected(stack, call))
    reasons = dict(found)
    assert reasons["no JSON"] == "InvalidRequest: body breaks json"
    assert reasons[sent[1]] == "InvalidRequest: CallId breaks maxLength"
    assert reasons[sent[2]].startswith("UserNotRegistered: ZIM answered 660500002")


def test_a_retryable_answer_is_tried_again_after_one_and_two_seconds(stack: Stack) -> None:
    call = stack.simulator.ring("user0")
    stack.simulator.fault("code", times=1, code=1)
    stack.simulator.fault("code", times=1, code=660300005)
    send(stack, body(call))
    eventually(rejected(stack, call))
    first, second, third = (record.monotonic for record in stack.simulator.requests())
    assert 1 <= second - first < 10
    assert 2 <= third - second < 10


def test_a_dead_letter_that_is_mended_goes_the_way_back(stack: Stack) -> None:
    call = stack.simulator.ring("user1")
    stack.simulator.fault("code", code=660500002)
    send(stack, json.dumps({"FromUserId": "user1", "CallId": call}))
    eventually(lambda: redrive(stack) == 1)
    eventually(rejected(stack, call))


def test_the_queues_function_sees_no_more_at_once_than_is_reserved_for_it(stack: Stack) -> None:
    functions = stack.client("lambda")
    (mapping,) = functions.list_event_source_mappings(EventSourceArn=stack.outputs["QueueArn"])["EventSourceMappings"]
    function, _alias = mapping["FunctionArn"].rsplit(":", 1)
    reserved = functions.get_function_concurrency(FunctionName=function)["ReservedConcurrentExecutions"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] == reserved == 5
    assert REGION in mapping["FunctionArn"]
