"""Start processes of the local stack, wait until they are ready, and stop them together with their children."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
MIN_PORT = 1024
"""Lower ports are reserved for root."""

MAX_PORT = 65535
STOP_SECONDS = 10.0
PARENT_SECONDS = 0.2


class LocalError(Exception):
    """A problem that stops a local command. The message is for the user."""


@contextlib.contextmanager
def exit_on_error(command: str) -> Iterator[None]:
    """Print the message of a `LocalError` to stderr and exit with status 1. `command` is what the user typed."""
    try:
        yield
    except LocalError as error:
        sys.exit(f"{command}: {error}")


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def port_of(setting: str, default: int) -> int:
    """Return the port in an environment variable. Raise `LocalError` if its value is not a port."""
    value = os.environ.get(setting) or str(default)
    if not (value.isdecimal() and MIN_PORT <= int(value) <= MAX_PORT):
        raise LocalError(f"{setting}={value} is not a port. Set it to a number from {MIN_PORT} to {MAX_PORT}.")
    return int(value)


def require_free(ports: Mapping[str, int]) -> None:
    """Raise `LocalError` with all ports that are in use.

    Parameters
    ----------
    ports
        ports by the environment variable that changes them.
    """
    if len(set(ports.values())) < len(ports):
        raise LocalError(f"{' and '.join(ports)} must be different ports.")
    used = {setting: port for setting, port in ports.items() if not _is_free(port)}
    if used:
        names = ", ".join(f"port {port} ({setting})" for setting, port in used.items())
        others = " ".join(f"{setting}={free_port()}" for setting in used)
        raise LocalError(f"In use: {names}. Stop the programs that use them, or choose others: make run {others}")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True


def until(condition: Callable[[], bool], seconds: float, failure: str) -> float:
    """Wait until a condition is true.

    Parameters
    ----------
    condition
        the condition, checked every 50 ms.
    seconds
        how long to wait.
    failure
        what went wrong if the time runs out, for example "The server did not start".

    Returns
    -------
    how long it took, in seconds.

    Raises
    ------
    LocalError
        if the time runs out.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise LocalError(f"{failure} within {seconds:.0f} s.")
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
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends. The block starts when `ready` returns true.

    If this process is killed, the server and its children are killed too.

    Parameters
    ----------
    command
        the program and its arguments.
    environment
        its environment variables.
    log
        the file for its output.
    ready
        returns whether the server accepts requests.
    seconds
        how long to wait for it.
    folder
        its working directory; by default, the one of this process.

    Raises
    ------
    LocalError
        if the process exits or is not ready in time.
    """
    name = Path(command[0]).name
    with log.open("wb") as output:
        # In its own session, the process does not get the terminal's Ctrl-C, and its group can be killed as a whole.
        started = subprocess.Popen(
            command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True
        )
    watcher = watch_group(started.pid)
    try:
        until(lambda: ready() or started.poll() is not None, seconds, f"{name} was not ready")
        if started.poll() is not None:
            raise LocalError(f"{name} exited with status {started.returncode}: {_last_line(log)}")
        yield started
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait(STOP_SECONDS)
        watcher.kill()
        watcher.communicate()


def watch_group(group: int) -> subprocess.Popen[bytes]:
    """Start a process that kills a process group when this process ends, however it ends.

    The watcher waits for the end of its input, a pipe that only this process keeps open.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", 'read -r _; kill -KILL "-$0"', str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Create a folder for temporary files, and remove it when the block ends or this process is killed.

    On Linux, processes whose `TMPDIR` or `STATE_DIR` is in the folder are killed first.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    # It waits for the end of its input, like the one of `watch_group`.
    remover = subprocess.Popen(
        ["/bin/sh", "-c", _REMOVE, str(folder)],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        remover.communicate()


_REMOVE = """
read -r _
for _ in 1 2 3 4 5 6 7 8 9 10; do
  grep -lsF -e "TMPDIR=$0" -e "STATE_DIR=$0" /proc/[0-9]*/environ | cut -d / -f 3 | xargs kill -KILL
  rm -rf -- "$0" && exit
  sleep 0.1
done
"""


def stop_with_parent() -> None:
    """End this process when its parent ends. For a command that `make` runs.

    The exception of a SIGTERM can get lost, for example in the destructor of an object. Then a SIGKILL follows, and the
    watchers of the other processes and of the temporary folder clean up.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def run(command: Sequence[str | Path], *, environment: Mapping[str, str], log: Path) -> None:
    """Run a command and wait for it. Its output is in the file `log`.

    Raises
    ------
    LocalError
        if the command fails, with the last line of its output.
    """
    completed = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    log.write_text(completed.stdout + completed.stderr)
    if completed.returncode:
        raise LocalError(f"{Path(command[0]).name} {command[1]} failed: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").split("\n") if line.strip()]
    return lines[-1] if lines else "no output"
