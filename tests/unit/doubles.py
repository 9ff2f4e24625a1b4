"""What unit tests use in place of a clock, the network and Lambda."""

import io
import json
import math
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

SETTINGS = {
    "ZIM_SECRET_ID": "zim",
    "CALLS_PER_SECOND": "100",
    "OTHER_CALLS_PER_SECOND": "1",
    "ZIM_CALLS_PER_SECOND_LIMIT": "101",
    "RESERVED_CONCURRENCY": "1",
    "EXPIRES_AFTER_SECONDS": "90",
}
"""Environment variables of functions, except ZIM_API_BASE_URL."""

UNIX_TIME = 1_800_000_000
"""Unix seconds when a `Clock` starts."""


class Clock:
    """A clock in seconds that passes only during `sleep`. It starts at a whole second, so that sums are exact."""

    def __init__(self) -> None:
        self.now = self._started = float(math.ceil(time.monotonic()))
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return UNIX_TIME + self.now - self._started

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def delay_connections(patch: pytest.MonkeyPatch, wait: Callable[[], object]) -> None:
    """Call `wait` before each TCP connection is opened."""
    connect = socket.create_connection

    def slow_connect(address: tuple[str, int], timeout: float) -> socket.socket:
        wait()
        return connect(address, timeout)

    patch.setattr(socket, "create_connection", slow_connect)


class Log:
    """The lines that the functions log."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@dataclass
class Context:
    """The part of Lambda's context that Powertools and the handlers read."""

    remaining_ms: int
    function_name: str = "function"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass
class Function:
    """A loaded function. Call it with an event."""

    app: ModuleType

    def __call__(self, event: Any, *, remaining_ms: int = 15_000) -> Any:
        return self.app.handler(event, Context(remaining_ms))
