"""POST /call-reject/async: a request that is valid is put on the queue and answered at once. ZIM is not called here."""

import json
import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

import http_api
from zim.aws import client
from zim.outcome import ACCEPTED, QUEUE_UNAVAILABLE, Failed, Outcome, Spent
from zim.request import CallRejectRequest
from zim.telemetry import logger, metrics, report

QUEUE_URL = os.environ["QUEUE_URL"]
queue = client("sqs")


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId", log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answer an HTTP API's event with 202 and the message's id, or with a problem."""
    request = None
    try:
        request = http_api.request(event)
        named = {"MessageId": _queued(request)}
        outcome = Outcome(ACCEPTED, "", "put on the queue", Spent(), named=named)
    except Failed as failed:
        outcome = Outcome.of_failure(failed)
    report(outcome, "http", request)
    return http_api.response(outcome)


def _queued(request: CallRejectRequest) -> str:
    try:
        # As ASCII: a message may not hold every character that ExtendedData may.
        message_id: str = queue.send_message(QueueUrl=QUEUE_URL, MessageBody=json.dumps(request.members()))["MessageId"]
    except (BotoCoreError, ClientError) as error:
        detail = "The request may not be on the queue; asking again is harmless."
        raise Failed(QUEUE_UNAVAILABLE, detail, f"the queue refused the message: {error}") from None
    return message_id
