"""The built function under AWS's runtime client and interface emulator, in an environment that holds nothing else."""

import base64
import contextlib
import json
import os
import platform
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from local.processes import HOST, free_port, process

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".aws-sam" / "build"
FUNCTION = BUILT / "CallRejectFunction"
LAYER = BUILT / "ZimLayer" / "python"
PYTHON: list[str | Path] = [ROOT / ".venv-lambda" / "bin" / "python", "-P", "-s"]
"""An interpreter that finds awslambdaric and what PYTHONPATH names: nothing of the user's or of the current folder."""

EVENTS = ROOT / "events" / "CallRejectFunction"
HTTP_EVENT: dict[str, Any] = json.loads((EVENTS / "http_api.json").read_text())
PLANTED = "planted-in-ExtendedData"
BEARER = "planted-for-Authorization"
"""These two are searched for in all that is written; they look the same in JSON and percent-encoded."""

REQUEST: dict[str, str] = {**json.loads(HTTP_EVENT["body"]), "ExtendedData": PLANTED}

_EMULATORS = ROOT / ".venv-sam" / "lib" / "python3.13" / "site-packages" / "samcli" / "local" / "rapid"
_EMULATOR_OF = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
_DEADLINE_SECONDS = 30.0
_OVER = re.compile(r"^REPORT RequestId: |\(rapid\) Invoke DONE failed: ", re.MULTILINE)
"""What the emulator writes last of an invocation, and of one whose function did not start."""


LOUD = {
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    # These two set the root logger's level, as LoggingConfig in a template does.
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
}
"""What makes a function log all it can."""


SHORT_SECONDS = 4
"""An invocation that ends before ZIM's 5 s to answer, yet leaves a cold start on a busy machine its time."""


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


def imported(settings: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Import the function that PYTHONPATH names, as the runtime client would, with these options of Python's."""
    command = [*PYTHON, *options, "-c", "import app"]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


def written_since(size: int, log: Path) -> bytes:
    """Return what was written to a file since it had this size."""
    with log.open("rb") as file:
        file.seek(size)
        return file.read()


@dataclass(frozen=True)
class Response:
    """What API Gateway would make of the function's answer."""

    status: int
    headers: dict[str, str]
    members: dict[str, Any]


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

    def post(self, body: str | bytes | None) -> Response:
        """Send a body through an HTTP API's event; bytes go as base64, None is no body at all."""
        event = {name: value for name, value in HTTP_EVENT.items() if name != "body"}
        event["headers"] = {**event["headers"], "authorization": f"Bearer {BEARER}"}
        if isinstance(body, bytes):
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        elif body is not None:
            event["body"] = body
        answer = self.invoke(event)
        assert isinstance(answer, dict), answer
        assert answer.keys() == {"statusCode", "headers", "body"}, answer
        return Response(answer["statusCode"], answer["headers"], json.loads(answer["body"]))

    def reject(self, **members: Any) -> Response:
        """Send the sample's request, ExtendedData planted, with these members changed; None leaves one out."""
        given = {name: value for name, value in {**REQUEST, **members}.items() if value is not None}
        return self.post(json.dumps(given))

    def output(self) -> str:
        """Return what the processes wrote since the last invocation began."""
        return written_since(self._begun, self.log).decode()

    def lines(self, member: str) -> list[dict[str, Any]]:
        """Return the JSON lines with this member that the last invocation wrote."""
        parsed = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in parsed if member in line]

    def line(self) -> dict[str, Any]:
        """Return the one structured line of the last invocation."""
        (line,) = self.lines("outcome")
        return line

    def _wait_until_it_is_over(self) -> None:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not _OVER.search(self.output()):
            assert time.monotonic() < deadline, (
                f"the emulator does not say that the invocation is over: {self.output()}"
            )
            time.sleep(0.001)


Start = Callable[..., AbstractContextManager[Function]]
"""Starts a function in an environment with these changes, on the ZIM and Secrets Manager of the tests."""


@contextlib.contextmanager
def started(log: Path, settings: Mapping[str, str], handler: str = "app.handler") -> Iterator[Function]:
    """Run the function in this environment until the block ends; it starts with the first invocation."""
    program = emulator()
    assert program, "there is no emulator for this machine"
    port = free_port()
    addresses = {"interface-emulator": port, "api": free_port()}
    options = [f"--runtime-{name}-address={HOST}:{number}" for name, number in addresses.items()]
    command: list[str | Path] = [
        "env",
        f"--chdir={FUNCTION}",
        program,
        *options,
        *PYTHON,
        "-m",
        "awslambdaric",
        handler,
    ]
    with process(command, environment=settings, log=log, ready=lambda: _listens(port)):
        yield Function(f"http://{HOST}:{port}/2015-03-31/functions/function/invocations", log)


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex((HOST, port)) == 0
