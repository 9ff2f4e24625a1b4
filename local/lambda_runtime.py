"""Run a built function under AWS's Runtime Interface Client and Runtime Interface Emulator."""

import contextlib
import json
import os
import platform
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from local.paths import BUILT, ROOT
from local.processes import HOST, LocalError, free_port, process

FUNCTION = BUILT / "CallRejectFunction"
LAYER = BUILT / "ZimLayer" / "python"
PYTHON: list[str | Path] = [ROOT / ".venv-lambda" / "bin" / "python", "-P", "-s"]
"""Python with awslambdaric, without the user's site-packages and the current folder on its path."""

_EMULATORS = ROOT / ".venv-sam" / "lib" / "python3.13" / "site-packages" / "samcli" / "local" / "rapid"
_EMULATOR_OF = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
_DEADLINE_SECONDS = 30.0
_INVOCATION_END = re.compile(r"^REPORT RequestId: |\(rapid\) Invoke DONE failed: ", re.MULTILINE)
"""The last line of an invocation in the emulator's log; the second form if the function did not start."""


def emulator() -> Path | None:
    """Return the path of the Runtime Interface Emulator, or None if it does not support this machine."""
    name = _EMULATOR_OF.get(platform.machine()) if platform.system() == "Linux" else None
    return _EMULATORS / name if name else None


def environment(**changes: str | None) -> dict[str, str]:
    """Return the function's environment variables. `changes` replace the defaults; None removes a variable."""
    variables = {
        "PATH": os.defpath,
        "PYTHONPATH": f"{FUNCTION}:{LAYER}",
        "PYTHONDONTWRITEBYTECODE": "1",  # in Lambda, /var/task and /opt are read-only
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_LAMBDA_FUNCTION_NAME": "call-reject",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "20",
        "ZIM_SECRET_ID": "zim",
        "CALLS_PER_SECOND": "1000",
        "OTHER_CALLS_PER_SECOND": "1",
        "ZIM_CALLS_PER_SECOND_LIMIT": "1001",
        "RESERVED_CONCURRENCY": "1",
        "EXPIRES_AFTER_SECONDS": "90",
        "POWERTOOLS_SERVICE_NAME": "call-reject",
        "POWERTOOLS_METRICS_NAMESPACE": "CallReject",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **changes,
    }
    return {name: value for name, value in variables.items() if value is not None}


def written_since(size: int, log: Path) -> bytes:
    """Return what was appended to a log since it had this size, in bytes."""
    with log.open("rb") as file:
        file.seek(size)
        return file.read()


@dataclass
class Function:
    """A running function: its invocation URL, and the log of its processes."""

    url: str
    log: Path
    _log_size: int = field(default=0, init=False)

    def invoke(self, event: Any) -> Any:
        """Invoke the function and return its result, or the emulator's text if that is not JSON."""
        self._log_size = self.log.stat().st_size
        response = requests.post(self.url, data=json.dumps(event), timeout=_DEADLINE_SECONDS)
        self._wait_for_end()
        try:
            return response.json()
        except ValueError:
            return response.text

    def output(self) -> str:
        """Return the log since the last invocation started."""
        return written_since(self._log_size, self.log).decode()

    def _wait_for_end(self) -> None:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not _INVOCATION_END.search(self.output()):
            if time.monotonic() > deadline:
                raise LocalError(f"The emulator did not log the end of the invocation: {self.output()}")
            time.sleep(0.001)


@contextlib.contextmanager
def started(
    log: Path, settings: Mapping[str, str], handler: str = "app.handler", before: tuple[str, ...] = ()
) -> Iterator[str]:
    """Run a function until the block ends; yields its invocation URL. The first invocation is a cold start.

    Parameters
    ----------
    log
        the file for the output of the function and the emulator.
    settings
        environment variables; the first entry of PYTHONPATH is the folder of the function.
    handler
        the function's handler.
    before
        a command that runs the emulator, for example `taskset`.
    """
    program = emulator()
    if program is None:
        raise LocalError("The Runtime Interface Emulator requires Linux on x86-64 or arm64.")
    port = free_port()
    addresses = {"interface-emulator": port, "api": free_port()}
    options = [f"--runtime-{name}-address={HOST}:{number}" for name, number in addresses.items()]
    function = settings["PYTHONPATH"].split(":")[0]
    command = ["env", f"--chdir={function}", *before, program, *options, *PYTHON, "-m", "awslambdaric", handler]
    with process(command, environment=settings, log=log, ready=lambda: _listens(port)):
        yield f"http://{HOST}:{port}/2015-03-31/functions/function/invocations"


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex((HOST, port)) == 0
