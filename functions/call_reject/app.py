"""POST /call-reject, and direct invocation with a bare request: one request, answered with ZIM's outcome."""

import json
import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from snapshot_restore_py import register_after_restore

import http_api
from zim.call_reject import CallReject
from zim.outcome import Failed, Outcome
from zim.request import CallRejectRequest, from_members
from zim.settings import Settings
from zim.telemetry import logger, metrics, report

call_reject = CallReject.from_settings(Settings.from_environment(os.environ))
register_after_restore(call_reject.start_anew)  # with SnapStart


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId", log_event=False)
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Answer an HTTP API's event with a response, and a bare request with ZIM's answer.

    Raises
    ------
    Exception
        for a bare request that failed: its class has the name of the outcome, for Step Functions to catch, and its
        message is the problem as JSON.
    """
    if isinstance(event, dict) and "requestContext" in event:
        return http_api.response(_outcome(lambda: http_api.request(event), "http", context))
    outcome = _outcome(lambda: from_members(event), "direct", context)
    if not outcome.kind.is_success():
        raise type(outcome.kind.name, (Exception,), {})(json.dumps(outcome.body()))
    return outcome.body()


def _outcome(read: Callable[[], CallRejectRequest], trigger: str, context: LambdaContext) -> Outcome:
    request = None
    try:
        request = read()
        outcome = call_reject(request, context.get_remaining_time_in_millis() / 1000)
    except Failed as failed:
        outcome = Outcome.of_failure(failed)
    report(outcome, trigger, request)
    return outcome
