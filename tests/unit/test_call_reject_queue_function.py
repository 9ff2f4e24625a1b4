"""The handler of CallRejectQueueFunction: what happens to a message."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.invoke import requests_in
from local.zim_simulator.running import SimulatorClient
from tests.support.paths import EVENTS
from tests.unit.doubles import Function, Log

DELETED, KEPT = "deleted", "kept"


def attribute(value: str | bytes) -> dict[str, str]:
    """Return a message attribute as in an event of SQS."""
    if isinstance(value, bytes):
        return {"dataType": "Binary", "binaryValue": base64.b64encode(value).decode()}
    return {"dataType": "String", "stringValue": value}


@dataclass
class DeadLetter:
    """A message in the dead-letter queue."""

    body: str
    reason: str
    source: str | None


class Queue:
    """A queue, its dead-letter queue, and the function that Lambda's event source calls with its messages."""

    def __init__(self, load: Callable[..., Function]) -> None:
        sqs = boto3.resource("sqs")
        self.messages = sqs.create_queue(QueueName="calls")
        self.dead_letter_queue = sqs.create_queue(QueueName="dead")
        self.function = load(
            "call_reject_queue",
            QUEUE_URL=self.messages.url,
            DEAD_LETTER_QUEUE_URL=self.dead_letter_queue.url,
            POWERTOOLS_LOGGER_LOG_EVENT="true",
        )
        self.records: list[dict[str, Any]] = []
        self.visibility_changes: list[dict[str, Any]] = []
        self.function.app.queue.meta.events.register(
            "provide-client-params.sqs.ChangeMessageVisibility",
            lambda params, **_: self.visibility_changes.append(params),
        )

    def process(
        self,
        *bodies: Any,
        receives: int = 1,
        age: float = 0,
        remaining_ms: int = 15_000,
        source: str | bytes | None = None,
    ) -> list[str]:
        """Send messages, pass them to the function as one batch, and return whether each is deleted or kept."""
        for body in bodies:
            self.messages.send_message(MessageBody=body if isinstance(body, str) else json.dumps(body))
        received = self.messages.receive_messages(MaxNumberOfMessages=10, VisibilityTimeout=600)
        self.records = [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": str(receives),
                    "SentTimestamp": str(int((time.time() - age) * 1000)),
                },
                "messageAttributes": {"Source": attribute(source)} if source else {},
                "eventSource": "aws:sqs",
            }
            for message in received
        ]
        result = self.function({"Records": self.records}, remaining_ms=remaining_ms)
        kept = {item["itemIdentifier"] for item in result["batchItemFailures"]}
        return [KEPT if record["messageId"] in kept else DELETED for record in self.records]

    def delays(self) -> list[int]:
        """Return the seconds until each message that is retried becomes visible again."""
        return [change["VisibilityTimeout"] for change in self.visibility_changes]

    def dead_letters(self) -> list[DeadLetter]:
        messages = self.dead_letter_queue.receive_messages(MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        found = []
        for message in messages:
            attributes = {name: value["StringValue"] for name, value in message.message_attributes.items()}
            found.append(DeadLetter(message.body, attributes.pop("Reason"), attributes.pop("Source", None)))
            assert not attributes
        return found


@pytest.fixture
def queue(load: Callable[..., Function]) -> Queue:
    return Queue(load)


def members(zim: SimulatorClient) -> dict[str, str]:
    """Return a request for a call that rings."""
    return {"FromUserId": "user0", "CallId": zim.ring("user0")}


@pytest.mark.parametrize("file", sorted((EVENTS / "CallRejectQueueFunction").iterdir()), ids=lambda file: file.stem)
def test_a_request_is_read_from_the_envelope_of_each_sender(zim: SimulatorClient, queue: Queue, file: Path) -> None:
    event = json.loads(file.read_text())
    calls = [zim.ring(request["FromUserId"], call_id=request["CallId"]) for request in requests_in(event)]
    assert len(calls) == len(event["Records"])
    assert queue.function(event) == {"batchItemFailures": []}
    assert {zim.call(call).state for call in calls} == {"rejected"}


def test_a_message_that_is_delivered_twice_is_deleted_twice(zim: SimulatorClient, queue: Queue, log: Log) -> None:
    message = members(zim)
    assert queue.process(message, message) == [DELETED, DELETED]
    assert [line["outcome"] for line in log.lines] == ["Rejected", "InvitationClosed"]
    assert queue.dead_letters() == []


def test_a_success_logs_one_line_and_counts_the_outcome_and_the_age(
    zim: SimulatorClient, queue: Queue, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    message = {**members(zim), "ExtendedData": "planted"}
    assert queue.process(message, age=10) == [DELETED]
    (line,) = log.lines
    assert (line["outcome"], line["trigger"], line["call_id"]) == ("Rejected", "queue", message["CallId"])
    assert (line["code"], line["attempts"]) == (0, 1)
    assert line["function_request_id"] == "request-1"
    assert "planted" not in log.text
    printed = json.loads(capsys.readouterr().out)
    assert printed["Rejected"] == [1.0]
    assert printed["MessageAge"] == [pytest.approx(10, abs=5)]
    (directive,) = printed["_aws"]["CloudWatchMetrics"]
    assert {"Name": "MessageAge", "Unit": "Seconds"} in directive["Metrics"]
    assert queue.visibility_changes == []


@pytest.mark.parametrize("code", [660300005, 7, 1, 105001])
def test_a_temporary_error_is_retried_however_often_the_message_was_received(
    zim: SimulatorClient, queue: Queue, log: Log, code: int
) -> None:
    zim.fault("code", code=code)
    assert queue.process(members(zim), receives=25) == [KEPT]
    assert queue.visibility_changes == [
        {"QueueUrl": queue.messages.url, "ReceiptHandle": queue.records[0]["receiptHandle"], "VisibilityTimeout": 30}
    ]
    assert [line["code"] for line in log.lines] == [code]
    assert "exception" not in log.lines[0]
    assert queue.dead_letters() == []


@pytest.mark.parametrize(("receives", "delay"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (25, 30)])
def test_the_delay_before_a_retry_doubles_from_one_second_to_thirty(
    zim: SimulatorClient, queue: Queue, receives: int, delay: int
) -> None:
    zim.fault("code", code=1)
    assert queue.process(members(zim), receives=receives) == [KEPT]
    assert queue.delays() == [delay]


@pytest.mark.parametrize("code", [660900004, 3, 100000004, -1])
def test_an_error_that_needs_intervention_is_retried_until_the_tenth_receive_and_then_dead_lettered(
    zim: SimulatorClient, queue: Queue, log: Log, code: int
) -> None:
    zim.fault("code", times=2, code=code)
    assert queue.process(members(zim), receives=9) == [KEPT]
    assert queue.delays() == [30]
    assert queue.dead_letters() == []
    message = json.dumps(members(zim))
    assert queue.process(message, receives=10) == [DELETED]
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.body == message
    assert str(code) in dead_letter.reason
    assert queue.delays() == [30]
    assert [("exception" in line) for line in log.lines] == [False, False]


def test_the_age_counts_at_each_retry(zim: SimulatorClient, queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    zim.fault("code", code=1)
    queue.process(members(zim), receives=7, age=61)
    assert json.loads(capsys.readouterr().out)["MessageAge"] == [pytest.approx(61, abs=5)]


def test_the_age_does_not_count_if_the_message_can_become_a_dead_letter(
    zim: SimulatorClient, queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.process({**members(zim), "CallId": "made-up"}, receives=9, age=130)
    printed = json.loads(capsys.readouterr().out)
    assert printed["CallNotFound"] == [1.0]
    assert "MessageAge" not in printed


@pytest.mark.parametrize(
    ("body", "name", "words"),
    [
        ("no JSON", "InvalidRequest", "body violates json"),
        ("[]", "InvalidRequest", "body violates type"),
        ({"detail-type": "CallRejectRequested"}, "InvalidRequest", "body violates type"),
        (
            {"detail-type": "CallRejectRequested", "detail": {"FromUserId": "u"}},
            "InvalidRequest",
            "CallId violates required",
        ),
        ({"Type": "Notification", "Message": 7}, "InvalidRequest", "body violates json"),
        ({"Type": "Notification"}, "InvalidRequest", "body violates required"),
        (
            {"Type": "Notification", "Message": '{"detail-type": "CallRejectRequested"}'},
            "InvalidRequest",
            "body violates type",
        ),
        ({"Type": "Other", "Message": "{}"}, "InvalidRequest", "FromUserId violates required"),
        ({"FromUserId": "nobody", "CallId": "c"}, "UserNotRegistered", "660500002"),
    ],
)
def test_a_permanent_error_is_dead_lettered_immediately_with_its_reason(
    zim: SimulatorClient, queue: Queue, log: Log, body: Any, name: str, words: str
) -> None:
    assert queue.process(body) == [DELETED]
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.body == (body if isinstance(body, str) else json.dumps(body))
    assert dead_letter.reason.startswith(f"{name}: ")
    assert words in dead_letter.reason
    assert [line["outcome"] for line in log.lines] == [name]


@pytest.mark.parametrize(
    ("age", "seconds", "sent"),
    [(0, 1, True), (0, 0, False), (599, 3600, True), (600, 3600, False)],
    ids=["before ExpiresAt", "at ExpiresAt", "before ten minutes", "after ten minutes despite ExpiresAt"],
)
def test_a_message_expires_at_expires_at_or_after_ten_minutes(
    zim: SimulatorClient, queue: Queue, monkeypatch: pytest.MonkeyPatch, age: float, seconds: int, *, sent: bool
) -> None:
    now = int(time.time())
    monkeypatch.setattr(time, "time", lambda: float(now))
    message = {**members(zim), "ExpiresAt": now + seconds}
    assert queue.process(message, age=age) == [DELETED]
    assert len(zim.requests()) == (1 if sent else 0)
    assert queue.dead_letters() == []


def test_an_invalid_message_is_dead_lettered_however_old_it_is(queue: Queue) -> None:
    assert queue.process("no JSON", age=601) == [DELETED]
    assert len(queue.dead_letters()) == 1


@pytest.mark.parametrize(
    "body",
    ["no JSON", {"FromUserId": "user0"}, {"FromUserId": "nobody", "CallId": "c"}],
)
def test_a_permanent_error_that_a_caller_of_the_api_caused_is_deleted(queue: Queue, body: Any) -> None:
    assert queue.process(body, source="api") == [DELETED]
    assert queue.dead_letters() == []


@pytest.mark.parametrize(("receives", "result"), [(2, KEPT), (3, DELETED)])
def test_a_call_that_a_caller_of_the_api_made_up_is_deleted_at_the_third_receive(
    zim: SimulatorClient, queue: Queue, receives: int, result: str
) -> None:
    message = {**members(zim), "CallId": "made-up"}
    assert queue.process(message, receives=receives, source="api") == [result]
    assert queue.dead_letters() == []


@pytest.mark.parametrize("source", [None, "server", "API", b"api"])
def test_a_call_that_a_server_made_up_is_dead_lettered(
    zim: SimulatorClient, queue: Queue, source: str | bytes | None
) -> None:
    message = {**members(zim), "CallId": "made-up"}
    assert queue.process(message, receives=9, source=source) == [KEPT]
    assert queue.process(message, receives=10, source=source) == [DELETED]
    assert len(queue.dead_letters()) == 1


@pytest.mark.parametrize("source", [None, "api"])
def test_an_error_of_the_operator_is_dead_lettered_with_the_source_for_a_redrive(
    zim: SimulatorClient, queue: Queue, source: str | None
) -> None:
    zim.fault("code", code=100000004, times=2)
    assert queue.process(members(zim), receives=9, source=source) == [KEPT]
    assert queue.process(members(zim), receives=10, source=source) == [DELETED]
    assert [letter.source for letter in queue.dead_letters()] == [source]


def test_one_invalid_message_does_not_delay_the_others(zim: SimulatorClient, queue: Queue) -> None:
    valid = [members(zim), members(zim)]
    zim.fault("code", code=1)
    assert queue.process(members(zim), "no JSON", *valid) == [KEPT, DELETED, DELETED, DELETED]
    assert [zim.call(call["CallId"]).state for call in valid] == ["rejected", "rejected"]
    assert queue.delays() == [1]


def test_a_message_is_retried_if_too_little_of_the_invocation_is_left(
    zim: SimulatorClient, queue: Queue, log: Log
) -> None:
    assert queue.process(members(zim), remaining_ms=1_499) == [KEPT]
    assert [line["outcome"] for line in log.lines] == ["RateLimited"]
    assert queue.delays() == [1]
    assert queue.process(members(zim), remaining_ms=3_000) == [DELETED]


def test_a_message_is_kept_if_its_dead_letter_cannot_be_sent(queue: Queue, log: Log) -> None:
    queue.dead_letter_queue.delete()
    assert queue.process("no JSON") == [KEPT]
    outcome, crash = log.lines
    assert (outcome["outcome"], crash["level"]) == ("InvalidRequest", "ERROR")
    assert "NonExistentQueue" in crash["exception"]
    assert "exception" not in outcome
    assert queue.visibility_changes == []


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
def test_an_unexpected_error_keeps_the_message_and_logs_one_traceback(
    zim: SimulatorClient, queue: Queue, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(queue.function.app.service, "reject", crash)
    assert queue.process(members(zim)) == [KEPT]
    (line,) = log.lines
    assert line["level"] == "ERROR"
    assert line["exception_name"] == "ZeroDivisionError"
    assert queue.visibility_changes == []
    assert queue.dead_letters() == []
