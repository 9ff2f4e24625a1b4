"""Ways to keep a function of the deployed stack saturated: clients over HTTPS, messages on the queue."""

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.processes import LocalError
from local.stack import API_SECONDS, KEY, REGION, STACK_NAME, Stack

EXTRA_CLIENTS = 2
"""So many more than the environments: whoever frees one finds a request waiting."""

BUSY = "429 busy"
BUSY_SECONDS = 0.05
"""A client that finds all environments busy tries again after that, and up to as much more."""

INVITEES = 100
RINGING_SECONDS = 600.0
DRAIN_SECONDS = 60.0
MESSAGES_AT_ONCE = 10

Requests = list[dict[str, str]]


@dataclass(frozen=True)
class Limit:
    """What a deployed function was told: calls a second, over so many environments."""

    calls_per_second: int
    environments: int

    def rate(self, round_trip: float) -> float:
        """Return the calls a second that saturated windows let through: each k in a second and a round trip."""
        return self.calls_per_second // self.environments * self.environments / (1 + round_trip)


@dataclass(frozen=True)
class Answer:
    """What a client was told, at a moment of the monotonic clock, after so many seconds."""

    at: float
    said: str
    seconds: float


@dataclass(frozen=True)
class Load:
    """A way to saturate one function, with requests of users whose ids begin with the load's name."""

    name: str
    logical_id: str
    running: Callable[[Stack, Requests, Limit], AbstractContextManager[list[Answer]]]

    def function_name(self, stack: Stack) -> str:
        """Return the name of the deployed function."""
        resources = stack.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        return next(
            str(each["PhysicalResourceId"]) for each in resources if each["LogicalResourceId"] == self.logical_id
        )

    def limit(self, stack: Stack) -> Limit:
        """Ask the stack what the function was told, and that its concurrency is really reserved."""
        name, functions = self.function_name(stack), stack.client("lambda")
        told = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        limit = Limit(int(told["CALLS_PER_SECOND"]), int(told["RESERVED_CONCURRENCY"]))
        reserved = functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
        if reserved != limit.environments:
            raise LocalError(f"{name} was told of {limit.environments} environments, and {reserved} are reserved.")
        return limit

    def requests(self, stack: Stack, number: int) -> Requests:
        """Ring so many users, and return the requests that reject their calls."""
        users = [f"{self.name}{each}" for each in range(number)]
        return [
            {"FromUserId": user, "CallId": call_id}
            for some in (users[first : first + INVITEES] for first in range(0, number, INVITEES))
            for call_id in [stack.simulator.ring(*some, timeout=RINGING_SECONDS)]
            for user in some
        ]


@contextlib.contextmanager
def https(stack: Stack, wanted: Requests, limit: Limit) -> Iterator[list[Answer]]:
    """Keep clients asking over HTTPS while the block lasts, one request each at a time; give what they are told."""
    answers: list[Answer] = []
    ended = threading.Event()
    clients = [
        threading.Thread(target=_client, args=(stack, wanted, answers, ended), daemon=True)
        for _ in range(limit.environments + EXTRA_CLIENTS)
    ]
    for client in clients:
        client.start()
    try:
        yield answers
    finally:
        ended.set()
        for client in clients:
            client.join(API_SECONDS)


def _client(stack: Stack, wanted: Requests, answers: list[Answer], ended: threading.Event) -> None:
    with requests.Session() as session:
        session.trust_env = False
        while wanted and not ended.is_set():
            body = json.dumps(wanted.pop())
            while not ended.is_set():
                answers.append(answer := _ask(stack, session, body))
                if answer.said != BUSY:
                    break
                ended.wait(random.uniform(BUSY_SECONDS, 2 * BUSY_SECONDS))  # noqa: S311 - no secret


def _ask(stack: Stack, session: requests.Session, body: str) -> Answer:
    """Send a request as `Stack.post` does, on a connection that stays."""
    url = stack.call_reject_url
    address = urlsplit(url)
    signed = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(KEY, KEY), "execute-api", REGION).add_auth(signed)
    started = time.monotonic()
    try:
        said = _said(
            session.post(
                f"{stack.emulator_url}{address.path}",
                data=body,
                headers={**signed.headers, "Host": address.netloc},
                timeout=API_SECONDS,
            )
        )
    except requests.RequestException as error:
        said = type(error).__name__
    now = time.monotonic()
    return Answer(now, said, now - started)


def _said(response: requests.Response) -> str:
    """Name an answer: the status; of a problem also its name and ZIM's code; of the emulator's own 429 that it was."""
    if response.headers.get("Content-Type") == "application/problem+json":
        problem = response.json()
        said = [response.status_code, problem["type"].rpartition(":")[2], problem.get("Code")]
        return " ".join(str(part) for part in said if part is not None)
    return BUSY if response.status_code == requests.codes.too_many_requests else str(response.status_code)


@contextlib.contextmanager
def queue(stack: Stack, wanted: Requests, _: Limit) -> Iterator[list[Answer]]:
    """Have more messages on the queue than can be done while the block lasts. Nobody is answered."""
    sqs, url = stack.client("sqs"), stack.outputs["QueueUrl"]
    while wanted:
        some = [wanted.pop() for _ in range(min(MESSAGES_AT_ONCE, len(wanted)))]
        entries = [{"Id": str(number), "MessageBody": json.dumps(each)} for number, each in enumerate(some)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    try:
        yield []
    finally:
        sqs.purge_queue(QueueUrl=url)
        _drained(sqs, url)


def _drained(sqs: Any, url: str) -> None:
    """Wait for what the function has already received, so that it does not disturb the next load."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline:
        left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if not any(int(left[name]) for name in names):
            return
        time.sleep(0.2)
    raise LocalError(f"The queue was not drained {DRAIN_SECONDS:.0f} s after it was purged.")


LOADS = {
    "https": Load("https", "CallRejectFunction", https),
    "queue": Load("queue", "CallRejectQueueFunction", queue),
}
