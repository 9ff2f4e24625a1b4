"""JSON schemas of the control routes' requests, and their validation."""

import json
from collections.abc import Callable
from typing import Any

import fastjsonschema
from aiohttp import web

from local.zim_simulator.calls import MAX_TIMEOUT_SECONDS, Mode
from local.zim_simulator.faults import KINDS
from local.zim_simulator.zim import MAX_CALL_ID_CHARACTERS, USER_ID_PATTERN, SecondRejection

Validator = Callable[[Any], Any]
"""Raises JsonSchemaValueException."""


def _object(required: list[str], **properties: Any) -> Validator:
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    validator: Validator = fastjsonschema.compile(schema)
    return validator


_SECONDS = {"type": "number", "minimum": 0, "maximum": 3600}
_USER_ID = {"type": "string", "pattern": f"^{USER_ID_PATTERN}$"}
_USER_IDS = {"type": "array", "minItems": 1, "items": _USER_ID}
_TIMEOUT = {"type": "number", "minimum": 0.001, "maximum": MAX_TIMEOUT_SECONDS}

APP = _object(
    ["AppId", "ServerSecret"],
    AppId={"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    ServerSecret={"type": "string", "minLength": 32, "maxLength": 32},
)
USERS = _object(["UserIds"], UserIds=_USER_IDS)
CALL = _object(
    ["Caller", "Invitees"],
    CallId={"type": "string", "minLength": 1, "maxLength": MAX_CALL_ID_CHARACTERS},
    Caller=_USER_ID,
    Invitees=_USER_IDS,
    Timeout=_TIMEOUT,
    Mode={"enum": [mode.value for mode in Mode]},
)
INVITATION = _object(["Invitees"], Invitees=_USER_IDS, Timeout=_TIMEOUT)
FAULT = _object(
    ["kind"],
    kind={"enum": list(KINDS)},
    times={"type": ["integer", "null"], "minimum": 1},
    seconds=_SECONDS,
    carried_out={"type": "boolean"},
    location={"type": "string", "pattern": "^[!-~]*$"},
    code={"type": "integer"},
    size={"type": "integer", "minimum": 1},
)
SETTINGS = _object(
    [],
    latency=_SECONDS,
    jitter=_SECONDS,
    calls_per_second={"type": "integer", "minimum": 0},
    clock_offset={"type": "number"},
    second_rejection={"enum": [answer.value for answer in SecondRejection]},
)
CALLBACK = _object(
    ["Url", "CallbackSecret"],
    Url={"type": "string", "pattern": "^http://127\\.0\\.0\\.1:[0-9]{1,5}(/|$)"},
    CallbackSecret={"type": "string", "minLength": 1},
    RetryDelays={"type": "array", "items": _SECONDS},
)
_STACK_URLS = ["CallRejectUrl", "CallRejectAsyncUrl", "TokenUrl", "QueuesUrl", "DeadLettersUrl", "DoNotDisturbUrl"]
PAGE_STACK = _object(
    _STACK_URLS,
    **{name: {"type": "string", "pattern": "^http://"} for name in _STACK_URLS},
    Parameters={"type": "object", "additionalProperties": {"type": "string"}},
)


async def parse(request: web.Request, validate: Validator) -> Any:
    """Return the validated JSON object in the body of a request. Raises HTTPBadRequest."""
    try:
        return validate(await request.json())
    except fastjsonschema.JsonSchemaValueException as error:
        raise http_error(web.HTTPBadRequest, error.message.removeprefix("data.")) from None
    except ValueError:
        raise http_error(web.HTTPBadRequest, "The body must be JSON.") from None


def http_error(status: type[web.HTTPException], message: str) -> web.HTTPException:
    """Return an error response with a message."""
    return status(text=json.dumps({"error": message}), content_type="application/json")
