"""API Gateway HTTP API events (payload format 2.0) and their responses (RFC 9457). For the functions behind HTTPS only.

See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
"""

import base64
import json
import math
from typing import Any

from aws_lambda_powertools.utilities.validation import SchemaValidationError, validate

from zim.errors import CallRejectError, Forbidden, InvalidRequest, RequestTooLarge
from zim.request import USER_ID_SCHEMA, CallRejectRequest, parse_json

MAX_BODY_CHARACTERS = 16 * 1024
"""The longest valid request, with every character of ExtendedData escaped, is shorter."""


def authorized_user(event: dict[str, Any], claim: str | None) -> str | None:
    """Return the user of the token, or None if IAM authorized the caller, who can act for any user.

    The event says how the route authorized the caller. During a deployment or after a rollback, that can differ from
    what this version of the function is configured for.

    Parameters
    ----------
    event
        The event of an HTTP API.
    claim
        The claim of the JWT that is the FromUserId, or None if the function expects callers that IAM authorizes.

    Raises
    ------
    Forbidden
        if the route authorized the caller in another way, or if the token does not identify a user.
    """
    authorizer = event["requestContext"].get("authorizer") or {}
    is_expected = "jwt" in authorizer if claim else authorizer.keys() <= {"iam"}
    if not is_expected:
        raise Forbidden(
            "The API and its function expect different authorization. If this lasts, contact the operator.",
            cause=f"expected {'a JWT' if claim else 'IAM'}, the authorizer is {', '.join(authorizer) or 'missing'}",
        )
    if not claim:
        return None
    user = authorizer["jwt"].get("claims", {}).get(claim)
    if user is None:
        raise Forbidden(f"The token has no claim {claim}.")
    try:
        validate(event=user, schema=USER_ID_SCHEMA)
    except SchemaValidationError as error:
        # Not chained: the validator's message quotes the claim.
        raise Forbidden(
            f"The claim {claim} of the token is not a valid FromUserId: it violates the rule {error.rule}."
        ) from None
    return str(user)


def received_at(event: dict[str, Any]) -> float | None:
    """Return when API Gateway received the request, in Unix seconds, or None if the event does not say so."""
    milliseconds = event["requestContext"].get("timeEpoch")
    return None if milliseconds is None else milliseconds / 1000


def parse_request(event: dict[str, Any], user: str | None) -> CallRejectRequest:
    """Return the request in an event.

    Parameters
    ----------
    event
        The event of an HTTP API.
    user
        The user of the token, who is the FromUserId, or None if the caller can act for any user.

    Raises
    ------
    RequestTooLarge
        if the body is longer than `MAX_BODY_CHARACTERS`.
    InvalidRequest
        if the body is not a valid request.
    Forbidden
        if the body names another user.
    """
    body, is_base64 = event.get("body"), event.get("isBase64Encoded")
    # Base64 encodes three bytes in four characters.
    if body and len(body) > (math.ceil(MAX_BODY_CHARACTERS / 3) * 4 if is_base64 else MAX_BODY_CHARACTERS):
        raise RequestTooLarge(f"The body is longer than {MAX_BODY_CHARACTERS} characters.")
    members = parse_json(_decode_base64(body) if body and is_base64 else body)
    if user is not None and isinstance(members, dict):
        if members.get("FromUserId", user) != user:
            raise Forbidden(
                "FromUserId differs from the user of the token. Omit it.", cause="FromUserId is another user"
            )
        members = {**members, "FromUserId": user}
    return CallRejectRequest.from_dict(members)


def _decode_base64(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InvalidRequest(
            "The body is not base64, although the event says so.",
            cause="body violates base64",
            member="body",
            rule="base64",
        ) from None


def response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a JSON response to API Gateway."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(body),
    }


def problem_response(error: CallRejectError) -> dict[str, Any]:
    """Return the response to API Gateway for an error."""
    headers = {"Content-Type": "application/problem+json"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return response(error.status, problem(error), headers)


def problem(error: CallRejectError) -> dict[str, Any]:
    """Return an error as a problem (RFC 9457), with ZIM's response if there is one."""
    members: dict[str, Any] = {
        "type": f"urn:problem-type:call-reject:{error.name}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "retryable": error.retryable,
    }
    if isinstance(error, InvalidRequest) and error.member is not None:
        members |= {"member": error.member, "rule": error.rule}
    if error.response:
        members |= error.response.to_dict()
    return members
