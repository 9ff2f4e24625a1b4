"""Process the queue: reject the call in each message, then delete, retry or dead-letter the message.

A retry sets the visibility timeout of the message. The function itself sends a message to the dead-letter queue, so
that the reason is included. The redrive policy of the queue is only for messages that crash the function.
"""

from zim.startup import service

import os
import time
from dataclasses import replace
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from zim.aws import client
from zim.errors import CallNotFound, CallRejectError, InvalidRequest, QueueAction, UserNotRegistered, ZimRejectedRequest
from zim.request import CallRejectRequest, parse_json
from zim.telemetry import logger, metrics, observe

QUEUE_URL = os.environ["QUEUE_URL"]
DEAD_LETTER_QUEUE_URL = os.environ["DEAD_LETTER_QUEUE_URL"]

MAX_AGE_SECONDS = 600
"""An invitation rings at most this long. A message expires after this time, with or without ExpiresAt."""

MAX_RETRY_DELAY_SECONDS = 30

MAX_RECEIVES = 10
"""Receives before RETRY_THEN_DEAD_LETTER gives up, after about two and a half minutes."""

CALLER_ERRORS = (CallNotFound, InvalidRequest, UserNotRegistered, ZimRejectedRequest)
"""Errors that the caller of the API caused. Their messages are deleted, because each dead letter triggers an alarm."""

MAX_RECEIVES_CALLER_ERROR = 3

processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
queue = client("sqs")


class RetryLaterError(Exception):
    """Tell the batch processor to leave the message on the queue."""


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Process a batch of messages and return those that stay on the queue (`batchItemFailures`)."""
    return process_partial_response(event, _process, processor, context)


def _process(record: SQSRecord, lambda_context: LambdaContext) -> None:
    try:
        _process_message(record, lambda_context.get_remaining_time_in_millis() / 1000)
    except RetryLaterError:
        raise
    except Exception:
        # The batch processor does not log errors.
        logger.exception("the message stays on the queue until its visibility timeout ends")
        raise


def _process_message(record: SQSRecord, remaining_seconds: float) -> None:
    sent_at = int(record.attributes.sent_timestamp) / 1000
    age = time.time() - sent_at
    failure: CallRejectError | None = None
    try:
        with observe("queue", service.stats) as observation:
            observation.request = _parse(record.body, int(sent_at) + MAX_AGE_SECONDS)
            observation.response = service.reject(observation.request, remaining_seconds)
    except CallRejectError as error:
        failure = error
    if failure is None or failure.queue_action is not QueueAction.RETRY_THEN_DEAD_LETTER:
        # The metric of SQS ignores messages that were received three times or more, as retried ones soon are. Messages
        # that can become dead letters are excluded: they have an alarm, and a wrong CallId is not a slow queue.
        metrics.add_metric(name="MessageAge", unit=MetricUnit.Seconds, value=age)
    if failure:
        _handle_failure(failure, record)


def _parse(body: str, latest_expiry: int) -> CallRejectRequest:
    """Return the request in a message: bare, in the `detail` of an EventBridge event, or either in an SNS notification.

    The request expires at `latest_expiry` (Unix seconds) or earlier.
    """
    members = parse_json(body)
    if isinstance(members, dict) and members.get("Type") == "Notification":
        members = parse_json(members.get("Message"))
    if isinstance(members, dict) and "detail-type" in members:
        members = members.get("detail")
    request = CallRejectRequest.from_dict(members)
    return replace(request, expires_at=min(request.expires_at or latest_expiry, latest_expiry))


def _handle_failure(error: CallRejectError, record: SQSRecord) -> None:
    receives = int(record.attributes.approximate_receive_count or 1)
    action = _queue_action(error, receives, from_api=_is_from_api(record))
    if action is QueueAction.RETRY:
        delay = min(2 ** (receives - 1), MAX_RETRY_DELAY_SECONDS)
        queue.change_message_visibility(
            QueueUrl=QUEUE_URL, ReceiptHandle=record.receipt_handle, VisibilityTimeout=delay
        )
        raise RetryLaterError
    if action is QueueAction.DEAD_LETTER:
        attributes = {"Reason": {"DataType": "String", "StringValue": f"{error.name}: {error.cause}"}}
        if _is_from_api(record):
            # So that it is still known after the message is moved back to the queue.
            attributes["Source"] = {"DataType": "String", "StringValue": "api"}
        queue.send_message(QueueUrl=DEAD_LETTER_QUEUE_URL, MessageBody=record.body, MessageAttributes=attributes)


def _queue_action(error: CallRejectError, receives: int, *, from_api: bool) -> QueueAction:
    """Return DELETE, RETRY or DEAD_LETTER."""
    caller_error = from_api and isinstance(error, CALLER_ERRORS)
    action = error.queue_action
    if action is QueueAction.RETRY_THEN_DEAD_LETTER:
        max_receives = MAX_RECEIVES_CALLER_ERROR if caller_error else MAX_RECEIVES
        action = QueueAction.RETRY if receives < max_receives else QueueAction.DEAD_LETTER
    return QueueAction.DELETE if caller_error and action is QueueAction.DEAD_LETTER else action


def _is_from_api(record: SQSRecord) -> bool:
    """Return whether POST /call-reject/async sent the message."""
    source: dict[str, Any] = record.raw_event.get("messageAttributes", {}).get("Source", {})
    return source.get("stringValue") == "api"  # missing in a binary attribute
