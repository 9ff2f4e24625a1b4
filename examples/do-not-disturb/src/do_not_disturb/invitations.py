"""Publish an invitation on the event bus, once for each callback, however often ZIM delivers it."""

import json
import os
from itertools import batched
from typing import Any

import boto3
from aws_lambda_powertools.event_handler.exceptions import ForbiddenError
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from botocore.exceptions import ClientError

from do_not_disturb import settings
from do_not_disturb.aws import CONFIG
from do_not_disturb.callback import MAX_AGE_SECONDS, Invitation

CALLBACKS_TABLE = os.environ["CALLBACKS_TABLE"]
EVENT_BUS = os.environ["EVENT_BUS"]
EVENT_SOURCE = "zim.callbacks"
DETAIL_TYPE = "UserInvited"

PUBLISHED = "CallbackPublished"
REPEATED = "CallbackRepeated"

_ENTRIES_PER_REQUEST = 10

dynamodb = boto3.client("dynamodb", config=CONFIG)
events = boto3.client("events", config=CONFIG)
idempotency = IdempotencyConfig(
    expires_after_seconds=3600, hash_function="sha256", response_hook=lambda _response, _record: REPEATED
)


class EventBusError(Exception):
    """The event bus did not accept all events."""


def claim_nonce(nonce: str, timestamp: int, identity: str) -> None:
    """Reserve a signed nonce for an invitation. The body is not signed, so a second one could be forged.

    Raises
    ------
    ForbiddenError
        if another invitation has the nonce.
    """
    try:
        dynamodb.put_item(
            TableName=CALLBACKS_TABLE,
            Item={
                "id": {"S": f"nonce#{timestamp}#{nonce}"},
                "identity": {"S": identity},
                # From then on, the timestamp is too old.
                "expiration": {"N": str(timestamp + MAX_AGE_SECONDS + 1)},
            },
            ConditionExpression="attribute_not_exists(id) OR #identity = :identity",
            ExpressionAttributeNames={"#identity": "identity"},
            ExpressionAttributeValues={":identity": {"S": identity}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise ForbiddenError("The nonce belongs to another callback.") from None
        raise


def publish(invitation: Invitation) -> str:
    """Put one event for each callee on the bus, and return `PUBLISHED`, or `REPEATED` if that was done before.

    If this fails, the same invitation puts all events on the bus again.
    """
    outcome: str = _publish_once(identity=invitation.identity, invitation=invitation)
    return outcome


@idempotent_function(  # type: ignore[untyped-decorator]
    data_keyword_argument="identity",
    persistence_store=DynamoDBPersistenceLayer(CALLBACKS_TABLE, boto3_client=dynamodb),
    config=idempotency,
)
def _publish_once(*, identity: str, invitation: Invitation) -> str:  # noqa: ARG001 - the key of the record
    found = settings.availability(invitation.caller, invitation.callees)
    entries = [_entry(invitation, callee, found[callee]) for callee in invitation.callees]
    for batch in batched(entries, _ENTRIES_PER_REQUEST, strict=False):
        if events.put_events(Entries=list(batch))["FailedEntryCount"]:
            raise EventBusError("The event bus did not accept all events.")
    return PUBLISHED


def _entry(invitation: Invitation, callee: str, availability: str) -> dict[str, Any]:
    detail = {
        "CallId": invitation.call_id,
        "Caller": invitation.caller,
        "Callee": callee,
        "InvitedAt": invitation.invited_at,
        "ExpiresAt": invitation.expires_at,
        "Availability": availability,
    }
    return {
        "Source": EVENT_SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": json.dumps(detail),
        "EventBusName": EVENT_BUS,
    }
