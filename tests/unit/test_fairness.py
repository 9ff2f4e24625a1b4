"""One user cannot use up the capacity of all: the handlers behind HTTPS, with tokens.

`test_call_reject_queue_function.py` tests the messages whose caller made an error.
"""

import copy
import hashlib
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from local.zim_simulator.running import SimulatorClient
from tests.support.paths import EVENTS
from tests.unit.doubles import Function, Log
from zim.allowance import MAX_REQUESTS
from zim.telemetry import hash_user_id

FUNCTIONS = ["call_reject", "call_reject_async"]
EVENT: dict[str, Any] = json.loads((EVENTS / "CallRejectAsyncFunction" / "http_api.json").read_text())


def post(function: Function, user: str, body: str) -> Any:
    """Call a function as an HTTP API does for a request with a token of this user."""
    event = copy.deepcopy(EVENT) | {"body": body}
    event["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": user}, "scopes": None}}
    return function(event)


@pytest.fixture
def loaded(load: Callable[..., Function], queue: Any) -> Callable[[str], Function]:
    """Load a function whose callers have tokens."""
    return lambda name: load(name, JWT_USER_CLAIM="sub", QUEUE_URL=queue.url, EXPIRES_AFTER_SECONDS="60")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_requests_past_the_allowance_of_a_user_cost_nothing(
    zim: SimulatorClient, loaded: Callable[[str], Function], queue: Any, log: Log, name: str
) -> None:
    function = loaded(name)
    for _ in range(MAX_REQUESTS):
        assert post(function, "attacker", '{"CallId":"invented"}')["statusCode"] != 429
    calls, messages = len(zim.requests()), len(queue.receive_messages(MaxNumberOfMessages=10, VisibilityTimeout=0))
    for body in ('{"CallId":"invented"}', "no JSON", '{"CallId":"call","FromUserId":"victim"}', "x" * 20_000):
        response = post(function, "attacker", body)
        assert response["statusCode"] == 429
        assert 1 <= int(response["headers"]["Retry-After"]) <= 10
        problem = json.loads(response["body"])
        assert (problem["type"], problem["retryable"]) == ("urn:problem-type:call-reject:RateLimited", True)
    assert len(zim.requests()) == calls
    assert len(queue.receive_messages(MaxNumberOfMessages=10, VisibilityTimeout=0)) == messages
    assert log.lines[-1]["user"] == hash_user_id("attacker")
    assert log.lines[-1]["attempts"] == 0

    call = zim.ring("victim")
    assert post(function, "victim", json.dumps({"CallId": call}))["statusCode"] in {200, 202}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_invalid_requests_count_too(loaded: Callable[[str], Function], name: str) -> None:
    function = loaded(name)
    statuses = [post(function, "attacker", "no JSON")["statusCode"] for _ in range(MAX_REQUESTS + 1)]
    assert statuses == [400] * MAX_REQUESTS + [429]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_request_of_a_server_has_no_allowance(load: Callable[..., Function], queue: Any, name: str) -> None:
    function = load(name, QUEUE_URL=queue.url, EXPIRES_AFTER_SECONDS="60")
    event = copy.deepcopy(EVENT) | {"body": "no JSON"}
    event["requestContext"]["authorizer"] = {"iam": {"userArn": "arn:aws:iam::123456789012:role/server"}}
    assert {function(event)["statusCode"] for _ in range(3 * MAX_REQUESTS)} == {400}


def test_a_message_of_the_api_has_its_user_as_tenant_and_its_source(
    loaded: Callable[[str], Function], queue: Any
) -> None:
    assert post(loaded("call_reject_async"), "user0", '{"CallId":"call"}')["statusCode"] == 202
    (message,) = queue.receive_messages(MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])
    assert message.attributes["MessageGroupId"] == hashlib.sha256(b"user0").hexdigest()[:16]
    assert message.message_attributes == {"Source": {"DataType": "String", "StringValue": "api"}}


def test_an_operator_can_compute_the_hash_of_a_user() -> None:
    command = "printf %s user0 | sha256sum | cut -c1-16"
    output = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert output.strip() == hash_user_id("user0")


def test_a_caller_of_the_api_cannot_set_the_source(loaded: Callable[[str], Function], queue: Any) -> None:
    function = loaded("call_reject_async")
    for body in ('{"CallId":"call","Source":"server"}', '{"CallId":"call","MessageAttributes":{}}'):
        assert post(function, "attacker", body)["statusCode"] == 400
    assert queue.receive_messages() == []
