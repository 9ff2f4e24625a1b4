"""What the page needs besides the simulator: the URLs of the deployed API, tokens, and the queues."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from urllib.parse import urlsplit

import requests

from local import example
from local.access import HEADER, HEADER_MISSING
from local.dead_letters import dead_letters, redrive
from local.http_server import Handler, Request, Response, serve
from local.issuer import Issuer
from local.processes import LocalError
from local.stack import Stack, page_origins

SIMULATOR_SECONDS = 10.0

DO_NOT_DISTURB_SECONDS = 3600

PARAMETERS = ("ApiCallsPerSecond", "ApiConcurrency", "QueueCallsPerSecond", "QueueConcurrency")
"""The parameters of the template that the page shows."""


@contextmanager
def connect_page(stack: Stack, issuer: Issuer) -> Iterator[str]:
    """Connect the simulator's page to a deployed stack until the block ends; yields the URL of the page."""
    origins = page_origins(urlsplit(stack.simulator_url).port or 0)
    with serve(_handler(stack, issuer), origins) as server:
        members = {
            "CallRejectUrl": stack.call_reject_url,
            "CallRejectAsyncUrl": stack.call_reject_async_url,
            "TokenUrl": f"{server.url}/token",
            "QueuesUrl": f"{server.url}/queues",
            "DeadLettersUrl": f"{server.url}/dead-letters",
            "DoNotDisturbUrl": f"{server.url}/do-not-disturb",
            "Parameters": {name: value for name, value in stack.parameters().items() if name in PARAMETERS},
        }
        url = f"{stack.simulator_url}/page/stack"
        requests.put(url, json=members, headers={HEADER: "1"}, timeout=SIMULATOR_SECONDS).raise_for_status()
        yield f"{stack.simulator_url}/"


class UserMissingError(Exception):
    """A request needs the query parameter `user`."""


def _user(query: dict[str, str]) -> str:
    """Return the user in the query. Raises `UserMissingError` if there is none or it is empty."""
    if user := query.get("user"):
        return user
    raise UserMissingError("The query parameter user is missing or empty.")


Routes = dict[tuple[str, str], Callable[[dict[str, str]], object]]
"""Functions that return JSON for the parameters of a request, by method and path."""


def _do_not_disturb_routes(stack: Stack, issuer: Issuer) -> Routes:
    """Return routes that show and change the settings of a user in examples/do-not-disturb."""

    def settings(query: dict[str, str], change: str | None = None, body: dict[str, int] | None = None) -> object:
        token, deployed = issuer.token(_user(query)), example.find(stack)
        if change:
            deployed.request(change, token, body=body)
        return deployed.request("GET", token).json()

    def until() -> dict[str, int]:
        return {"Until": int(time.time()) + DO_NOT_DISTURB_SECONDS}

    return {
        ("GET", "/do-not-disturb"): settings,
        ("POST", "/do-not-disturb/on"): lambda query: settings(query, "PUT", until()),
        ("POST", "/do-not-disturb/off"): lambda query: settings(query, "DELETE"),
    }


def _handler(stack: Stack, issuer: Issuer) -> Handler:
    def depth(output: str) -> dict[str, int]:
        waiting, in_flight = stack.queue_depth(stack.outputs[output])
        return {"waiting": waiting, "in_flight": in_flight}

    routes: Routes = {
        ("GET", "/token"): lambda query: {"token": issuer.token(_user(query))},
        ("GET", "/queues"): lambda _: {"queue": depth("QueueUrl"), "dead_letters": depth("DeadLetterQueueUrl")},
        ("GET", "/dead-letters"): lambda _: {"dead_letters": [asdict(letter) for letter in dead_letters(stack)]},
        ("POST", "/dead-letters/redrive"): lambda _: {"moved": redrive(stack)},
        **_do_not_disturb_routes(stack, issuer),
    }

    def respond(request: Request) -> Response:
        headers = {"Cache-Control": "no-store", "Vary": "Origin"}
        if "Origin" in request.headers:
            headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            headers["Access-Control-Allow-Headers"] = f"Content-Type, {HEADER}"
        if request.method == "OPTIONS":
            return Response(headers=headers)
        if (request.method, request.path) not in routes:
            known = ", ".join(" ".join(route) for route in routes)
            return Response.json({"error": f"Not found. The routes are {known}."}, 404, headers)
        if request.method == "POST" and HEADER not in request.headers:
            return Response.json({"error": HEADER_MISSING}, 403, headers)
        try:
            return Response.json(routes[request.method, request.path](request.query), headers=headers)
        except UserMissingError as error:
            return Response.json({"error": str(error)}, 400, headers)
        except LocalError as error:
            return Response.json({"error": str(error)}, 503, headers)

    return respond
