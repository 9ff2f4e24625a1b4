"""`make dead-letters` and `make redrive`: look at what could not be done, and put it back on the queue.

On AWS the way back is `aws sqs start-message-move-task` (docs/queue.md); the emulator does not have it.
"""

import sys
from collections.abc import Iterator
from typing import Any

from local.processes import LocalError
from local.stack import Stack, running

HIDDEN_SECONDS = 5
"""How long a letter that was looked at is out of sight, so that each is seen once."""


def letters(stack: Stack) -> Iterator[dict[str, Any]]:
    """Receive every message in the dead-letter queue once."""
    sqs, url = stack.client("sqs"), stack.outputs["DeadLetterQueueUrl"]
    asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "VisibilityTimeout": HIDDEN_SECONDS}
    while received := sqs.receive_message(QueueUrl=url, **asked).get("Messages"):
        yield from received


def reason(letter: dict[str, Any]) -> str:
    """Return why a message is here."""
    attributes = letter.get("MessageAttributes", {})
    attribute = attributes.get("Reason") or attributes.get("ERROR_CODE")
    return attribute["StringValue"] if attribute else "received too often: it ends the function each time"


def redrive(stack: Stack) -> int:
    """Put every dead letter back on the queue, and return how many there were."""
    sqs, count = stack.client("sqs"), 0
    for letter in letters(stack):
        sqs.send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=letter["Body"])
        sqs.delete_message(QueueUrl=stack.outputs["DeadLetterQueueUrl"], ReceiptHandle=letter["ReceiptHandle"])
        count += 1
    return count


def main(arguments: list[str]) -> int:
    """Show the dead letters, or put them back; return the exit status."""
    try:
        stack = running()
    except LocalError as error:
        print(f"make {arguments[0]}: {error}", file=sys.stderr)
        return 1
    if arguments == ["redrive"]:
        print(f"{redrive(stack)} messages are back on the queue.")
        return 0
    shown = [f"{reason(letter)}\n  {letter['Body']}" for letter in letters(stack)]
    print("\n".join(shown) or "There are no dead letters.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
