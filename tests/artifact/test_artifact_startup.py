"""The initialization of the built functions: they connect and read the secret in advance, and it may all go wrong."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from local.lambda_runtime import FUNCTION, LAYER, environment
from local.paths import BUILT
from local.processes import HOST, free_port, until
from local.runtime_api import ExecutionEnvironment, execution_environment
from tests.artifact.secrets_manager import SecretsManager, secrets_manager_server
from tests.support.zim_connections import Break, ZimConnections, zim_connections

REQUEST = {"FromUserId": "user0", "CallId": "call-1"}
MAX_WAIT_SECONDS = 1.0
FROZEN = """
import time
from types import SimpleNamespace
import app, zim.credentials

def handler(event, context):
    if event.pop("an_hour_later", False):
        zim.credentials.time = SimpleNamespace(time=lambda: time.time() + 3600)
    return app.handler(event, context)
"""
Start = Callable[..., AbstractContextManager[ExecutionEnvironment]]


@pytest.fixture
def secrets() -> Iterator[SecretsManager]:
    with secrets_manager_server() as server:
        yield server


@pytest.fixture
def zim() -> Iterator[ZimConnections]:
    with zim_connections() as running:
        yield running


@pytest.fixture
def log(logs: Path) -> Path:
    return logs / f"{len(list(logs.iterdir()))}.log"


@pytest.fixture
def start(zim: ZimConnections, secrets: SecretsManager, log: Path) -> Start:
    """Start a function with these environment variables and wait until it has initialized."""

    @contextlib.contextmanager
    def started(
        *, handler: str = "app.handler", snap_start: bool = False, **changes: str
    ) -> Iterator[ExecutionEnvironment]:
        variables = {"ZIM_API_BASE_URL": zim.url, "AWS_ENDPOINT_URL": secrets.url, **changes}
        with execution_environment(environment(**variables), log, handler, snap_start=snap_start) as function:
            function.wait_for_init()
            yield function

    return started


def outcome(log: Path) -> Any:
    """Return the last line about a request."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"level"')]
    return [line for line in lines if "outcome" in line][-1]


def test_init_connects_and_reads_the_secret_but_sends_no_call(
    start: Start, zim: ZimConnections, secrets: SecretsManager, log: Path
) -> None:
    with start(CALLS_PER_SECOND="1") as function:
        assert zim.has_accepted(1)
        assert secrets.reads == 1
        assert zim.requests == []
        assert function.invoke(REQUEST).result["Code"] == 0
        assert zim.requests == [0]
    assert zim.accepted == 1
    assert secrets.reads == 1
    # INIT has not used the one call of this second.
    assert outcome(log)["window_wait_ms"] < 100


@pytest.mark.parametrize("how", Break)
@pytest.mark.parametrize("before", [[], [0]], ids=["prepared", "used"])
def test_a_connection_that_broke_is_replaced(
    start: Start, zim: ZimConnections, log: Path, how: Break, before: list[int]
) -> None:
    with start() as function:
        for _ in before:
            function.invoke(REQUEST)
        zim.break_all(how)
        invocation = function.invoke(REQUEST)
    assert invocation.result["Code"] == 0
    assert zim.requests == [*before, 1]
    assert outcome(log)["attempts"] == (2 if how is Break.SILENCE else 1)
    assert outcome(log)["zim_ms"] < 2000  # not the read timeout


def test_an_environment_that_was_frozen_for_an_hour_reads_the_secret_and_connects_again(
    start: Start, zim: ZimConnections, secrets: SecretsManager, tmp_path: Path
) -> None:
    (tmp_path / "frozen.py").write_text(FROZEN)
    with start(PYTHONPATH=f"{tmp_path}:{FUNCTION}:{LAYER}", handler="frozen.handler") as function:
        function.invoke(REQUEST)
        zim.break_all(Break.CLOSE)
        assert function.invoke({**REQUEST, "an_hour_later": True}).result["Code"] == 0
    assert zim.requests == [0, 1]
    assert secrets.reads == 2


def test_a_secret_that_cannot_be_read_in_init_is_read_by_the_request(start: Start, secrets: SecretsManager) -> None:
    secrets.error = "AccessDeniedException"
    with start() as function:
        assert secrets.reads == 1
        assert function.invoke(REQUEST).result["errorType"] == "SecretUnavailable"
        secrets.error = None
        assert function.invoke(REQUEST).result["Code"] == 0
    assert secrets.reads == 3


def test_zim_that_cannot_be_reached_in_init_is_reached_by_the_request(start: Start, zim: ZimConnections) -> None:
    port = free_port()
    with start(ZIM_API_BASE_URL=f"http://{HOST}:{port}") as function:
        assert function.invoke(REQUEST).result["errorType"] == "ZimUnreachable"
    with zim_connections() as late, start(ZIM_API_BASE_URL=late.url) as function:
        late.break_all(Break.CLOSE)
        assert function.invoke(REQUEST).result["Code"] == 0
    assert zim.accepted == 0


def test_servers_that_hang_delay_init_by_at_most_a_second(start: Start, secrets: SecretsManager) -> None:
    with start() as function:
        usual = function.init_seconds
    secrets.responds.clear()
    with (
        socket.create_server((HOST, 0)) as silent,
        start(ZIM_API_BASE_URL=f"https://{HOST}:{silent.getsockname()[1]}") as function,
    ):
        assert MAX_WAIT_SECONDS < function.init_seconds < usual + MAX_WAIT_SECONDS + 1
        secrets.responds.set()
        started = time.monotonic()
        assert function.invoke(REQUEST).result["errorType"] == "ZimUnreachable"
        assert time.monotonic() - started < 4


def test_a_snapshot_contains_no_connection_and_no_secret_and_a_restore_prepares_both(
    start: Start, zim: ZimConnections, secrets: SecretsManager
) -> None:
    with start(snap_start=True) as function:
        assert (zim.accepted, secrets.reads) == (0, 0)
        sockets = [
            link for link in Path(f"/proc/{function.process_id}/fd").iterdir() if "socket" in str(link.readlink())
        ]
        assert len(sockets) == 1  # to the Runtime API
        function.restore()
        until(lambda: (zim.accepted, secrets.reads) == (1, 1), 10, "The restore hook did not prepare")
        assert zim.requests == []
        assert function.invoke(REQUEST).result["Code"] == 0
    assert (zim.accepted, secrets.reads) == (1, 1)
    assert zim.requests == [0]


def test_the_async_function_neither_connects_to_zim_nor_reads_the_secret(
    start: Start, zim: ZimConnections, secrets: SecretsManager
) -> None:
    with start(
        PYTHONPATH=f"{BUILT / 'CallRejectAsyncFunction'}:{LAYER}",
        QUEUE_URL=f"{secrets.url}/queue",
        EXPIRES_AFTER_SECONDS="60",
    ):
        assert (zim.accepted, secrets.reads) == (0, 0)
