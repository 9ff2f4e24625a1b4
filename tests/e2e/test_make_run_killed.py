"""A `make run` that is killed leaves no process and no port behind."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import HOST, free_port, until
from tests.support.paths import ROOT

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
def make_run(ports: tuple[int, int], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `make run` whose emulator and simulator accept requests."""
    environment = {**os.environ, "EMULATOR_PORT": str(ports[0]), "SIMULATOR_PORT": str(ports[1])}
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            ["make", "run"],  # noqa: S607
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until(lambda: all(map(listens, ports)), SECONDS, "The servers did not start")
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(SECONDS)


def child_of(process: int) -> int:
    output = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=True)  # noqa: S607
    return int(output.stdout.split()[0])


@pytest.mark.parametrize("killed", ["make", "its command"])
def test_the_servers_end(make_run: subprocess.Popen[bytes], ports: tuple[int, int], killed: str) -> None:
    os.kill(make_run.pid if killed == "make" else child_of(make_run.pid), signal.SIGKILL)
    until(lambda: not any(map(listens, ports)), SECONDS, "The servers did not end")
    until(lambda: str(ports[1]) not in processes(), SECONDS, "The processes did not end")
