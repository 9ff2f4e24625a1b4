"""What the simulator does not know and the page needs: where the deployed API is, tokens for it, the queues' depths."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from local.issuer import Issuer
from local.processes import HOST
from local.stack import Stack

TELL_SECONDS = 10.0
_DEPTHS = {
    "waiting": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
}


def origins(simulator_port: int) -> list[str]:
    """Return the origins of the page, whichever name of this machine a person types."""
    return [f"http://{host}:{simulator_port}" for host in (HOST, "localhost")]


@contextmanager
def shown(stack: Stack, issuer: Issuer) -> Iterator[str]:
    """Show a stack on the page of its simulator while the block lasts, and give the page's address."""
    allowed = origins(urlsplit(stack.simulator_url).port or 0)
    sqs = stack.client("sqs")

    def depth(output: str) -> dict[str, int]:
        asked = {"QueueUrl": stack.outputs[output], "AttributeNames": list(_DEPTHS.values())}
        attributes = sqs.get_queue_attributes(**asked)["Attributes"]
        return {name: int(attributes[attribute]) for name, attribute in _DEPTHS.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            user = parse_qs(asked.query).get("user", [""])[0]
            if asked.path == "/token" and user:
                self._answer(200, {"token": issuer.token(user)})
            elif asked.path == "/queues":
                self._answer(200, {"queue": depth("QueueUrl"), "dead_letters": depth("DeadLetterQueueUrl")})
            else:
                self._answer(404, {"error": "Ask for /token?user=… or /queues."})

        def _answer(self, status: int, document: Any) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Vary", "Origin")
            if self.headers.get("Origin") in allowed:
                self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://{HOST}:{server.server_port}"
        told = {
            "CallRejectUrl": stack.call_reject_url,
            "CallRejectAsyncUrl": stack.call_reject_async_url,
            "TokenUrl": f"{url}/token",
            "QueuesUrl": f"{url}/queues",
        }
        requests.put(f"{stack.simulator_url}/page/stack", json=told, timeout=TELL_SECONDS).raise_for_status()
        try:
            yield f"{stack.simulator_url}/"
        finally:
            server.shutdown()
