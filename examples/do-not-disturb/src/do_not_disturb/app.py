"""POST /callbacks/zim for ZIM, and /do-not-disturb for users."""

import os
import re
import time
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import (
    BadRequestError,
    ForbiddenError,
    ServiceError,
    ServiceUnavailableError,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
)
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError, TransformParameterError
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from do_not_disturb import callback, invitations, settings
from do_not_disturb.aws import CONFIG
from do_not_disturb.telemetry import FAILED, IGNORED, REJECTED, logger, report

CALLBACK_SECRET_ID = os.environ["CALLBACK_SECRET_ID"]
INVITATION_TIMEOUT_SECONDS = int(os.environ["INVITATION_TIMEOUT_SECONDS"])
JWT_USER_CLAIM = os.environ.get("JWT_USER_CLAIM")

SECRET_MAX_AGE_SECONDS = 30
"""A rotated secret is read within this time. ZIM retries callbacks for longer."""

LATEST_TIME = 253402300799
"""The last second of the year 9999. A time in milliseconds, a common mistake, is later."""

USER_ID = re.compile(r"[0-9A-Za-z !#$%&()+\-:;<=.>?@\[\]^_{}|~]{1,32}")

app = APIGatewayHttpResolver()
secrets = SecretsProvider(boto_config=CONFIG)


class SecretError(Exception):
    """The secret has no member CallbackSecret."""


UNAVAILABLE = (
    BotoCoreError,
    ClientError,
    GetParameterError,
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    SecretError,
    TransformParameterError,
    invitations.EventBusError,
    settings.SettingsUnavailableError,
)


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId", log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle an HTTP API event (payload format 2.0)."""
    invitations.idempotency.register_lambda_context(context)
    response: dict[str, Any] = app.resolve(event, context)
    return response


@app.post("/callbacks/zim")
def receive_callback() -> dict[str, str]:
    """Publish the invitation in a callback. If that fails, the response of 503 makes ZIM retry."""
    invitation = None
    try:
        received = callback.parse(_body())
        callback.verify(received, _callback_secret(), time.time())
        invitation = callback.Invitation.from_callback(received, INVITATION_TIMEOUT_SECONDS)
        # Also for callbacks that are ignored, whose signature could be used for another body.
        invitations.claim_nonce(received["nonce"], received["timestamp"], callback.identity(received, invitation))
        outcome = invitations.publish(invitation) if invitation else IGNORED
    except ServiceError as error:
        report(REJECTED, invitation, str(error.msg))
        raise
    except UNAVAILABLE as error:
        report(FAILED, invitation, f"nothing is rejected: {type(error).__name__}: {error}")
        raise ServiceUnavailableError("The callback was not processed.") from None
    report(outcome, invitation)
    return {"outcome": outcome}


def _body() -> str:
    try:
        return app.current_event.decoded_body or ""
    except ValueError:
        raise BadRequestError("The body is not UTF-8.") from None


def _callback_secret() -> str:
    secret = secrets.get(CALLBACK_SECRET_ID, max_age=SECRET_MAX_AGE_SECONDS, transform="json")
    if not isinstance(secret, dict) or not isinstance(secret.get("CallbackSecret"), str):
        raise SecretError("The secret has no member CallbackSecret.")
    return str(secret["CallbackSecret"])


@app.get("/do-not-disturb")
def get_settings() -> dict[str, Any]:
    """Return `Until`, or null if "do not disturb" is off, and the `Blocked` callers."""
    return settings.get(_user())


@app.put("/do-not-disturb")
def switch_on() -> Response[str]:
    """Switch "do not disturb" on until a time: `{"Until": <Unix seconds>}`."""
    user = _user()
    try:
        until = app.current_event.json_body["Until"]
    except (ValueError, TypeError, KeyError):
        until = None
    if type(until) is not int or not time.time() < until <= LATEST_TIME:
        raise BadRequestError("Until must be an integer, a future time in Unix seconds.")
    settings.switch_on(user, until)
    return Response(HTTPStatus.NO_CONTENT, body="")


@app.delete("/do-not-disturb")
def switch_off() -> Response[str]:
    """Switch "do not disturb" off."""
    settings.switch_off(_user())
    return Response(HTTPStatus.NO_CONTENT, body="")


@app.put("/do-not-disturb/blocked")
def block() -> Response[str]:
    """Block the caller in the query parameter `Caller`."""
    settings.block(_user(), _user_id("Caller"))
    return Response(HTTPStatus.NO_CONTENT, body="")


@app.delete("/do-not-disturb/blocked")
def unblock() -> Response[str]:
    """Unblock the caller in the query parameter `Caller`."""
    settings.unblock(_user(), _user_id("Caller"))
    return Response(HTTPStatus.NO_CONTENT, body="")


def _user() -> str:
    """Return the user of the token, or the query parameter `UserId` if IAM authorized the caller.

    The event says how the route authorized the caller.
    """
    authorizer = app.current_event.raw_event["requestContext"].get("authorizer") or {}
    if bool(JWT_USER_CLAIM) != ("jwt" in authorizer):
        raise ForbiddenError("The API and its function expect different authorization.")
    if not JWT_USER_CLAIM:
        return _user_id("UserId")
    user = str(authorizer["jwt"]["claims"].get(JWT_USER_CLAIM, ""))
    if not USER_ID.fullmatch(user):
        raise ForbiddenError(f"The claim {JWT_USER_CLAIM} of the token is not a ZIM user id.")
    return user


def _user_id(parameter: str) -> str:
    user = (app.current_event.query_string_parameters or {}).get(parameter, "")
    if not USER_ID.fullmatch(user):
        raise BadRequestError(f"The query parameter {parameter} must be a ZIM user id.")
    return user
