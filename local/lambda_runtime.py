"""A built function under AWS's runtime client and interface emulator, in an environment that holds nothing else."""

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

from local.processes import HOST, LocalError, free_port, process
from local.stack import ROOT

BUILT = ROOT / ".aws-sam" / "build"
FUNCTION = BUILT / "CallRejectFunction"
LAYER = BUILT / "ZimLayer" / "python"
PYTHON: list[str | Path] = [ROOT / ".venv-lambda" / "bin" / "python", "-P", "-s"]
"""An interpreter that finds awslambdaric and what PYTHONPATH names: nothing of the user's or of the current folder."""

_EMULATORS = ROOT / ".venv-sam" / "lib" / "python3.13" / "site-packages" / "samcli" / "local" / "rapid"
_EMULATOR_OF = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
_DEADLINE_SECONDS = 30.0
_OVER = re.compile(r"^REPORT RequestId: |\(rapid\) Invoke DONE failed: ", re.MULTILINE)
"""What the emulator writes last of an invocation, and of one whose function did not start."""


def emulator() -> Path | None:
    """Return AWS's Runtime Interface Emulator for this machine, None where there is none."""
    name = _EMULATOR_OF.get(platform.machine()) if platform.system() == "Linux" else None
    return _EMULATORS / name if name else None


def environment(**changes: str | None) -> dict[str, str]:
    """Return what Lambda would set for the function, with `changes`, where None takes a variable out.

    Nothing of this process's own environment is in it.
    """
    variables = {
        "PATH": os.defpath,
        "PYTHONPATH": f"{FUNCTION}:{LAYER}",
        "PYTHONDONTWRITEBYTECODE": "1",  # /var/task and /opt cannot be written either
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
        "POWERTOOLS_SERVICE_NAME": "call-reject",
        "POWERTOOLS_METRICS_NAMESPACE": "CallReject",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **changes,
    }
    return {name: value for name, value in variables.items() if value is not None}


def written_since(size: int, log: Path) -> bytes:
    """Return what was written to a file since it had this size."""
    with log.open("rb") as file:
        file.seek(size)
        return file.read()


@dataclass
class Function:
    """A function that runs, and the file of all that its processes write."""

    url: str
    log: Path
    _begun: int = field(default=0, init=False)

    def invoke(self, event: Any) -> Any:
        """Return what the function returned; where that is no JSON, the words of the emulator."""
        self._begun = self.log.stat().st_size
        answer = requests.post(self.url, data=json.dumps(event), timeout=_DEADLINE_SECONDS)
        self._wait_until_it_is_over()
        try:
            return answer.json()
        except ValueError:
            return answer.text

    def output(self) -> str:
        """Return what the processes wrote since the last invocation began."""
        return written_since(self._begun, self.log).decode()

    def _wait_until_it_is_over(self) -> None:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not _OVER.search(self.output()):
            if time.monotonic() > deadline:
                raise LocalError(f"The emulator does not say that the invocation is over: {self.output()}")
            time.sleep(0.001)


@contextlib.contextmanager
def started(
    log: Path, settings: Mapping[str, str], handler: str = "app.handler", before: tuple[str, ...] = ()
) -> Iterator[str]:
    """Run a function in this environment until the block ends; it starts with the first invocation at the URL given.

    `before` is put in front of the command that runs it.
    """
    program = emulator()
    if program is None:
        raise LocalError("AWS's Runtime Interface Emulator is for Linux on x86-64 and arm64 alone.")
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
