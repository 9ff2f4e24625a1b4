"""The request to reject a call, the same for every trigger: its schema and its validation.

Limits: see https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation, "Request parameters".
"""

import json
from dataclasses import dataclass, field
from typing import Any, Self

from aws_lambda_powertools.utilities.validation import SchemaValidationError, validate

from zim.errors import InvalidRequest

EXTENDED_DATA_BYTES = 2048

LATEST_EXPIRY = 253402300799
"""The last second of the year 9999. A time in milliseconds, a common mistake, is later."""

_TEXT = {"type": "string", "pattern": r"^[^\u0000\ud800-\udfff]*$"}

USER_ID_SCHEMA: dict[str, Any] = {
    "description": "the user who rejects the call, 1 to 32 bytes of 0-9 A-Z a-z, the space and "
    "! # $ % & ( ) + - : ; < = . > ? @ [ ] ^ _ { } | ~",
    "type": "string",
    "minLength": 1,
    "maxLength": 32,
    # fastjsonschema rewrites an unescaped `$` to the end of the text, even inside a character class.
    "pattern": r"^[0-9A-Za-z !#\$%&()+\-:;<=.>?@\[\]\^_{}|~]*$",
}

SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "description": "a JSON object with CallId, FromUserId unless a token identifies the user, optionally Reason or "
    "ExtendedData, optionally ExpiresAt, and no other members",
    "type": "object",
    "required": ["FromUserId", "CallId"],
    "additionalProperties": False,
    "properties": {
        "FromUserId": USER_ID_SCHEMA,
        "CallId": {
            "description": "ZIM's id of the call invitation, 1 to 32 characters, no NUL, no unpaired surrogate",
            "minLength": 1,
            "maxLength": 32,
            **_TEXT,
        },
        "ExtendedData": {
            "description": f"text for the other users in the call, at most {EXTENDED_DATA_BYTES} bytes of UTF-8, "
            "no NUL, no unpaired surrogate",
            "maxLength": EXTENDED_DATA_BYTES,
            **_TEXT,
        },
        "Reason": {
            "description": "decline or busy, instead of ExtendedData",
            "type": "string",
            "enum": ["decline", "busy"],
        },
        "ExpiresAt": {
            "description": "the time after which the call must not be rejected, an integer of Unix seconds",
            "type": "integer",
            "minimum": 1,
            "maximum": LATEST_EXPIRY,
        },
    },
}


@dataclass(frozen=True, slots=True)
class CallRejectRequest:
    """A valid request.

    `extended_data` and `expires_at` (Unix seconds) are None if the caller left them out. A Reason becomes the
    ExtendedData that ZEGOCLOUD's prebuilt UIKit sends.
    """

    from_user_id: str
    call_id: str
    extended_data: str | None = field(default=None, repr=False)
    expires_at: int | None = None

    @classmethod
    def from_dict(cls, members: Any) -> Self:
        """Validate decoded JSON and return it as a request.

        Raises
        ------
        InvalidRequest
            with the member and the rule that it violates.
        """
        try:
            validate(event=members, schema=SCHEMA)
        except SchemaValidationError as error:
            # Not chained: the validator's message quotes the value.
            raise _invalid(error, members) from None
        extended_data, reason, expires_at = (members.get(name) for name in ("ExtendedData", "Reason", "ExpiresAt"))
        if reason is not None and extended_data is not None:
            raise _violation("exclusive", "Reason", SCHEMA["properties"]["Reason"])
        if len((extended_data or "").encode()) > EXTENDED_DATA_BYTES:
            raise _violation("maxBytes", "ExtendedData", SCHEMA["properties"]["ExtendedData"])
        return cls(
            members["FromUserId"],
            members["CallId"],
            extended_data if reason is None else _uikit_data(reason),
            None if expires_at is None else int(expires_at),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the members under their public names, without those that are None."""
        members = {
            "FromUserId": self.from_user_id,
            "CallId": self.call_id,
            "ExtendedData": self.extended_data,
            "ExpiresAt": self.expires_at,
        }
        return {name: value for name, value in members.items() if value is not None}


def _uikit_data(reason: str) -> str:
    """Return the ExtendedData by which the prebuilt UIKit tells the caller why a call was rejected.

    See https://github.com/ZEGOCLOUD/zego_uikit_prebuilt_call_flutter.
    """
    return json.dumps({"invitation_id": "", "reason": reason, "custom_data": "", "v": "f1.0"})


def parse_json(body: Any) -> Any:
    """Decode the JSON in a body, which is text or UTF-8 bytes.

    Raises
    ------
    InvalidRequest
        if there is no body, or it is not JSON.
    """
    if not body:
        raise _violation("required", "body", SCHEMA)
    try:
        return json.loads(body.decode() if isinstance(body, bytes) else body)
    except (TypeError, ValueError, RecursionError):
        raise _violation("json", "body", SCHEMA) from None


def _invalid(error: SchemaValidationError, members: Any) -> InvalidRequest:
    rule, properties = str(error.rule), SCHEMA["properties"]
    if rule == "required":
        missing = next(name for name in SCHEMA["required"] if name not in members)
        return _violation(rule, missing, properties[missing])
    if rule == "additionalProperties":
        unknown = next(name for name in members if name not in properties)
        return _violation(rule, unknown[:64], SCHEMA, cause="an unknown member")
    path = (error.path or [])[1:]
    return _violation(rule, *((path[0], properties[path[0]]) if path else ("body", SCHEMA)))


def _violation(rule: str, member: str, schema: dict[str, Any], cause: str | None = None) -> InvalidRequest:
    return InvalidRequest(
        f"{member} violates the rule {rule}. Expected: {schema['description']}.",
        cause=f"{cause or member} violates {rule}",
        member=member,
        rule=rule,
    )
