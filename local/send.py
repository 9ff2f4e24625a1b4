"""`make send TO=bus|topic|queue`: ring a call and send the request to reject it to the running stack."""

import json
import sys
from collections.abc import Callable

from local.processes import LocalError, until
from local.stack import Stack, running

USER = "user0"
WAIT_SECONDS = 30.0


def to_bus(stack: Stack, request: str) -> None:
    """Put an event on the default bus."""
    entry = {"Source": "app.example", "DetailType": "CallRejectRequested", "Detail": request}
    stack.client("events").put_events(Entries=[entry])


def to_topic(stack: Stack, request: str) -> None:
    """Publish to a topic that the queue is subscribed to; making both again changes nothing."""
    sns = stack.client("sns")
    topic = sns.create_topic(Name="declined")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=stack.outputs["QueueArn"])
    sns.publish(TopicArn=topic, Message=request)


def to_queue(stack: Stack, request: str) -> None:
    """Send a message to the queue."""
    stack.client("sqs").send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=request)


WAYS: dict[str, Callable[[Stack, str], None]] = {"bus": to_bus, "topic": to_topic, "queue": to_queue}


def main(arguments: list[str]) -> int:
    """Send one request and wait until the call is rejected; return the exit status."""
    way = WAYS.get(arguments[0])
    if way is None:
        print("make send: say where to, as in TO=bus, TO=topic or TO=queue", file=sys.stderr)
        return 1
    try:
        stack = running()
        call_id = stack.simulator.ring(USER)
        request = json.dumps({"FromUserId": USER, "CallId": call_id})
        print(f"To the {arguments[0]}: {request}")
        way(stack, request)
        passed = until(
            lambda: stack.simulator.call(call_id).state == "rejected", WAIT_SECONDS, "The call was not rejected"
        )
    except LocalError as error:
        print(f"make send: {error}", file=sys.stderr)
        return 1
    print(f"The call at ZIM: rejected, {passed:.1f} s later")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
