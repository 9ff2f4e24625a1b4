"""ExpiresAt, the two modes of a call, EventBridge through SNS, and the canary, through the deployed stack."""

import json
import time
from typing import Any

from local.processes import until
from local.send import to_topic
from local.stack import Stack
from local.zim_simulator.calls import Mode
from tests.e2e.conftest import WAIT_SECONDS, wait_until_rejected
from tests.e2e.test_deployed_function import invoke
from tests.support.paths import EVENTS

SECONDS = 4


def message(call_id: str, seconds: int) -> str:
    """Return a request that expires in these seconds. Another user than in other tests, because the API limits each."""
    return json.dumps({"FromUserId": "expiry", "CallId": call_id, "ExpiresAt": int(time.time()) + seconds})


def post(stack: Stack, url: str, body: str) -> int:
    return stack.request("POST", url, body).status_code


def test_an_expired_request_is_rejected_by_both_routes(stack: Stack) -> None:
    call_id = stack.simulator.ring("expiry")
    for url in (stack.call_reject_url, stack.call_reject_async_url):
        assert post(stack, url, message(call_id, -1)) == 410
    assert stack.simulator.requests() == []


def test_a_queued_request_is_retried_until_its_expiry_and_then_deleted(stack: Stack) -> None:
    call_id = stack.simulator.ring("expiry")
    stack.simulator.fault("code", code=660300005, times=None)
    expires = time.monotonic() + SECONDS
    assert post(stack, stack.call_reject_async_url, message(call_id, SECONDS)) == 202

    def is_deleted() -> bool:
        return stack.simulator.requests() != [] and stack.queue_depth(stack.outputs["QueueUrl"]) == (0, 0)

    until(is_deleted, WAIT_SECONDS, "The message is still in the queue")
    assert stack.simulator.requests()[-1].monotonic < expires
    assert stack.simulator.call(call_id).state == "ringing"


def test_a_duplicate_rejects_no_later_invitation_after_its_expiry(stack: Stack) -> None:
    call_id = stack.simulator.ring("expiry", mode=Mode.ADVANCED)
    first = message(call_id, SECONDS)
    assert post(stack, stack.call_reject_url, first) == 200
    stack.simulator.invite(call_id, "expiry")
    time.sleep(SECONDS + 1)
    assert post(stack, stack.call_reject_url, first) == 410
    assert stack.simulator.call(call_id).invitees == {"expiry": "ringing"}
    # Without ExpiresAt, the duplicate rejects the second invitation.
    without = json.dumps({"FromUserId": "expiry", "CallId": call_id})
    assert post(stack, stack.call_reject_url, without) == 200
    assert stack.simulator.call(call_id).invitees == {"expiry": "rejected"}


def test_an_eventbridge_event_in_an_sns_notification_rejects_the_call(stack: Stack) -> None:
    call_id = stack.simulator.ring("expiry")
    event: dict[str, Any] = {"detail-type": "CallRejectRequested", "source": "app.example"}
    to_topic(stack, json.dumps({**event, "detail": json.loads(message(call_id, 60))}))
    wait_until_rejected(stack, call_id)


def test_the_canary_passes(stack: Stack) -> None:
    event = json.loads((EVENTS / "CallRejectFunction" / "canary.json").read_text())
    stack.simulator.register(event["CanaryUserId"])
    assert invoke(stack, "CallRejectFunction", event) == (None, {"passed": True})
    (record,) = stack.simulator.requests()
    assert record.code == 660900004
