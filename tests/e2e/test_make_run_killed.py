"""A `make run` that is killed leaves no process, port or temporary folder behind."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import HOST, free_port, until
from tests.support.make_run import make_run

SECONDS = 60.0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def processes() -> str:
    return subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout  # noqa: S607


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def running(
    ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen[bytes]]:
    """A `make run` whose emulator and simulator accept requests."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with make_run(ports, tmp_path) as process:
        until(lambda: all(map(listens, ports)), SECONDS, "The servers did not start")
        yield process


def child_of(process: int) -> int:
    output = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=True)  # noqa: S607
    return int(output.stdout.split()[0])


@pytest.mark.parametrize("killed", ["make", "its command"])
def test_nothing_is_left_that_prevents_the_next_run(
    running: subprocess.Popen[bytes], ports: tuple[int, int], tmp_path: Path, killed: str
) -> None:
    assert list(tmp_path.glob("call-reject-*"))
    os.kill(running.pid if killed == "make" else child_of(running.pid), signal.SIGKILL)
    until(lambda: not any(map(listens, ports)), SECONDS, "The servers did not end")
    until(lambda: str(ports[1]) not in processes(), SECONDS, "The processes did not end")
    until(lambda: not list(tmp_path.glob("call-reject-*")), SECONDS, "The temporary folder was not removed")
    with make_run(ports, tmp_path):
        until(lambda: all(map(listens, ports)), SECONDS, "The servers did not start")
