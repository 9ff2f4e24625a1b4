"""What the control routes take: the members of each JSON object, and the rule that each one keeps."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from local.zim_simulator.calls import MAX_TIMEOUT_SECONDS
from local.zim_simulator.faults import KINDS
from local.zim_simulator.zim import MAX_CALL_ID_CHARACTERS, is_user_id

Rule = tuple[Callable[[Any], bool], str]


def _number(low: float, high: float) -> Rule:
    return lambda value: type(value) in {int, float} and low <= value <= high, f"a number from {low:g} to {high:g}"


def _integer(low: int, high: int) -> Rule:
    return lambda value: type(value) is int and low <= value <= high, f"an integer from {low} to {high}"


def _string(shortest: int, longest: int) -> Rule:
    return (
        lambda value: isinstance(value, str) and shortest <= len(value) <= longest,
        f"a string of {shortest} to {longest} characters",
    )


def _users(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(user, str) and is_user_id(user) for user in value)


_SECONDS = _number(0, 3600)
APP: Mapping[str, Rule] = {"AppId": _integer(0, 2**32 - 1), "ServerSecret": _string(32, 32)}
USERS: Mapping[str, Rule] = {"UserIds": (_users, "an array of user ids that ZIM would take")}
CALL: Mapping[str, Rule] = {
    "CallId": _string(1, MAX_CALL_ID_CHARACTERS),
    "Caller": (lambda value: _users([value]), "a user id that ZIM would take"),
    "Invitees": USERS["UserIds"],
    "Timeout": _number(0.001, MAX_TIMEOUT_SECONDS),
}
FAULT: Mapping[str, Rule] = {
    "kind": (lambda value: value in KINDS, "one of " + ", ".join(KINDS)),
    "times": (lambda value: value is None or (type(value) is int and value > 0), "an integer from 1, or null"),
    "seconds": _SECONDS,
    "jitter": _SECONDS,
    "carried_out": (lambda value: isinstance(value, bool), "true or false"),
    "location": (lambda value: isinstance(value, str) and value.isascii() and value.isprintable(), "a URL"),
    "code": _integer(-(2**63), 2**63 - 1),
    "size": _integer(1, 2**40),
}
SETTINGS: Mapping[str, Rule] = {
    "latency": _SECONDS,
    "jitter": _SECONDS,
    "calls_per_second": _integer(0, 1_000_000),
    "clock_offset": _number(-1e9, 1e9),
}


async def members(request: web.Request, rules: Mapping[str, Rule], *required: str) -> dict[str, Any]:
    """Read the JSON object of a request. Raises HTTPBadRequest, naming the member that breaks its rule."""
    try:
        given = await request.json()
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise refusal(web.HTTPBadRequest, None, "The body must be a JSON object.")
    for name in required:
        if name not in given:
            raise refusal(web.HTTPBadRequest, name, f"{name} is missing.")
    for name, value in given.items():
        if name not in rules:
            raise refusal(web.HTTPBadRequest, name, f"{name} is not a member known here.")
        holds, rule = rules[name]
        if not holds(value):
            raise refusal(web.HTTPBadRequest, name, f"{name} must be {rule}.")
    return given


def refusal(status: type[web.HTTPException], member: str | None, error: str) -> web.HTTPException:
    """Make the answer that refuses, with its reason as a sentence."""
    return status(text=json.dumps({"error": error, "member": member}), content_type="application/json")
