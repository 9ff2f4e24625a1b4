"""A small HTTP server for `make run`, tests and benchmarks: `serve(handler)` runs a function behind a free port."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from local.access import rejection
from local.processes import HOST


@dataclass(frozen=True)
class Request:
    """A request as it arrived. `received_at` is in seconds of the monotonic clock; `headers` ignore case."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes
    received_at: float

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Response:
    """A response. The server adds Content-Length."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """Return a response with a JSON body."""
        return cls(status, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})


Handler = Callable[[Request], Response | None]
"""Returns the response to a request, or None to close the connection without one. Runs in a thread per connection."""


@dataclass
class Server:
    """A running server: its base URL, and the requests that it received, oldest first."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def serve(handler: Handler, origins: Collection[str] = ()) -> Iterator[Server]:
    """Serve HTTP on a free port of the loopback interface until the block ends.

    Parameters
    ----------
    handler
        returns the responses.
    origins
        the origins of the pages that can send requests. Requests of other pages do not reach the handler.
    """

    class RequestHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Each response is one write and one packet, so that the server adds no delay to what benchmarks measure.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            received_at = time.monotonic()
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, url.path, dict(parse_qsl(url.query)), self.headers, body, received_at)
            reason = rejection(self.headers.get("Host"), self.headers.get("Origin"), origins)
            if reason is None:
                server.requests.append(request)
                response = handler(request)
            else:
                response = Response.json({"error": reason}, 403)
            if response is None:
                self.close_connection = True
                return
            self.send_response(response.status)
            for name, value in {**response.headers, "Content-Length": str(len(response.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.body)

        def do_POST(self) -> None:
            self.do_GET()

        def do_OPTIONS(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Do not log requests to stderr."""

    with ThreadingHTTPServer((HOST, 0), RequestHandler) as http_server:
        http_server.daemon_threads = True
        http_server.block_on_close = False
        server = Server(f"http://{HOST}:{http_server.server_port}")
        with running_in_thread(http_server):
            yield server


@contextmanager
def running_in_thread(server: BaseServer) -> Iterator[None]:
    """Run a `socketserver` server in a thread until the block ends."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
