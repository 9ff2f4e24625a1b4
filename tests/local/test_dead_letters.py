"""`make redrive` moves each dead letter once."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from local.dead_letters import redrive
from local.stack import Stack


def received(message_id: str, handle: str) -> dict[str, Any]:
    return {"MessageId": message_id, "ReceiptHandle": handle, "Body": message_id}


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """SQS with two queues, whose messages are those that the test returns."""
    sqs = Mock()
    monkeypatch.setattr(Stack, "client", lambda *_: sqs)
    return sqs


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack("", "", str(tmp_path), {"QueueUrl": "queue", "DeadLetterQueueUrl": "dead-letters"})


def test_a_message_that_is_received_twice_is_moved_once(sqs: Mock, stack: Stack) -> None:
    first, again = [received("a", "a-1"), received("b", "b-1")], [received("a", "a-2"), received("b", "b-2")]
    hidden_at_first = [received("c", "c-1")]
    sqs.receive_message.side_effect = [
        {"Messages": messages} if messages else {} for messages in (first, [], again, [], hidden_at_first, [])
    ]
    counts = {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "3"}
    sqs.get_queue_attributes.return_value = {"Attributes": counts}
    assert redrive(stack) == 3
    assert [call.kwargs["MessageBody"] for call in sqs.send_message.call_args_list] == ["a", "b", "c"]
    deleted = [call.kwargs["ReceiptHandle"] for call in sqs.delete_message.call_args_list]
    assert deleted == ["a-2", "b-2", "c-1"]
