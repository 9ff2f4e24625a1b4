"""Processes of the local stack: error messages, and stopping."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.processes import LocalError, process, run, temporary_folder
from tests.support.paths import ROOT

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def test_an_error_contains_the_last_line_of_the_output(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('first'); sys.exit('the last line')"]
    with pytest.raises(LocalError, match=r"^python\S* -c failed: the last line$"):
        run(command, environment=ENVIRONMENT, log=tmp_path / "log")


def test_a_server_that_exits_too_early_is_an_error_with_its_last_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such port')"]
    server = process(command, environment=ENVIRONMENT, log=tmp_path / "log", ready=lambda: False)
    with pytest.raises(LocalError, match=r"^python\S* exited with status 1: no such port$"), server:
        pytest.fail("the block started")


def test_a_server_that_is_not_ready_in_time_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
    log = tmp_path / "log"
    server = process(command, environment=ENVIRONMENT, log=log, ready=lambda: False, seconds=1)
    with pytest.raises(LocalError, match=r"^python\S* was not ready within 1 s\.$"), server:
        pytest.fail("the block started")
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="requires /proc")
@pytest.mark.parametrize(
    ("variable", "subfolder", "status"),
    [
        ("TMPDIR", "", -signal.SIGKILL),
        ("STATE_DIR", "", -signal.SIGKILL),
        ("TMPDIR", "/subfolder", -signal.SIGKILL),
        ("PWD", "", -signal.SIGTERM),
        ("OLDPWD", "", -signal.SIGTERM),
    ],
)
def test_only_processes_with_their_files_in_a_temporary_folder_are_killed_with_it(
    variable: str, subfolder: str, status: int
) -> None:
    with temporary_folder("call-reject[1].*-") as folder:
        environment = {**ENVIRONMENT, variable: f"{folder}{subfolder}"}
        child = subprocess.Popen(["sleep", "600"], env=environment)  # noqa: S607
    child.terminate()
    assert child.wait(10) == status
    assert not folder.exists()


STUBBORN = """
import signal, time
from local.processes import stop_with_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
stop_with_parent()
print("started", flush=True)
time.sleep(600)
"""


def test_a_command_that_ignores_sigterm_ends_when_its_parent_is_killed() -> None:
    command = ["/bin/sh", "-c", '"$0" -c "$1"; true', sys.executable, STUBBORN]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as shell:
        assert shell.stdout
        assert shell.stdout.readline() == b"started\n"
        shell.kill()
        shell.communicate(timeout=30)  # the output closes when the command ends
