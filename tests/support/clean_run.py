"""A test run leaves no process and no temporary folder behind, even if it is killed."""

import contextlib
import os
import signal
import tempfile

import pytest

from local.processes import temporary_folder


def pytest_configure(config: pytest.Config) -> None:
    """Create the folder for the temporary files of all tests and of the processes that they start."""
    started = contextlib.ExitStack()
    config.add_cleanup(started.close)
    os.environ["TMPDIR"] = str(started.enter_context(temporary_folder("call-reject-tests-")))
    tempfile.tempdir = None  # read TMPDIR again
    # A shell ignores SIGINT in processes in the background, and the processes that tests start would inherit this.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
