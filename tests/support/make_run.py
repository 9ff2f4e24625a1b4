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


def environment(ports: tuple[int, int], folder: Path) -> dict[str, str]:
    """Return the environment variables with the ports of emulator and simulator, and the folder for the stack file."""
    settings = {"EMULATOR_PORT": str(ports[0]), "SIMULATOR_PORT": str(ports[1]), "STACK_FILE": str(stack_file(folder))}
    outside_make = {name: value for name, value in os.environ.items() if name != "MAKELEVEL"}
    return {**outside_make, **settings}


def stack_file(folder: Path) -> Path:
    """Return the file in which it records its stack."""
    return folder / "stack.json"


@contextlib.contextmanager
def make_run(ports: tuple[int, int], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until the block ends, or until the tests are killed. Its output is in the file `output` of the folder."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            ["make", "run"],  # noqa: S607 - make from the PATH
            cwd=ROOT,
            env=environment(ports, folder),
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
