"""What the page needs besides the simulator: the URLs of the deployed API, tokens, and the depths of the queues."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests

from local.access import HEADER
from local.http_server import Request, Response, serve
from local.issuer import Issuer
from local.stack import Stack, page_origins

SIMULATOR_SECONDS = 10.0
DEPTHS = {"waiting": "ApproximateNumberOfMessages", "in_flight": "ApproximateNumberOfMessagesNotVisible"}


@contextmanager
def connect_page(stack: Stack, issuer: Issuer) -> Iterator[str]:
    """Connect the simulator's page to a deployed stack until the block ends; yields the URL of the page."""
    origins = page_origins(urlsplit(stack.simulator_url).port or 0)
    sqs = stack.client("sqs")

    def depth(output: str) -> dict[str, int]:
        names = list(DEPTHS.values())
        attributes = sqs.get_queue_attributes(QueueUrl=stack.outputs[output], AttributeNames=names)["Attributes"]
        return {name: int(attributes[attribute]) for name, attribute in DEPTHS.items()}

    def respond(request: Request) -> Response:
        headers = {"Cache-Control": "no-store", "Vary": "Origin"}
        if "Origin" in request.headers:
            headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        if request.path == "/token" and "user" in request.query:
            return Response.json({"token": issuer.token(request.query["user"])}, headers=headers)
        if request.path == "/queues":
            depths = {"queue": depth("QueueUrl"), "dead_letters": depth("DeadLetterQueueUrl")}
            return Response.json(depths, headers=headers)
        return Response.json({"error": "Not found. Use /token?user=<name> or /queues."}, 404, headers)

    with serve(respond, origins) as server:
        urls = {
            "CallRejectUrl": stack.call_reject_url,
            "CallRejectAsyncUrl": stack.call_reject_async_url,
            "TokenUrl": f"{server.url}/token",
            "QueuesUrl": f"{server.url}/queues",
        }
        url = f"{stack.simulator_url}/page/stack"
        requests.put(url, json=urls, headers={HEADER: "1"}, timeout=SIMULATOR_SECONDS).raise_for_status()
        yield f"{stack.simulator_url}/"
