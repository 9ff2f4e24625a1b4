"""What may be asked, by any trigger: the JSON request, its schema, and the limit that a schema cannot say.

Limits: ZEGOCLOUD's documentation, In-app Chat, Server APIs, "Reject a call invitation", "Request parameters".
"""

import json
from dataclasses import dataclass, field
from typing import Any

import fastjsonschema

from zim.outcome import INVALID_REQUEST, Failed

EXTENDED_DATA_BYTES = 2048

RINGING_SECONDS = 600
"""No invitation rings longer; a request that is older has nothing left to reject."""

_TEXT = {"type": "string", "pattern": r"^[^\u0000\ud800-\udfff]*$"}

SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "description": "a JSON object with FromUserId, CallId and, if wanted, ExtendedData, and nothing else",
    "type": "object",
    "required": ["FromUserId", "CallId"],
    "additionalProperties": False,
    "properties": {
        "FromUserId": {
            "description": "the user who rejects, 1 to 32 bytes of 0-9 A-Z a-z, the space and "
            "! # $ % & ( ) + - : ; < = . > ? @ [ ] ^ _ { } | ~",
            "type": "string",
            "minLength": 1,
            "maxLength": 32,
            # `\\$` and not `$`: fastjsonschema takes a bare one for the end of the pattern, even in a class
            "pattern": r"^[0-9A-Za-z !#\$%&()+\-:;<=.>?@\[\]\^_{}|~]*$",
        },
        "CallId": {
            "description": "ZIM's id of the call invitation, 1 to 32 characters, no NUL, no unpaired surrogate",
            "minLength": 1,
            "maxLength": 32,
            **_TEXT,
        },
        "ExtendedData": {
            "description": f"text for the others in the call, at most {EXTENDED_DATA_BYTES} bytes of UTF-8, no NUL, "
            "no unpaired surrogate",
            "maxLength": EXTENDED_DATA_BYTES,
            **_TEXT,
        },
    },
}

# By the engine of Powertools' validation utility: the utility itself compiles the schema at every call, which takes
# longer than all else that a request costs us (docs/performance.md).
_validate = fastjsonschema.compile(SCHEMA)


@dataclass(frozen=True, slots=True)
class CallRejectRequest:
    """A request that keeps every rule of this module; `extended_data` is None if it was left out."""

    from_user_id: str
    call_id: str
    extended_data: str | None = field(default=None, repr=False)

    def members(self) -> dict[str, str]:
        """Return the members as they are asked for, without ExtendedData if it was left out."""
        named = {"FromUserId": self.from_user_id, "CallId": self.call_id}
        return named if self.extended_data is None else {**named, "ExtendedData": self.extended_data}


def decoded(text: Any) -> Any:
    """Return what a body of JSON, text or UTF-8 bytes, holds, whether or not that is a request.

    Raises
    ------
    Failed
        with INVALID_REQUEST, if there is no body, or it is not JSON.
    """
    if not text:
        raise _breaks("required", "body", SCHEMA)
    try:
        return json.loads(text.decode() if isinstance(text, bytes) else text)
    except (TypeError, ValueError, RecursionError):
        raise _breaks("json", "body", SCHEMA) from None


def from_members(members: Any) -> CallRejectRequest:
    """Return the request with these members, as they came out of JSON.

    Raises
    ------
    Failed
        with INVALID_REQUEST, naming the member and the rule that it breaks.
    """
    try:
        _validate(members)
    except fastjsonschema.JsonSchemaValueException as error:
        raise _explained(error, members) from None
    request = CallRejectRequest(members["FromUserId"], members["CallId"], members.get("ExtendedData"))
    if len((request.extended_data or "").encode()) > EXTENDED_DATA_BYTES:
        raise _breaks("maxBytes", "ExtendedData", SCHEMA["properties"]["ExtendedData"])
    return request


def _explained(error: fastjsonschema.JsonSchemaValueException, members: Any) -> Failed:
    """Say what the validator found in our own words: its message quotes the value."""
    rule, properties = str(error.rule), SCHEMA["properties"]
    if rule == "required":
        missing = next(name for name in SCHEMA["required"] if name not in members)
        return _breaks(rule, missing, properties[missing])
    if rule == "additionalProperties":
        unknown = next(name for name in members if name not in properties)
        return _breaks(rule, unknown[:64], SCHEMA, cause="an unknown member")
    member = (error.path or [])[1:]
    return _breaks(rule, *((member[0], properties[member[0]]) if member else ("body", SCHEMA)))


def _breaks(rule: str, member: str, definition: dict[str, Any], cause: str = "") -> Failed:
    detail = f"{member} breaks the rule {rule}. Expected: {definition['description']}."
    return Failed(INVALID_REQUEST, detail, f"{cause or member} breaks {rule}", {"member": member, "rule": rule})
