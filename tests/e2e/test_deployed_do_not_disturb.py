"""examples/do-not-disturb, deployed next to the stack with JWTs: from ZIM's callback to the rejected call."""

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from local.example import CALLBACK_SECRET, DoNotDisturb, deploy
from local.processes import LocalError, until
from local.stack import Stack, logged
from local.zim_simulator.callbacks import signed
from local.zim_simulator.calls import Mode
from tests.e2e.conftest import WAIT_SECONDS, JwtStack, wait_until_rejected

RETRY_DELAYS = [0.5] * 5
BARRIER = "barrier"
"""A user whose calls are always rejected."""

numbers = itertools.count()


@dataclass(frozen=True)
class Example:
    """The example, and users with tokens."""

    deployed: DoNotDisturb
    jwt_stack: JwtStack

    @property
    def stack(self) -> Stack:
        return self.deployed.stack

    def request(self, method: str, user: str, path: str = "", **members: int) -> requests.Response:
        return self.deployed.request(method, self.jwt_stack.issuer.token(user), path, members or None)

    def do_not_disturb(self, user: str) -> None:
        self.request("PUT", user, Until=int(time.time()) + 3600)

    def wait(self, rejections: int = 0) -> None:
        """Wait until ZIM has received a number of rejections, and everything that was sent before is processed."""
        until(lambda: len(self.rejected_calls()) >= rejections, WAIT_SECONDS, "The calls were not rejected")
        wait_until_rejected(self.stack, self.stack.simulator.ring(BARRIER))
        until(self._callbacks_are_accepted, WAIT_SECONDS, "The callbacks were not accepted")
        until(self._queue_is_empty, WAIT_SECONDS, "The queue did not become empty")

    def _callbacks_are_accepted(self) -> bool:
        return all(delivery.statuses[-1:] == [200] for delivery in self.stack.simulator.callbacks())

    def _queue_is_empty(self) -> bool:
        return self.stack.queue_depth(self.stack.outputs["QueueUrl"]) == (0, 0)

    def send(self, callback: dict[str, Any]) -> int:
        return requests.post(self.deployed.callback_url, json=callback, timeout=WAIT_SECONDS).status_code

    def rejected_calls(self) -> list[str]:
        """Return the CallId of each request to ZIM, except those of the barrier."""
        records = self.stack.simulator.requests()
        return [each.parameters["CallId"] for each in records if each.parameters["FromUserId"] != BARRIER]


@pytest.fixture(scope="module")
def deployed_example(deployed_jwt_stack: JwtStack) -> DoNotDisturb:
    return deploy(deployed_jwt_stack.stack)


@pytest.fixture
def example(jwt_stack: JwtStack, deployed_example: DoNotDisturb) -> Example:
    """The example with the callbacks of a simulator in its initial state."""
    example = Example(deployed_example, jwt_stack)
    example.deployed.receive_callbacks(retry_delays=RETRY_DELAYS)
    example.do_not_disturb(BARRIER)
    return example


@pytest.fixture
def user() -> str:
    """A user without settings."""
    return f"callee{next(numbers)}"


def call_create(call_id: str, callee: str) -> dict[str, Any]:
    """Return a callback that is not signed."""
    return {
        "appid": "1234567890",
        "event": "call_create",
        "call_id": call_id,
        "user_ids": [callee],
        "create_time": int(time.time()),
        "payload": "",
        "caller": "caller",
        "timeout": 90,
    }


def test_only_the_callee_who_does_not_want_to_be_disturbed_is_rejected_as_busy(example: Example, user: str) -> None:
    example.do_not_disturb(user)
    call_id = example.stack.simulator.ring(user, "another")
    example.wait(rejections=1)
    call = example.stack.simulator.call(call_id)
    assert call.invitees == {user: "rejected", "another": "ringing"}
    assert json.loads(call.extended_data[user])["reason"] == "busy"
    assert example.stack.simulator.callbacks()[0].statuses == [200]


def test_forged_old_and_replayed_callbacks_reject_nothing(example: Example, user: str) -> None:
    example.do_not_disturb(user)
    captured = signed(call_create("another-call", "another"), CALLBACK_SECRET)
    call_id = example.stack.simulator.ring("first", call_id=f"call-{user}", mode=Mode.ADVANCED)
    example.wait()
    assert example.send(captured) == 200
    forged = call_create(call_id, user)
    assert example.send(signed(forged, "another-secret")) == 403
    assert example.send({**captured, **forged}) == 403
    assert example.send({**signed(forged, CALLBACK_SECRET), "timestamp": int(time.time()) - 3600}) == 403
    example.wait()
    assert example.rejected_calls() == []


def test_a_callback_that_arrives_several_times_rejects_once(example: Example, user: str) -> None:
    example.do_not_disturb(user)
    example.stack.simulator.reset()  # the simulator sends no callback of this call
    call_id = example.stack.simulator.ring(user, "another")
    example.deployed.receive_callbacks(retry_delays=RETRY_DELAYS)
    callback = call_create(call_id, user)
    first = signed(callback, CALLBACK_SECRET)
    for delivery in (first, first, signed(callback, CALLBACK_SECRET)):
        assert example.send(delivery) == 200
    example.wait(rejections=1)
    assert example.rejected_calls() == [call_id]
    assert example.stack.simulator.call(call_id).invitees == {user: "rejected", "another": "ringing"}


@pytest.fixture
def unreadable_settings(example: Example) -> Iterator[Callable[[], object]]:
    """The function must not read the settings, until the returned function is called."""
    resources = example.stack.client("cloudformation").describe_stack_resources(StackName="do-not-disturb")
    names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources["StackResources"]}
    role, policies = names["DoNotDisturbRole"], example.stack.client("iam")
    statement = {"Effect": "Deny", "Action": "dynamodb:BatchGetItem", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    policies.put_role_policy(RoleName=role, PolicyName="Deny", PolicyDocument=document)
    with contextlib.ExitStack() as denied:
        denied.callback(policies.delete_role_policy, RoleName=role, PolicyName="Deny")
        yield denied.close


def test_nothing_is_rejected_while_the_settings_cannot_be_read_and_the_retry_rejects(
    example: Example, user: str, unreadable_settings: Callable[[], object]
) -> None:
    example.do_not_disturb(user)
    call_id = example.stack.simulator.ring(user)
    deliveries = example.stack.simulator.callbacks
    until(lambda: deliveries()[0].statuses[:1] == [503], WAIT_SECONDS, "The callback did not fail")
    assert example.stack.simulator.call(call_id).state == "ringing"
    unreadable_settings()
    wait_until_rejected(example.stack, call_id)
    until(lambda: deliveries()[0].statuses[-1] == 200, WAIT_SECONDS, "The retry did not succeed")
    lines = logged(example.stack, lambda lines: any(call_id in line and '"CallbackFailed"' in line for line in lines))
    assert any("nothing is rejected: " in line and "AccessDeniedException" in line for line in lines)
    assert any('"CallbackFailed":[1.0]' in line for line in lines)


def test_settings_need_a_token_and_are_those_of_its_user(example: Example, user: str) -> None:
    for token in (None, "no-token"):
        with pytest.raises(LocalError, match=" 401 "):
            example.deployed.request("GET", token)
    example.request("PUT", user, f"?UserId=another{user}", Until=int(time.time()) + 3600)
    assert example.request("GET", f"another{user}").json() == {"Until": None, "Blocked": []}
    assert example.request("GET", user).json()["Until"]
