"""One user cannot use up the capacity of all: the handlers with tokens, and messages whose caller made an error."""

import copy
import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from local.zim_simulator.running import SimulatorClient
from tests.support.paths import EVENTS
from tests.unit.doubles import Function, Log
from zim.allowance import MAX_REQUESTS
from zim.telemetry import hash_user_id

FUNCTIONS = ["call_reject", "call_reject_async"]
EVENT: dict[str, Any] = json.loads((EVENTS / "CallRejectAsyncFunction" / "http_api.json").read_text())
MAX_RECEIVES_CALLER_ERROR, MAX_RECEIVES = 3, 10


def post(function: Function, user: str, body: str) -> Any:
    """Call a function as an HTTP API does for a request with a token of this user."""
    event = copy.deepcopy(EVENT) | {"body": body}
    event["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": user}, "scopes": None}}
    return function(event)


@pytest.fixture
def queue(aws: Any) -> Any:
    return boto3.resource("sqs").create_queue(QueueName="calls")


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


# The queue


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


class Processor:
    """The queue function, which receives one message at a time."""

    def __init__(self, load: Callable[..., Function]) -> None:
        sqs = boto3.resource("sqs")
        self.queue, self.dead_letter_queue = sqs.create_queue(QueueName="q"), sqs.create_queue(QueueName="dead")
        urls = {"QUEUE_URL": self.queue.url, "DEAD_LETTER_QUEUE_URL": self.dead_letter_queue.url}
        self.function = load("call_reject_queue", **urls)

    def keeps(self, body: str, receives: int, source: str | None) -> bool:
        """Process a message and return whether it stays on the queue."""
        self.queue.send_message(MessageBody=body)
        (message,) = self.queue.receive_messages(VisibilityTimeout=600)
        record = {
            "messageId": message.message_id,
            "receiptHandle": message.receipt_handle,
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": str(receives),
                "SentTimestamp": str(int(time.time() * 1000)),
            },
            "messageAttributes": {"Source": {"dataType": "String", "stringValue": source}} if source else {},
            "eventSource": "aws:sqs",
        }
        kept = bool(self.function({"Records": [record]})["batchItemFailures"])
        message.delete()
        return kept

    def dead_letters(self) -> int:
        return len(self.dead_letter_queue.receive_messages(MaxNumberOfMessages=10))

    def attributes_of_the_dead_letter(self) -> dict[str, str]:
        """Return the attributes of the only dead letter."""
        (message,) = self.dead_letter_queue.receive_messages(MessageAttributeNames=["All"])
        return {name: value["StringValue"] for name, value in message.message_attributes.items()}


@pytest.fixture
def processor(load: Callable[..., Function]) -> Processor:
    return Processor(load)


INVENTED = '{"FromUserId":"user0","CallId":"invented"}'


def test_an_invented_call_of_the_api_gets_three_tries_and_no_dead_letter(
    zim: SimulatorClient, processor: Processor
) -> None:
    zim.register("user0")
    tries = [processor.keeps(INVENTED, receives, "api") for receives in range(1, 4)]
    assert tries == [True] * (MAX_RECEIVES_CALLER_ERROR - 1) + [False]
    assert processor.dead_letters() == 0


@pytest.mark.parametrize("source", [None, "server", "API"])
def test_the_call_of_a_server_keeps_ten_tries_and_its_dead_letter(
    zim: SimulatorClient, processor: Processor, source: str | None
) -> None:
    zim.register("user0")
    tries = [processor.keeps(INVENTED, receives, source) for receives in range(1, MAX_RECEIVES + 1)]
    assert tries == [True] * (MAX_RECEIVES - 1) + [False]
    assert processor.dead_letters() == 1


@pytest.mark.parametrize(("source", "kept"), [("api", {"Source": "api"}), (None, {})])
def test_a_dead_letter_keeps_its_source_for_a_redrive(
    zim: SimulatorClient, processor: Processor, source: str | None, kept: dict[str, str]
) -> None:
    zim.fault("code", code=3)
    assert not processor.keeps(INVENTED, MAX_RECEIVES, source)
    attributes = processor.attributes_of_the_dead_letter()
    assert attributes.pop("Reason").startswith("ZimConfigurationError: ")
    assert attributes == kept


@pytest.mark.parametrize("code", [2, 660500002])
def test_no_error_of_a_caller_of_the_api_becomes_a_dead_letter(
    zim: SimulatorClient, processor: Processor, code: int
) -> None:
    zim.fault("code", code=code)
    assert not processor.keeps(INVENTED, 1, "api")
    assert processor.dead_letters() == 0
    zim.fault("code", code=code)
    assert not processor.keeps(INVENTED, 1, None)
    assert processor.dead_letters() == 1


def test_an_error_of_the_operator_becomes_a_dead_letter_wherever_the_message_is_from(
    zim: SimulatorClient, processor: Processor
) -> None:
    zim.fault("code", code=100000001)
    assert not processor.keeps(INVENTED, MAX_RECEIVES, "api")
    assert processor.dead_letters() == 1
