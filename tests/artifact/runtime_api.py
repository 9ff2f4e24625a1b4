"""Lambda's Runtime API, as far as AWS's runtime client asks for it when a function starts with SnapStart.

The interface emulator always starts functions on demand. Here the client waits at `restore/next`, as it does while
Lambda takes the snapshot, until the test restores it.
"""

import contextlib
import json
import queue
import subprocess
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from local.lambda_runtime import PYTHON
from local.processes import HOST

_DEADLINE_SECONDS = 30.0


class SnapStarted:
    """A function that was started with SnapStart: `snapshot` waits for the snapshot, `restore` ends the wait."""

    def __init__(self) -> None:
        self.waits = Event()
        self.restored = Event()
        self.events: queue.Queue[Any] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()

    def snapshot(self) -> None:
        """Return as soon as the function has started and waits to be restored."""
        assert self.waits.wait(_DEADLINE_SECONDS), "the runtime client does not come to the snapshot"

    def restore(self) -> None:
        """Let it go on."""
        self.restored.set()

    def invoke(self, event: Any) -> Any:
        """Return what the handler returned."""
        self.events.put(event)
        return self.answers.get(timeout=_DEADLINE_SECONDS)


@contextlib.contextmanager
def snap_started(handler: str, settings: Mapping[str, str], log: Path) -> Iterator[SnapStarted]:
    """Run a handler under the runtime client until the block ends."""
    function = SnapStarted()

    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.endswith("/restore/next"):
                function.waits.set()
                function.restored.wait()
                self._answer(200, b"")
            else:
                self._answer(200, json.dumps(function.events.get()).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(202, b"")
            function.answers.put(json.loads(body))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")  # the client crashes without one
            self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 20) * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep still."""

    with ThreadingHTTPServer((HOST, 0), RuntimeApi) as api:
        api.daemon_threads = True
        api.block_on_close = False
        Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        variables = {
            **settings,
            "AWS_LAMBDA_RUNTIME_API": f"{HOST}:{api.server_port}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        }
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [*PYTHON, "-m", "awslambdaric", handler], env=variables, stdout=output, stderr=output
            ) as client,
        ):
            try:
                yield function
            finally:
                client.kill()
                api.shutdown()
