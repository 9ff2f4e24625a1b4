"""The handler of CallRejectQueueFunction: what becomes of a message."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from local.zim_simulator.running import SimulatorClient

type Handler = Callable[[Any], Any]

EVENTS = Path(__file__).resolve().parents[2] / "events" / "CallRejectQueueFunction"


class Queue:
    """A queue, its dead letters, and the function that drains it, called as Lambda's event source does."""

    def __init__(self, load: Callable[..., Handler]) -> None:
        sqs = boto3.resource("sqs")
        self.messages = sqs.create_queue(QueueName="calls")
        self.dead_letters = sqs.create_queue(QueueName="dead")
        self.handler = load(
            "call_reject_queue", QUEUE_URL=self.messages.url, DEAD_LETTER_QUEUE_URL=self.dead_letters.url
        )

    def handled(self, *bodies: Any, receives: int = 1, age: float = 0) -> list[bool]:
        """Send messages, hand them to the function as one batch, and tell for each whether it is done with."""
        for body in bodies:
            self.messages.send_message(MessageBody=body if isinstance(body, str) else json.dumps(body))
        received = self.messages.receive_messages(MaxNumberOfMessages=10, VisibilityTimeout=600)
        records = [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": str(receives),
                    "SentTimestamp": str(int((time.time() - age) * 1000)),
                },
                "eventSource": "aws:sqs",
            }
            for message in received
        ]
        failed = {item["itemIdentifier"] for item in self.handler({"Records": records})["batchItemFailures"]}
        return [record["messageId"] not in failed for record in records]

    def reasons(self) -> list[str]:
        """Return the reasons on the dead letters."""
        letters = self.dead_letters.receive_messages(MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return [letter.message_attributes["Reason"]["StringValue"] for letter in letters]


@pytest.fixture
def queue(load: Callable[..., Handler]) -> Queue:
    return Queue(load)


def request(zim: SimulatorClient) -> dict[str, str]:
    return {"FromUserId": "user0", "CallId": zim.ring("user0")}


@pytest.mark.parametrize("event", sorted(EVENTS.glob("*.json")), ids=lambda event: event.stem)
def test_a_request_is_found_in_whatever_a_sender_wrapped_it(zim: SimulatorClient, queue: Queue, event: Path) -> None:
    records = json.loads(event.read_text())["Records"]
    calls = [call for call in CALLS if any(f'"{call}"' in unescaped(record["body"]) for record in records)]
    for call in calls:
        zim.ring("user0", call_id=call)
    assert len(calls) == len(records)
    assert queue.handler({"Records": records}) == {"batchItemFailures": []}
    assert {zim.call(call).state for call in calls} == {"rejected"}


CALLS = ["call-bare", "call-eventbridge", "call-sns", "call-sns-raw", "call-batch-1", "call-batch-2"]


def unescaped(body: str) -> str:
    return body.replace("\\", "")


def test_a_message_that_was_delivered_twice_ends_well(zim: SimulatorClient, queue: Queue) -> None:
    once = request(zim)
    assert queue.handled(once, once) == [True, True]
    assert queue.reasons() == []


def test_the_age_of_a_message_is_counted_each_time_it_is_tried(
    zim: SimulatorClient, queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    zim.fault("code", code=1)
    queue.handled(request(zim), receives=7, age=61)
    printed = json.loads(capsys.readouterr().out)
    assert printed["MessageAge"] == [pytest.approx(61, abs=5)]


def test_the_age_of_a_message_that_becomes_a_dead_letter_does_not_count(
    zim: SimulatorClient, queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody can send a CallId that does not exist; that rings no alarm for a queue that is late."""
    queue.handled({**request(zim), "CallId": "made-up"}, receives=9, age=130)
    printed = json.loads(capsys.readouterr().out)
    assert printed["CallNotFound"] == [1.0]
    assert "MessageAge" not in printed


@pytest.mark.parametrize("code", [660300005, 7, 1, 105001])
def test_a_retryable_outcome_stays_on_the_queue(zim: SimulatorClient, queue: Queue, code: int) -> None:
    zim.fault("code", code=code)
    assert queue.handled(request(zim), receives=25) == [False]
    assert queue.reasons() == []


@pytest.mark.parametrize(("receives", "delay"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (25, 30)])
def test_the_delay_doubles_from_one_second_to_thirty(
    zim: SimulatorClient, queue: Queue, receives: int, delay: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[int] = []
    original = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 - what all calls go through

    def spied(self: Any, operation: str, parameters: Any) -> Any:
        if operation == "ChangeMessageVisibility":
            delays.append(parameters["VisibilityTimeout"])
        return original(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", spied)
    zim.fault("code", code=1)
    queue.handled(request(zim), receives=receives)
    assert delays == [delay]


@pytest.mark.parametrize("code", [660900004, 3, 100000004, -1])
def test_what_somebody_may_mend_is_tried_ten_times_and_then_dead_lettered(
    zim: SimulatorClient, queue: Queue, code: int
) -> None:
    zim.fault("code", times=2, code=code)
    assert queue.handled(request(zim), receives=9) == [False]
    assert queue.reasons() == []
    assert queue.handled(request(zim), receives=10) == [True]
    assert [str(code) in reason for reason in queue.reasons()] == [True]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("no JSON", "InvalidRequest: body breaks json"),
        ("[]", "InvalidRequest: body breaks type"),
        ("{}", "InvalidRequest: FromUserId breaks required"),
        ({"detail-type": "CallRejectRequested"}, "InvalidRequest: body breaks type"),
        (
            {"detail-type": "CallRejectRequested", "detail": {"FromUserId": "u"}},
            "InvalidRequest: CallId breaks required",
        ),
        ({"Type": "Notification", "Message": "no JSON"}, "InvalidRequest: body breaks json"),
        ({"Type": "Notification", "Message": 7}, "InvalidRequest: body breaks json"),
        ({"Type": "Notification"}, "InvalidRequest: body breaks required"),
        (
            {"FromUserId": "nobody", "CallId": "c"},
            "UserNotRegistered: ZIM answered 660500002: FromUserId is not registered with ZIM",
        ),
    ],
)
def test_what_can_never_work_goes_to_the_dead_letters_at_once_with_its_reason(
    zim: SimulatorClient, queue: Queue, body: Any, reason: str
) -> None:
    assert queue.handled(body) == [True]
    assert queue.reasons() == [reason]


def test_a_message_older_than_any_invitation_is_dropped_and_counted_without_a_call(
    zim: SimulatorClient, queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert queue.handled(request(zim), age=601) == [True]
    assert '"TooOld":[1.0]' in capsys.readouterr().out
    assert zim.requests() == []
    assert queue.reasons() == []
    assert queue.handled(request(zim), age=590) == [True]
    assert len(zim.requests()) == 1


def test_one_bad_message_does_not_hold_back_its_neighbours(zim: SimulatorClient, queue: Queue) -> None:
    good = [request(zim), request(zim)]
    zim.fault("code", code=1)
    assert queue.handled(request(zim), "no JSON", *good) == [False, True, True, True]
    assert {zim.call(call["CallId"]).state for call in good} == {"rejected"}


def test_a_dead_letter_that_cannot_be_sent_stays_on_the_queue(zim: SimulatorClient, queue: Queue) -> None:
    queue.dead_letters.delete()
    assert queue.handled("no JSON") == [False]
