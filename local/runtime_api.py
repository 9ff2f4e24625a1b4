"""Lambda's Runtime API for one built function under AWS's runtime client: its initialization, then its invocations.

The Runtime Interface Emulator is not used, because it starts a function only with its first event, and does not support
SnapStart. See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
"""

import contextlib
import queue
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from local.http_server import Request, Response, serve
from local.lambda_runtime import PYTHON
from local.processes import LocalError

_TIMEOUT_SECONDS = 60.0
_END = object()
"""In place of an event: there are no more."""


@dataclass(frozen=True)
class Invocation:
    """The result of the handler, and the times of the event and of the result in seconds of the monotonic clock."""

    result: Any
    started_at: float
    ended_at: float

    @property
    def seconds(self) -> float:
        """The duration of the invocation."""
        return self.ended_at - self.started_at


@dataclass
class ExecutionEnvironment:
    """A running function. Times are in seconds of the monotonic clock."""

    timeout: int
    """The seconds of an invocation."""
    process_id: int = 0
    started_at: float = 0.0
    initialized_at: float = 0.0
    _initialized: Event = field(default_factory=Event)
    _restored: Event = field(default_factory=Event)
    _idle: Event = field(default_factory=Event)
    _events: queue.Queue[Any] = field(default_factory=queue.Queue)
    _results: queue.Queue[Request] = field(default_factory=queue.Queue)
    _invoked_at: float = 0.0

    @property
    def init_seconds(self) -> float:
        """The time from the start of the process until it waits for an event, or with SnapStart for the restore."""
        return self.initialized_at - self.started_at

    def wait_for_init(self) -> None:
        """Return when the function has initialized.

        Raises
        ------
        LocalError
            if that takes too long.
        """
        if not self._initialized.wait(_TIMEOUT_SECONDS):
            raise LocalError("The function did not initialize in time")

    def restore(self) -> None:
        """Let a function with SnapStart continue after its snapshot."""
        self._restored.set()

    def invoke(self, event: Any) -> Invocation:
        """Send an event and wait for the result. An event that is sent before the end of INIT is queued."""
        self._events.put(event)
        try:
            request = self._results.get(timeout=_TIMEOUT_SECONDS)
        except queue.Empty:
            raise LocalError("The function did not return a result in time") from None
        self._idle.wait(_TIMEOUT_SECONDS)
        return Invocation(request.json(), self._invoked_at, request.received_at)

    def respond(self, request: Request) -> Response | None:
        """Respond to the runtime client."""
        if request.method == "POST":
            self._results.put(request)
            if request.path.endswith("/init/error"):
                self._idle.set()
            return Response.json(None, status=202)
        if not self._initialized.is_set():
            self.initialized_at = request.received_at
            self._initialized.set()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "request-1",
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:function",
        }
        if request.path.endswith("/restore/next"):
            self._restored.wait()
            return Response.json(None, headers=headers)
        self._idle.set()
        event = self._events.get()
        if event is _END:
            return None
        self._idle.clear()
        self._invoked_at = time.monotonic()
        return Response.json(event, headers=headers)

    def end(self) -> None:
        """Release the threads that wait for an event or for the restore."""
        self._restored.set()
        self._events.put(_END)


@contextlib.contextmanager
def execution_environment(
    settings: Mapping[str, str],
    log: Path,
    handler: str = "app.handler",
    *,
    snap_start: bool = False,
    before: Sequence[str] = (),
) -> Iterator[ExecutionEnvironment]:
    """Run a function until the block ends. It starts to initialize immediately.

    Parameters
    ----------
    settings
        Environment variables; the first entry of PYTHONPATH is the folder of the function.
    log
        The file for the output of the function.
    handler
        The function's handler.
    snap_start
        Whether the function waits for `restore` after INIT.
    before
        A command that runs the function, for example `taskset`.
    """
    environment = ExecutionEnvironment(int(settings["AWS_LAMBDA_FUNCTION_TIMEOUT"]))
    with serve(environment.respond) as api, log.open("wb") as output:
        variables = {
            **settings,
            "AWS_LAMBDA_RUNTIME_API": urlsplit(api.url).netloc,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if snap_start else "on-demand",
        }
        environment.started_at = time.monotonic()
        with subprocess.Popen(
            [*before, *PYTHON, "-m", "awslambdaric", handler],
            env=variables,
            cwd=settings["PYTHONPATH"].split(":")[0],
            stdout=output,
            stderr=output,
        ) as client:
            environment.process_id = client.pid
            try:
                yield environment
            finally:
                client.kill()
                environment.end()
