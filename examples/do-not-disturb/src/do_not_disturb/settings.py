"""The users' settings: "do not disturb" until a time, and blocked callers. One DynamoDB item each."""

import os
import time
from collections.abc import Sequence
from itertools import batched
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

from do_not_disturb.aws import CONFIG

TABLE_NAME = os.environ["SETTINGS_TABLE"]

AVAILABLE = "Available"
DO_NOT_DISTURB = "DoNotDisturb"
CALLER_BLOCKED = "CallerBlocked"

_UNTIL = "until"
_BLOCKED = "blocked#"
_CALLEES_PER_BATCH = 50  # with two keys each; a batch has at most 100 keys

dynamodb = boto3.resource("dynamodb", config=CONFIG)
table = dynamodb.Table(TABLE_NAME)


class SettingsUnavailableError(Exception):
    """DynamoDB did not return all settings."""


def availability(caller: str, callees: Sequence[str]) -> dict[str, str]:
    """Return `AVAILABLE`, `DO_NOT_DISTURB` or `CALLER_BLOCKED` for each callee.

    Raises
    ------
    SettingsUnavailableError, botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError
        if the table cannot be read.
    """
    found = dict.fromkeys(callees, AVAILABLE)
    for batch in batched(callees, _CALLEES_PER_BATCH, strict=False):
        for item in _read(
            [{"UserId": callee, "Entry": entry} for callee in batch for entry in (_UNTIL, _BLOCKED + caller)]
        ):
            if item["Entry"] != _UNTIL:
                found[item["UserId"]] = CALLER_BLOCKED
            elif item["Until"] > time.time():  # DynamoDB deletes expired items with a delay
                found[item["UserId"]] = DO_NOT_DISTURB
    return found


def get(user: str) -> dict[str, Any]:
    """Return the settings of a user: `Until` in Unix seconds, or None if "do not disturb" is off, and `Blocked`."""
    pages = table.meta.client.get_paginator("query").paginate(
        TableName=TABLE_NAME, KeyConditionExpression=Key("UserId").eq(user), ConsistentRead=True
    )
    items = [item for page in pages for item in page["Items"]]
    until = next((int(item["Until"]) for item in items if item["Entry"] == _UNTIL), 0)
    blocked = [item["Entry"].removeprefix(_BLOCKED) for item in items if item["Entry"] != _UNTIL]
    return {"Until": until if until > time.time() else None, "Blocked": blocked}


def switch_on(user: str, until: int) -> None:
    """Reject the calls of a user until a time in Unix seconds."""
    table.put_item(Item={"UserId": user, "Entry": _UNTIL, "Until": until})


def switch_off(user: str) -> None:
    """Accept the calls of a user again."""
    table.delete_item(Key={"UserId": user, "Entry": _UNTIL})


def block(user: str, caller: str) -> None:
    """Reject the calls of one caller to a user."""
    table.put_item(Item={"UserId": user, "Entry": _BLOCKED + caller})


def unblock(user: str, caller: str) -> None:
    """Accept the calls of a caller to a user again."""
    table.delete_item(Key={"UserId": user, "Entry": _BLOCKED + caller})


def _read(keys: list[dict[str, str]]) -> list[dict[str, Any]]:
    # Consistent, so that a call right after the switch is rejected.
    response = dynamodb.batch_get_item(RequestItems={TABLE_NAME: {"Keys": keys, "ConsistentRead": True}})
    if response["UnprocessedKeys"]:
        raise SettingsUnavailableError("DynamoDB did not return all items.")
    items: list[dict[str, Any]] = response["Responses"][TABLE_NAME]
    return items
