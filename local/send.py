"""`make send TO=bus|topic|queue`: start a call and send a request to reject it to the running stack."""

import json
import sys
from collections.abc import Callable

from local.processes import LocalError, exit_on_error, until
from local.stack import Stack, running

USER = "user0"
WAIT_SECONDS = 30.0
NOT_REJECTED = "The call was not rejected. To see why, run `make logs` and `make dead-letters`."


def to_bus(stack: Stack, request: str) -> None:
    """Put an event on the default event bus."""
    entry = {"Source": "app.example", "DetailType": "CallRejectRequested", "Detail": request}
    stack.client("events").put_events(Entries=[entry])


def to_topic(stack: Stack, request: str) -> None:
    """Publish to an SNS topic that the queue subscribes to. The topic and subscription are created if needed."""
    sns = stack.client("sns")
    topic = sns.create_topic(Name="declined")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=stack.outputs["QueueArn"])
    sns.publish(TopicArn=topic, Message=request)


def to_queue(stack: Stack, request: str) -> None:
    """Send a message to the queue."""
    stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=request)


SENDERS: dict[str, Callable[[Stack, str], None]] = {"bus": to_bus, "topic": to_topic, "queue": to_queue}


def main(destination: str) -> None:
    """Send one request and wait until the call is rejected, or the message is a dead letter."""
    if destination not in SENDERS:
        raise LocalError("Set TO to bus, topic or queue, for example TO=bus.")
    stack = running()
    call_id = stack.simulator.ring(USER)
    request = json.dumps({"FromUserId": USER, "CallId": call_id})

    def is_rejected() -> bool:
        return stack.simulator.call(call_id).state == "rejected"

    def dead_letters() -> int:
        return sum(stack.queue_depth(stack.outputs["DeadLetterQueueUrl"]))

    before = dead_letters()
    print(f"Sending to the {destination}: {request}")
    SENDERS[destination](stack, request)
    seconds = until(lambda: is_rejected() or dead_letters() > before, WAIT_SECONDS, NOT_REJECTED)
    if not is_rejected():
        raise LocalError(NOT_REJECTED)
    print(f"Call state in ZIM: rejected, after {seconds:.1f} s")


if __name__ == "__main__":
    with exit_on_error("make send"):
        main(sys.argv[1])
