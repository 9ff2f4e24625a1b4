"""`make dead-letters` and `make redrive`: show the dead letters, or move them back to the queue.

On AWS, `aws sqs start-message-move-task` moves them back (docs/queue.md). The emulator does not support it.
"""

import sys
from collections.abc import Iterator
from typing import Any

from local.processes import exit_on_error
from local.stack import Stack, running

VISIBILITY_SECONDS = 5
"""Longer than reading the whole queue takes, so that each message is received once."""


def letters(stack: Stack) -> Iterator[dict[str, Any]]:
    """Receive every message in the dead-letter queue once."""
    sqs, url = stack.client("sqs"), stack.outputs["DeadLetterQueueUrl"]
    options = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "VisibilityTimeout": VISIBILITY_SECONDS}
    while messages := sqs.receive_message(QueueUrl=url, **options).get("Messages"):
        yield from messages


def reason(letter: dict[str, Any]) -> str:
    """Return why a message is in the dead-letter queue."""
    attributes = letter.get("MessageAttributes", {})
    attribute = attributes.get("Reason") or attributes.get("ERROR_CODE")
    return attribute["StringValue"] if attribute else "Received too often: the function fails each time"


def redrive(stack: Stack) -> int:
    """Move all dead letters back to the queue and return how many there were."""
    sqs, count = stack.client("sqs"), 0
    for letter in letters(stack):
        attributes = {name: value for name, value in letter.get("MessageAttributes", {}).items() if name == "Source"}
        sqs.send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=letter["Body"], MessageAttributes=attributes)
        sqs.delete_message(QueueUrl=stack.outputs["DeadLetterQueueUrl"], ReceiptHandle=letter["ReceiptHandle"])
        count += 1
    return count


def main(command: str) -> None:
    """Show or move the dead letters of the running stack."""
    stack = running()
    if command == "redrive":
        print(f"Messages moved back to the queue: {redrive(stack)}")
        return
    lines = [f"{reason(letter)}\n  {letter['Body']}" for letter in letters(stack)]
    print("\n".join(lines) or "The dead-letter queue is empty.")


if __name__ == "__main__":
    with exit_on_error(f"make {sys.argv[1]}"):
        main(sys.argv[1])
