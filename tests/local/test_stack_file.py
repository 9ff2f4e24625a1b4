"""The file that reserves a folder for one `make run`."""

import fcntl
from pathlib import Path
from typing import TextIO

import pytest

from local import stack


def test_make_run_starts_while_another_target_checks_for_a_running_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "STATE_FILE", tmp_path / "stack.json")
    stack.STATE_FILE.touch()
    flock = fcntl.flock
    with stack.STATE_FILE.open("r+") as checked:
        flock(checked, fcntl.LOCK_SH)

        def flock_and_end_check(file: TextIO, operation: int) -> None:
            try:
                flock(file, operation)
            finally:
                checked.close()

        monkeypatch.setattr(fcntl, "flock", flock_and_end_check)
        with stack.recorded(1, 2):
            assert checked.closed
