"""Lambda's Runtime API for a function with SnapStart, which the Runtime Interface Emulator does not support.

See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. The runtime client waits at `restore/next` while
Lambda takes the snapshot.
"""

import contextlib
import queue
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from local.lambda_runtime import PYTHON
from tests.support.http_server import Request, Response, serve

_TIMEOUT_SECONDS = 30.0
_INVOCATION_SECONDS = 20


class SnapStartFunction:
    """A function with SnapStart."""

    def __init__(self) -> None:
        self._initialized = Event()
        self._restored = Event()
        self._events: queue.Queue[Any] = queue.Queue()
        self._results: queue.Queue[Any] = queue.Queue()

    def wait_for_snapshot(self) -> None:
        """Return when the function has initialized."""
        assert self._initialized.wait(_TIMEOUT_SECONDS), "the runtime client did not request restore/next"

    def restore(self) -> None:
        """Continue after the snapshot."""
        self._restored.set()

    def invoke(self, event: Any) -> Any:
        """Return the result of the handler."""
        self._events.put(event)
        return self._results.get(timeout=_TIMEOUT_SECONDS)

    def respond(self, request: Request) -> Response:
        """Respond to the runtime client."""
        if request.method == "POST":
            self._results.put(request.json())
            return Response.json(None, status=202)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "request-1",
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + _INVOCATION_SECONDS) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        }
        if request.path.endswith("/restore/next"):
            self._initialized.set()
            self._restored.wait()
            return Response.json(None, headers=headers)
        return Response.json(self._events.get(), headers=headers)


@contextlib.contextmanager
def snap_start_function(handler: str, settings: Mapping[str, str], log: Path) -> Iterator[SnapStartFunction]:
    """Run a handler under the runtime client until the block ends."""
    function = SnapStartFunction()
    with serve(function.respond) as api, log.open("wb") as output:
        variables = {
            **settings,
            "AWS_LAMBDA_RUNTIME_API": urlsplit(api.url).netloc,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        }
        command = [*PYTHON, "-m", "awslambdaric", handler]
        with subprocess.Popen(command, env=variables, stdout=output, stderr=output) as client:
            try:
                yield function
            finally:
                client.kill()
