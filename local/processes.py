"""Processes of the local stack: started, waited for until they are ready, and ended with all that they started."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
END_SECONDS = 10.0


class LocalError(Exception):
    """Something that keeps the local stack from working, in one sentence for the person at the keyboard."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def require_free(port: int, setting: str) -> None:
    """Raise `LocalError` if somebody listens on this port of the loopback interface; `setting` changes the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            raise LocalError(f"Port {port} is in use: end what listens there, or set {setting} to another.") from None


def until(condition: Callable[[], bool], seconds: float, otherwise: str) -> float:
    """Wait for a condition, and return how many seconds that took; raise `LocalError` if it takes too many."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise LocalError(f"{otherwise} within {seconds:.0f} s.")
        time.sleep(0.05)
    return time.monotonic() - started


@contextlib.contextmanager
def process(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: Path,
    ready: Callable[[], bool],
    seconds: float = 30.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; enter it when `ready` says so, within `seconds`.

    Raises
    ------
    LocalError
        if the process ends or is not ready in time; what it wrote is in the file `log`.
    """
    name = Path(command[0]).name
    with log.open("wb") as output:
        # A session of its own: the terminal's Ctrl-C reaches us alone, and we end the whole group by its id.
        started = subprocess.Popen(
            command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        until(lambda: ready() or started.poll() is not None, seconds, f"{name} was not ready")
        if started.poll() is not None:
            raise LocalError(f"{name} ended with status {started.returncode}: {_last_line(log)}")
        yield started
    finally:
        _end(started)


def _end(started: subprocess.Popen[bytes]) -> None:
    started.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        started.wait(END_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait(END_SECONDS)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")


def run(command: Sequence[str | Path], *, environment: Mapping[str, str], log: Path) -> None:
    """Run a command to its end; what it wrote is in the file `log`.

    Raises
    ------
    LocalError
        if it fails, with the last line that it wrote.
    """
    done = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    # The errors last, whatever was buffered for how long: the last line is what the person is told.
    log.write_text(done.stdout + done.stderr)
    if done.returncode:
        raise LocalError(f"{Path(command[0]).name} {command[1]} failed: {_last_line(log)}")
