"""POST /call-reject and direct invocation: reject one call and return ZIM's response. Also runs the canary."""

from zim.startup import service

import json
import os
import secrets
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from zim import http_api
from zim.allowance import UserAllowance
from zim.errors import CallNotFound, CallRejectError, RateLimited
from zim.request import CallRejectRequest
from zim.telemetry import logger, metrics, observe, report_canary

JWT_USER_CLAIM = os.environ.get("JWT_USER_CLAIM")

allowance = UserAllowance()


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId", log_event=False)
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Return an HTTP response for an HTTP API event, and ZIM's response for a bare request."""
    remaining_seconds = context.get_remaining_time_in_millis() / 1000
    if isinstance(event, dict) and isinstance(event.get("requestContext"), dict):
        return _handle_http(event, remaining_seconds)
    if isinstance(event, dict) and event.keys() == {"CanaryUserId"}:
        return _run_canary(event["CanaryUserId"], remaining_seconds)
    return _handle_direct(event, remaining_seconds)


def _handle_http(event: dict[str, Any], remaining_seconds: float) -> dict[str, Any]:
    try:
        with observe("http", service.stats) as observation:
            observation.received_at = http_api.received_at(event)
            user = observation.user_id = http_api.authorized_user(event, JWT_USER_CLAIM)
            if user:
                allowance.use(user)
            observation.request = http_api.parse_request(event, user)
            observation.response = service.reject(observation.request, remaining_seconds)
    except CallRejectError as error:
        return http_api.problem_response(error)
    return http_api.response(200, observation.response.to_dict())


def _handle_direct(event: Any, remaining_seconds: float) -> dict[str, Any]:
    try:
        with observe("direct", service.stats) as observation:
            observation.request = CallRejectRequest.from_dict(event)
            observation.response = service.reject(observation.request, remaining_seconds)
    except CallRejectError as error:
        # Lambda returns the class name as errorType, and the text of the exception as errorMessage.
        error.args = (json.dumps(http_api.problem(error)),)
        raise
    return observation.response.to_dict()


def _run_canary(user_id: str, remaining_seconds: float) -> dict[str, Any]:
    """Reject a call that does not exist.

    ZIM answers that it does not find the call only if the secret, the clock, the host and the project are right.
    """
    service.stats.reset()
    failure = None
    try:
        request = CallRejectRequest.from_dict({"FromUserId": user_id, "CallId": f"canary-{secrets.token_hex(8)}"})
        service.reject(request, remaining_seconds)
        failure = "ZIM accepted a call that does not exist"
    except CallNotFound:
        pass
    except RateLimited:
        report_canary(None, service.stats, skipped=True)
        return {"passed": None}
    except CallRejectError as error:
        failure = f"{error.name}: {error.cause}"
    report_canary(failure, service.stats)
    return {"passed": failure is None}
