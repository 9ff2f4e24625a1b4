"""Loads that saturate a function of the deployed stack: clients over HTTPS, messages on the queue."""

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.processes import LocalError, until
from local.stack import API_SECONDS, REGION, STACK_NAME, Stack

EXTRA_CLIENTS = 2
"""Clients beyond the number of environments, so that a free environment always finds a waiting request."""

THROTTLED = "500 (Lambda throttles)"
RETRY_SECONDS = 0.05
"""A throttled client retries after this time, and up to the same time again."""

USERS_PER_CALL = 100
RINGING_SECONDS = 600.0
DRAIN_SECONDS = 60.0
BATCH_SIZE = 10

Requests = list[dict[str, str]]


@dataclass(frozen=True)
class Limit:
    """The calls per second of a deployed function, and the environments that share them."""

    calls_per_second: int
    environments: int

    def saturated_rate(self, round_trip: float) -> float:
        """Return the calls per second under full load: each environment makes k in one second and a round trip."""
        return self.calls_per_second // self.environments * self.environments / (1 + round_trip)


@dataclass(frozen=True)
class Response:
    """A response to a client: the monotonic time of its arrival, a label, and the seconds it took."""

    time: float
    label: str
    seconds: float


@dataclass(frozen=True)
class Load:
    """A way to saturate one function."""

    name: str
    logical_id: str
    run: Callable[[Stack, Requests, Limit], AbstractContextManager[list[Response]]]

    def limit(self, stack: Stack) -> Limit:
        """Return the limit of the deployed function, after checking that its concurrency is reserved."""
        resource = stack.client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=self.logical_id
        )
        name, functions = resource["StackResourceDetail"]["PhysicalResourceId"], stack.client("lambda")
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        limit = Limit(int(variables["CALLS_PER_SECOND"]), int(variables["RESERVED_CONCURRENCY"]))
        reserved = functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
        if reserved != limit.environments:
            raise LocalError(
                f"{name} is configured for {limit.environments} environments, but {reserved} are reserved."
            )
        return limit

    def requests(self, stack: Stack, number: int) -> Requests:
        """Invite this number of users on the simulator, and return the requests that reject the calls."""
        users = [f"{self.name}{each}" for each in range(number)]
        found: Requests = []
        for first in range(0, number, USERS_PER_CALL):
            invited = users[first : first + USERS_PER_CALL]
            call_id = stack.simulator.ring(*invited, timeout=RINGING_SECONDS)
            found += [{"FromUserId": user, "CallId": call_id} for user in invited]
        return found


@contextlib.contextmanager
def https(stack: Stack, pending: Requests, limit: Limit) -> Iterator[list[Response]]:
    """Run clients that each send one request at a time, and yield the list that collects their responses."""
    responses: list[Response] = []
    stopped = threading.Event()
    clients = [
        threading.Thread(target=_run_client, args=(stack, pending, responses, stopped), daemon=True)
        for _ in range(limit.environments + EXTRA_CLIENTS)
    ]
    for client in clients:
        client.start()
    try:
        yield responses
    finally:
        stopped.set()
        for client in clients:
            client.join(API_SECONDS)


def _run_client(stack: Stack, pending: Requests, responses: list[Response], stopped: threading.Event) -> None:
    with requests.Session() as session:
        session.trust_env = False
        while pending and not stopped.is_set():
            body = json.dumps(pending.pop())
            while not stopped.is_set():
                responses.append(response := _send(stack, session, body))
                if response.label != THROTTLED:
                    break
                stopped.wait(random.uniform(RETRY_SECONDS, 2 * RETRY_SECONDS))  # noqa: S311 - not a secret


def _send(stack: Stack, session: requests.Session, body: str) -> Response:
    """Send a signed request, like `Stack.post`, but on a persistent connection."""
    signed = AWSRequest("POST", stack.call_reject_url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(stack.access_key, stack.secret_key), "execute-api", REGION).add_auth(signed)
    start = time.monotonic()
    try:
        headers = dict(signed.headers)
        label = _label(session.post(stack.call_reject_url, data=body, headers=headers, timeout=API_SECONDS))
    except requests.RequestException as error:
        label = type(error).__name__
    end = time.monotonic()
    return Response(end, label, end - start)


def _label(response: requests.Response) -> str:
    """Return the status, for a problem also its name and ZIM's code."""
    if response.headers.get("Content-Type") == "application/problem+json":
        problem = response.json()
        name, code = problem["type"].rpartition(":")[2], problem.get("Code", "")
        return f"{response.status_code} {name} {code}".strip()
    # API Gateway answers so if Lambda throttles the function.
    return THROTTLED if response.status_code == requests.codes.server_error else str(response.status_code)


@contextlib.contextmanager
def queue(stack: Stack, pending: Requests, _: Limit) -> Iterator[list[Response]]:
    """Fill the queue with more messages than the function can process, and purge it at the end."""
    sqs, url = stack.client("sqs"), stack.outputs["QueueUrl"]
    for first in range(0, len(pending), BATCH_SIZE):
        batch = enumerate(pending[first : first + BATCH_SIZE])
        entries = [{"Id": str(number), "MessageBody": json.dumps(request)} for number, request in batch]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    try:
        yield []
    finally:
        sqs.purge_queue(QueueUrl=url)
        # Messages in flight would disturb the next load.
        until(lambda: stack.queue_depth(url) == (0, 0), DRAIN_SECONDS, "The queue was not empty")


HTTPS = Load("https", "CallRejectFunction", https)
QUEUE = Load("queue", "CallRejectQueueFunction", queue)
