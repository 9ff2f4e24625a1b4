"""What the functions behind HTTPS share: an HTTP API's event (payload format 2.0) in, its response out."""

import base64
import json
import os
from typing import Any

from zim.outcome import NOT_ALLOWED, Failed, Outcome
from zim.request import CallRejectRequest, decoded, from_members

JWT_USER_CLAIM = os.environ.get("JWT_USER_CLAIM")
"""The claim that says who asks. Without one the API asks for IAM, and servers reject calls for any user."""


def request(event: dict[str, Any]) -> CallRejectRequest:
    """Return the request that an event carries, made by the user of its token, if the API asks for tokens.

    Raises
    ------
    Failed
        with INVALID_REQUEST, or with NOT_ALLOWED if the token is not that of a user, or of another one.
    """
    user = _user(event) if JWT_USER_CLAIM else None
    sent: str | None = event.get("body")
    members = decoded(base64.b64decode(sent) if sent and event.get("isBase64Encoded") else sent)
    if user is None or not isinstance(members, dict):
        return from_members(members)
    if members.get("FromUserId", user) != user:
        raise _not_allowed("FromUserId is not the user of the token; leave it out.", "FromUserId is another user")
    try:
        return from_members({**members, "FromUserId": user})
    except Failed as failed:
        if failed.named["member"] == "FromUserId":
            rule = failed.named["rule"]
            raise _not_allowed(
                f"The token's claim {JWT_USER_CLAIM} is no FromUserId: it breaks the rule {rule}.",
                f"the claim {JWT_USER_CLAIM} breaks {rule}",
            ) from None
        raise


def _user(event: dict[str, Any]) -> str:
    authorizer = event["requestContext"].get("authorizer") or {}
    user = authorizer.get("jwt", {}).get("claims", {}).get(JWT_USER_CLAIM)
    if not isinstance(user, str):
        what = "is missing from the token" if user is None else "in the token is no string"
        raise _not_allowed(f"The claim {JWT_USER_CLAIM} {what}.", f"the claim {JWT_USER_CLAIM} {what}")
    return user


def _not_allowed(detail: str, cause: str) -> Failed:
    return Failed(NOT_ALLOWED, detail, cause)


def response(outcome: Outcome) -> dict[str, Any]:
    """Return the response that tells a caller of an outcome."""
    headers = {"Content-Type": "application/json" if outcome.kind.is_success() else "application/problem+json"}
    if outcome.retry_after is not None:
        headers["Retry-After"] = str(outcome.retry_after)
    return {"statusCode": outcome.kind.status, "headers": headers, "body": json.dumps(outcome.body())}
