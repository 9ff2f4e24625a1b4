"""`make run` in a process group, as a shell starts it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from local.processes import watch_group
from tests.support.paths import ROOT

STOP_SECONDS = 30.0


def environment(emulator_port: int, simulator_port: int) -> dict[str, str]:
    """Return the environment variables with these ports."""
    return {**os.environ, "EMULATOR_PORT": str(emulator_port), "SIMULATOR_PORT": str(simulator_port)}


@contextlib.contextmanager
def make_run(ports: tuple[int, int], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until the block ends, or until the tests are killed. Its output is in the file `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run"],  # noqa: S607 - make from the PATH
            cwd=ROOT,
            env=environment(*ports),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    watcher = watch_group(process.pid)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(STOP_SECONDS)
        watcher.kill()
        watcher.communicate()
