"""A test run leaves no process and no temporary folder behind, and works in the background."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.processes import until
from tests.support.paths import ROOT

SECONDS = 30.0
TEST = """
import os, signal, subprocess, tempfile, time
from pathlib import Path

def test_that_leaves_something_behind(tmp_path):
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path(tempfile.mkdtemp(), "file").touch()
    (tmp_path / "file").touch()
    print(child.pid, os.environ["TMPDIR"], flush=True)
    if os.environ["THEN"] == "wait":
        time.sleep(600)
    assert os.environ["THEN"] == "pass"

def test_sigint_ends_a_process():
    child = subprocess.Popen(["sleep", "600"])
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == -signal.SIGINT
"""


class TestRun:
    """A test run of TEST, as if it were in this repository."""

    __test__ = False

    def __init__(self, folder: Path, then: str, *prefix: str) -> None:
        file = folder / "test_example.py"
        file.write_text(TEST)
        options = ["-p", "tests.support.clean_run", "-c", os.devnull, "-p", "no:cacheprovider", "--capture=no", "-q"]
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "pytest", *options, file],
            cwd=ROOT,
            env={**os.environ, "THEN": then},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        child, temporary = self.process.stdout.readline().split()
        self.child, self.folder = int(child), Path(temporary)

    def assert_nothing_is_left(self) -> None:
        until(lambda: not self.folder.exists(), SECONDS, "The folder was not removed")
        until(lambda: not Path(f"/proc/{self.child}").exists(), SECONDS, "The process did not end")


pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="requires /proc")


def test_nothing_is_left_after_a_failed_test_run(tmp_path: Path) -> None:
    run = TestRun(tmp_path, "fail")
    run.process.communicate(timeout=SECONDS)
    assert run.process.returncode == 1
    run.assert_nothing_is_left()


def test_nothing_is_left_of_a_killed_test_run(tmp_path: Path) -> None:
    run = TestRun(tmp_path, "wait")
    assert run.folder.exists()
    run.process.kill()
    run.process.communicate(timeout=SECONDS)
    run.assert_nothing_is_left()


def test_a_test_run_works_where_sigint_is_ignored(tmp_path: Path) -> None:
    run = TestRun(tmp_path, "pass", "/bin/sh", "-c", """trap '' INT; exec "$0" "$@" """)
    run.process.communicate(timeout=SECONDS)
    assert run.process.returncode == 0
