"""`make dead-letters` and `make redrive`: show the dead letters, or move them back to the queue.

On AWS, `aws sqs start-message-move-task` moves them back (docs/queue.md). The emulator does not support it.
"""

import fcntl
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

from local.invoke import requests_in
from local.processes import exit_on_error, until
from local.stack import Stack, running

VISIBILITY_SECONDS = 10
"""How long SQS hides received messages if the process is killed. Otherwise they become visible at once."""

BATCH_SIZE = 10
"""The maximum of SQS."""


@dataclass(frozen=True)
class DeadLetter:
    """A message in the dead-letter queue.

    `request` is the request to reject a call, or the body if it contains no request. `sent` is when the message was
    sent to this queue, in Unix seconds.
    """

    message_id: str
    outcome: str
    detail: str
    request: Any
    sent: float


def dead_letters(stack: Stack) -> list[DeadLetter]:
    """Return the messages in the dead-letter queue, oldest first. They stay in the queue."""
    with _received(stack) as messages:
        return sorted(map(_dead_letter, messages), key=lambda letter: letter.sent)


def redrive(stack: Stack) -> int:
    """Move all dead letters back to the queue and return how many there were."""
    sqs = stack.client("sqs")
    with _received(stack) as messages:
        for message in messages:
            source = {name: value for name, value in message.get("MessageAttributes", {}).items() if name == "Source"}
            sqs.send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=message["Body"], MessageAttributes=source)
            sqs.delete_message(QueueUrl=stack.outputs["DeadLetterQueueUrl"], ReceiptHandle=message["ReceiptHandle"])
        return len(messages)


@contextmanager
def _received(stack: Stack) -> Iterator[list[dict[str, Any]]]:
    """Receive all messages in the dead-letter queue. Those that the block does not delete are visible after it.

    Only one process or thread at a time receives messages, because it hides them from the others.
    """
    sqs, url = stack.client("sqs"), stack.outputs["DeadLetterQueueUrl"]
    # While this waits for hidden messages, others become visible and are received again.
    messages: dict[str, dict[str, Any]] = {}

    def all_received() -> bool:
        while received := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH_SIZE,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
            VisibilityTimeout=VISIBILITY_SECONDS,
        ).get("Messages"):
            messages.update({message["MessageId"]: message for message in received})
        return len(messages) >= sum(stack.queue_depth(url))

    with (Path(stack.log) / "dead-letters.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            # If a process was killed here, its messages are hidden for a short time.
            until(
                all_received, 2 * VISIBILITY_SECONDS, "Another program hides dead letters. They were not all received"
            )
            yield list(messages.values())
        finally:
            # The handles of deleted messages are errors in the response, which does not matter.
            for batch in batched(messages.values(), BATCH_SIZE, strict=False):
                entries = [
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                    for number, message in enumerate(batch)
                ]
                sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def _dead_letter(message: dict[str, Any]) -> DeadLetter:
    attributes = message.get("MessageAttributes", {})
    outcome, detail = _cause({name: each.get("StringValue", "") for name, each in attributes.items()})
    sent = int(message["Attributes"]["SentTimestamp"]) / 1000
    return DeadLetter(message["MessageId"], outcome, detail, _request(message["Body"]), sent)


def _cause(attributes: dict[str, str]) -> tuple[str, str]:
    """Return the outcome and the detail. See "Dead letters" in docs/queue.md."""
    if "Reason" in attributes:
        outcome, _, detail = attributes["Reason"].partition(": ")
        return outcome, detail
    if "ERROR_CODE" in attributes:
        return attributes["ERROR_CODE"], attributes.get("ERROR_MESSAGE", "EventBridge failed to deliver the event.")
    return "ReceivedTooOften", "The function failed each time it received the message."


def _request(body: str) -> Any:
    if found := requests_in(body):
        return found[0]
    try:
        return json.loads(body)
    except ValueError:
        return body


def main(command: str) -> None:
    """Show or move the dead letters of the running stack."""
    stack = running()
    if command == "redrive":
        print(f"Messages moved back to the queue: {redrive(stack)}")
        return
    found = dead_letters(stack)
    for letter in found:
        sent = time.strftime("%H:%M:%S", time.localtime(letter.sent))
        print(f"{sent}  {letter.outcome}: {letter.detail}\n  {json.dumps(letter.request, ensure_ascii=False)}")
    print(f"Dead letters: {len(found)}. `make redrive` moves them back to the queue." if found else "Dead letters: 0")


if __name__ == "__main__":
    with exit_on_error(f"make {sys.argv[1]}"):
        main(sys.argv[1])
