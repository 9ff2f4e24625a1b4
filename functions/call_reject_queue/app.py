"""Drains the queue: each message holds one request, in whatever a sender wrapped it, and ends as its outcome says.

A message is retried by leaving it on the queue with a delay of its own; it is dead-lettered by hand, so that the reason
goes with it. The queue's own redrive is only for what kills the function again and again.
"""

import os
import time
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from zim.aws import client
from zim.call_reject import CallReject
from zim.outcome import TOO_OLD, Failed, Outcome, Queued, Spent
from zim.request import RINGING_SECONDS, CallRejectRequest, decoded, from_members
from zim.settings import Settings
from zim.telemetry import logger, metrics, report

QUEUE_URL = os.environ["QUEUE_URL"]
DEAD_LETTER_QUEUE_URL = os.environ["DEAD_LETTER_QUEUE_URL"]

LONGEST_DELAY_SECONDS = 30
TRIES = 10
"""Before a message is dead-lettered whose outcome may change, but not by itself: two and a half minutes."""

call_reject = CallReject.from_settings(Settings.from_environment(os.environ))
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
queue = client("sqs")


class StaysOnTheQueueError(Exception):
    """Tells the batch processor that a message is not done with."""


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Take a batch of messages, and return those that stay on the queue (`batchItemFailures`)."""
    return process_partial_response(event, _handled, processor, context)


def _handled(record: SQSRecord, lambda_context: LambdaContext) -> None:
    try:
        _settle(record, _outcome(record, lambda_context.get_remaining_time_in_millis() / 1000))
    except StaysOnTheQueueError:
        raise
    except Exception:
        # The processor takes it as a failed message and says nothing.
        logger.exception("the message stays on the queue until its visibility timeout ends")
        raise


def _settle(record: SQSRecord, outcome: Outcome) -> None:
    receives = int(record.attributes.approximate_receive_count or 1)
    match _fate(outcome.kind.queued, receives):
        case Queued.RETRY:
            delay = min(2 ** (receives - 1), LONGEST_DELAY_SECONDS)
            queue.change_message_visibility(
                QueueUrl=QUEUE_URL, ReceiptHandle=record.receipt_handle, VisibilityTimeout=delay
            )
            raise StaysOnTheQueueError
        case Queued.DEAD_LETTER:
            reason = f"{outcome.kind.name}: {outcome.cause}"
            queue.send_message(
                QueueUrl=DEAD_LETTER_QUEUE_URL,
                MessageBody=record.body,
                MessageAttributes={"Reason": {"DataType": "String", "StringValue": reason}},
            )


def _fate(queued: Queued, receives: int) -> Queued:
    if queued is Queued.RETRY_THEN_DEAD_LETTER:
        return Queued.RETRY if receives < TRIES else Queued.DEAD_LETTER
    return queued


def _outcome(record: SQSRecord, remaining: float) -> Outcome:
    request = None
    age = time.time() - int(record.attributes.sent_timestamp) / 1000
    try:
        request = _request(record.body)
        outcome = _too_old(age) or call_reject(request, remaining)
    except Failed as failed:
        outcome = Outcome.of_failure(failed)
    if outcome.kind.queued is not Queued.RETRY_THEN_DEAD_LETTER:
        # SQS's own metric of the age leaves out what was received three times, which every retried message soon was.
        # What may become a dead letter has its own alarm: a wrong CallId, tried for two minutes, is no late queue.
        metrics.add_metric(name="MessageAge", unit=MetricUnit.Seconds, value=age)
    report(outcome, "queue", request)
    return outcome


def _too_old(age: float) -> Outcome | None:
    if age <= RINGING_SECONDS:
        return None
    return Outcome(TOO_OLD, "", f"dropped, for it waited {age:.0f} s and no invitation rings for so long", Spent())


def _request(body: str) -> CallRejectRequest:
    """Unwrap a bare request, the `detail` of an EventBridge event, or the `Message` of an SNS notification."""
    members = decoded(body)
    if isinstance(members, dict):
        if members.get("Type") == "Notification":
            members = decoded(members.get("Message"))
        elif "detail-type" in members:
            members = members.get("detail")
    return from_members(members)
