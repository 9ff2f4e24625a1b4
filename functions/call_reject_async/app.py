"""POST /call-reject/async: put a valid request on the queue. This function does not call ZIM."""

import json
import os
import time
from dataclasses import replace
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from zim import http_api
from zim.allowance import UserAllowance
from zim.aws import client
from zim.errors import CallRejectError, QueueUnavailable, RequestExpired
from zim.request import CallRejectRequest
from zim.telemetry import ACCEPTED, hash_user_id, logger, metrics, observe

JWT_USER_CLAIM = os.environ.get("JWT_USER_CLAIM")
EXPIRES_AFTER_SECONDS = int(os.environ["EXPIRES_AFTER_SECONDS"])
QUEUE_URL = os.environ["QUEUE_URL"]

allowance = UserAllowance()
queue = client("sqs")


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId", log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answer an HTTP API event with 202 and the message id, or with a problem."""
    try:
        with observe("http", success=ACCEPTED) as observation:
            user = observation.user_id = http_api.authorized_user(event, JWT_USER_CLAIM)
            if user:
                allowance.use(user)
            request = observation.request = http_api.parse_request(event, user)
            message_id = _send(_with_expiry(request))
    except CallRejectError as error:
        return http_api.problem_response(error)
    return http_api.response(202, {"MessageId": message_id})


def _with_expiry(request: CallRejectRequest) -> CallRejectRequest:
    """Return the request with ExpiresAt, so that it does not reject a later invitation under the same CallId."""
    now = int(time.time())
    if request.expires_at is None:
        return replace(request, expires_at=now + EXPIRES_AFTER_SECONDS)
    if request.expires_at <= now:
        raise RequestExpired("ExpiresAt is in the past.")
    return request


def _send(request: CallRejectRequest) -> str:
    try:
        message: dict[str, str] = queue.send_message(
            QueueUrl=QUEUE_URL,
            # json.dumps escapes to ASCII, because a message cannot contain every character that ExtendedData can.
            MessageBody=json.dumps(request.to_dict()),
            # Fair queues: SQS delivers the messages of other users first while one user has a backlog.
            MessageGroupId=hash_user_id(request.from_user_id),
            # The queue function recognizes messages of the API by this attribute, which callers of the API cannot set.
            MessageAttributes={"Source": {"DataType": "String", "StringValue": "api"}},
        )
    except (BotoCoreError, ClientError) as error:
        raise QueueUnavailable(
            "The queue did not confirm the request. It may have been queued.", cause=f"cannot send the message: {error}"
        ) from None
    return message["MessageId"]
