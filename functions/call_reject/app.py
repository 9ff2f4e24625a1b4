"""POST /call-reject, and direct invocation with a bare request: one request, answered with ZIM's outcome."""

import base64
import json
import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from zim.call_reject import CallReject
from zim.outcome import REJECTED, Failed, Outcome
from zim.request import CallRejectRequest, from_members, parse
from zim.settings import Settings
from zim.telemetry import logger, metrics, report

call_reject = CallReject.from_settings(Settings.from_environment(os.environ))


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId")
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Answer an HTTP API's event (payload format 2.0) with a response, and a bare request with ZIM's answer.

    Raises
    ------
    Exception
        for a bare request that failed: its class has the name of the outcome, for Step Functions to catch, and its
        message is the problem as JSON.
    """
    if isinstance(event, dict) and "requestContext" in event:
        return _response(_outcome(lambda: parse(_body(event)), "http", context))
    outcome = _outcome(lambda: from_members(event), "direct", context)
    if outcome.kind is not REJECTED:
        raise type(outcome.kind.name, (Exception,), {})(json.dumps(outcome.body()))
    return outcome.body()


def _outcome(read: Callable[[], CallRejectRequest], trigger: str, context: LambdaContext) -> Outcome:
    request = None
    try:
        request = read()
        outcome = call_reject(request, context.get_remaining_time_in_millis() / 1000)
    except Failed as failed:
        outcome = Outcome.of_failure(failed)
    report(outcome, trigger, request.call_id if request else None)
    return outcome


def _body(event: dict[str, Any]) -> str | bytes | None:
    body = event.get("body")
    return base64.b64decode(body) if body and event.get("isBase64Encoded") else body


def _response(outcome: Outcome) -> dict[str, Any]:
    headers = {"Content-Type": "application/json" if outcome.kind is REJECTED else "application/problem+json"}
    if outcome.retry_after is not None:
        headers["Retry-After"] = str(outcome.retry_after)
    return {"statusCode": outcome.kind.status, "headers": headers, "body": json.dumps(outcome.body())}
