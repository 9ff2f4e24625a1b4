"""Processes of the local stack end with the process that started them, even if it is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.processes import until
from tests.support.paths import ROOT

SECONDS = 20.0
SERVER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
STARTER = """
import os, sys, time
from pathlib import Path
from local.processes import process
log, command = Path(sys.argv[1]), [sys.executable, "-c", sys.argv[2]]
with process(command, environment=os.environ, log=log, ready=lambda: log.stat().st_size) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""
COMMAND = """
import os, signal, sys, time
from local.processes import stop_with_parent
signal.signal(signal.SIGTERM, getattr(signal, sys.argv[1]))
stop_with_parent()
print(os.getpid(), flush=True)
time.sleep(600)
"""


def started(*arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)


def number_from(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def ended(*ids: int) -> Callable[[], bool]:
    return lambda: not any(is_running(number) for number in ids)


def is_running(number: int) -> bool:
    """Return whether a process runs. One that ended may remain as a zombie if its new parent does not wait for it."""
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(number)], capture_output=True, text=True, check=False)  # noqa: S607
    return status.stdout.strip() != "" and not status.stdout.startswith("Z")


def test_a_server_and_its_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    starter = started(sys.executable, "-c", STARTER, log, SERVER)
    server, child = number_from(starter), int(log.read_text())
    assert is_running(server)
    assert is_running(child)
    starter.kill()
    starter.communicate()
    until(ended(server, child), SECONDS, "The processes did not end")


@pytest.mark.parametrize("handler", ["SIG_DFL", "SIG_IGN"])
def test_a_command_ends_when_its_parent_is_killed_even_without_a_reaction_to_sigterm(handler: str) -> None:
    shell = started("/bin/sh", "-c", '"$0" -c "$1" "$2"; true', sys.executable, COMMAND, handler)
    command = number_from(shell)
    os.kill(shell.pid, signal.SIGKILL)
    shell.communicate(timeout=SECONDS)  # the output closes when the command ends
    until(ended(command), SECONDS, "The command did not end")
