"""What the person at the keyboard is told when a step of the local stack fails: `local.processes`."""

import os
import sys
from pathlib import Path

import pytest

from local.processes import LocalError, process, run, until

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def test_a_step_that_fails_says_its_last_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('first'); sys.exit('it is too late')"]
    with pytest.raises(LocalError, match=r"^python\S* -c failed: it is too late$"):
        run(command, environment=ENVIRONMENT, log=tmp_path / "log")


def test_a_server_that_ends_before_it_is_ready_says_its_last_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such port')"]
    server = process(command, environment=ENVIRONMENT, log=tmp_path / "log", ready=lambda: False)
    with pytest.raises(LocalError, match=r"^python\S* ended with status 1: no such port$"), server:
        pytest.fail("it was taken for ready")


def test_a_server_that_is_not_ready_in_time_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
    log = tmp_path / "log"
    server = process(command, environment=ENVIRONMENT, log=log, ready=lambda: False, seconds=1)
    with pytest.raises(LocalError, match=r"^python\S* was not ready within 1 s\.$"), server:
        pytest.fail("it was taken for ready")
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


def test_a_condition_is_waited_for_and_no_longer_than_told() -> None:
    answers = iter([False, True])
    assert until(lambda: next(answers), 10, "it did not happen") > 0
    with pytest.raises(LocalError, match=r"^it did not happen within 0 s\.$"):
        until(lambda: False, 0, "it did not happen")
