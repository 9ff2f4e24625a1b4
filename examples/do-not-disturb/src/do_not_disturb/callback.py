"""ZIM's callbacks of invitations: their form, their signature, and what they say.

See https://www.zegocloud.com/docs/zim-server/callbacks/call-invitation-sent (`call_create`) and
https://www.zegocloud.com/docs/zim-server/callbacks/call-invitation-during-a-call (`call_invite`).
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote_plus

from aws_lambda_powertools.event_handler.exceptions import BadRequestError, ForbiddenError
from aws_lambda_powertools.utilities.validation import SchemaValidationError, validate

MAX_AGE_SECONDS = 300
"""How much the timestamp of a callback can differ from the clock. ZIM's last retry is 62 s after the first attempt."""

# EventBridge does not escape values in an input transformer: https://docs.aws.amazon.com/eventbridge/latest/userguide/
# eb-transform-target-input.html. No id of ZIM contains these characters.
_TEXT = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r'^[^"\\\x00-\x1f\ud800-\udfff]*$'}
_ID = {**_TEXT, "maxLength": 32}
_TIME = {"type": "integer", "minimum": 1}
_SIGNED = {
    "event": _TEXT,
    "nonce": _TEXT,
    "signature": _TEXT,
    # One form only, because the signature covers the text.
    "timestamp": {"type": "integer", "minimum": 10**9, "maximum": 10**10 - 1},
}
_INVITATION = {"call_id": _ID, "user_ids": {"type": "array", "minItems": 1, "items": _ID}}

_FIRST_MILLISECONDS = 10**11
"""A larger time is in milliseconds. In seconds, it would be after the year 5000."""


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


SIGNED_SCHEMA = _object(_SIGNED)
SCHEMAS = {
    "call_create": _object({**_INVITATION, "caller": _ID, "create_time": _TIME, "timeout": _TIME}),
    "call_invite": _object({**_INVITATION, "inviter": _ID, "invite_time": _TIME}),
}


@dataclass(frozen=True)
class Invitation:
    """Users who are invited to a call by one callback. Times are in Unix seconds."""

    call_id: str
    caller: str
    callees: tuple[str, ...]
    invited_at: int
    expires_at: int

    @classmethod
    def from_callback(cls, callback: dict[str, Any], default_timeout: int) -> Self | None:
        """Return the invitation in a callback, or None if the callback is about something else.

        Parameters
        ----------
        callback
            The decoded body.
        default_timeout
            How long an invitation rings, in seconds, if the callback does not say so, as in `call_invite`.

        Raises
        ------
        BadRequestError
            if a member is missing or malformed.
        """
        schema = SCHEMAS.get(callback["event"])
        if schema is None:
            return None
        _validate(callback, schema)
        if callback["event"] == "call_create":
            caller, time, timeout = callback["caller"], callback["create_time"], callback["timeout"]
        else:
            caller, time, timeout = callback["inviter"], callback["invite_time"], default_timeout
        # ZIM's pages give milliseconds for invite_time, and no unit for create_time, whose example is in seconds.
        invited_at = time // 1000 if time >= _FIRST_MILLISECONDS else time
        callees = tuple(dict.fromkeys(callback["user_ids"]))
        return cls(callback["call_id"], caller, callees, invited_at, invited_at + timeout)

    @property
    def identity(self) -> str:
        """What a retry of the callback has in common with it, whether or not ZIM signs the retry again."""
        return _digest([self.call_id, self.caller, sorted(self.callees), self.invited_at, self.expires_at])


def parse(body: str | None) -> dict[str, Any]:
    """Decode the body of a callback: JSON, or percent-encoded JSON.

    Raises
    ------
    BadRequestError
        if it is neither, or lacks a member that every callback has.
    """
    body = body or ""
    try:
        callback = json.loads(body if body.lstrip().startswith("{") else unquote_plus(body))
    except (ValueError, RecursionError):
        raise BadRequestError("The body is not JSON.") from None
    _validate(callback, SIGNED_SCHEMA)
    return dict(callback)


def identity(callback: dict[str, Any], invitation: Invitation | None) -> str:
    """Return what identifies a callback, whose signature does not cover its other members."""
    return invitation.identity if invitation else _digest(callback)


def _digest(members: Any) -> str:
    return hashlib.sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()


def verify(callback: dict[str, Any], secret: str, now: float) -> None:
    """Check the signature and the age of a callback.

    See https://www.zegocloud.com/docs/zim-server/callbacks/authenticating-server-to-server-callbacks.

    Parameters
    ----------
    callback
        The result of `parse`.
    secret
        The callback secret of the project.
    now
        The current time in Unix seconds.

    Raises
    ------
    ForbiddenError
        if the signature is wrong or the timestamp is not within `MAX_AGE_SECONDS`.
    """
    signed = "".join(sorted([secret, str(callback["timestamp"]), callback["nonce"]]))
    # ZIM prescribes SHA-1.
    expected = hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()
    if not hmac.compare_digest(expected.encode(), callback["signature"].encode()):
        raise ForbiddenError("The signature is wrong.")
    if abs(now - callback["timestamp"]) > MAX_AGE_SECONDS:
        raise ForbiddenError(f"The timestamp differs from the clock by more than {MAX_AGE_SECONDS} s.")


def _validate(callback: Any, schema: dict[str, Any]) -> None:
    try:
        validate(event=callback, schema=schema)
    except SchemaValidationError as error:
        # Not chained: the validator's message quotes the value.
        member = ".".join((error.path or [])[1:]) or "the body"
        raise BadRequestError(f"{member} violates the rule {error.rule}.") from None
