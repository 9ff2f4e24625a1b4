"""What the tests ask of the built function: requests as an HTTP API would send them, and what it logged of each."""

import base64
import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import lambda_runtime
from local.lambda_runtime import PYTHON
from local.stack import ROOT

EVENTS = ROOT / "events" / "CallRejectFunction"
HTTP_EVENT: dict[str, Any] = json.loads((EVENTS / "http_api.json").read_text())
PLANTED = "planted-in-ExtendedData"
BEARER = "planted-for-Authorization"
"""These two are searched for in all that is written; they look the same in JSON and percent-encoded."""

REQUEST: dict[str, str] = {**json.loads(HTTP_EVENT["body"]), "ExtendedData": PLANTED}


LOUD = {
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    # These two set the root logger's level, as LoggingConfig in a template does.
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
}
"""What makes a function log all it can."""


SHORT_SECONDS = 4
"""An invocation that ends before ZIM's 5 s to answer, yet leaves a cold start on a busy machine its time."""


def imported(settings: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Import the function that PYTHONPATH names, as the runtime client would, with these options of Python's."""
    command = [*PYTHON, *options, "-c", "import app"]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Response:
    """What API Gateway would make of the function's answer."""

    status: int
    headers: dict[str, str]
    members: dict[str, Any]


class Function(lambda_runtime.Function):
    """A function that runs, and ways to call it and to read its log."""

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

    def lines(self, member: str) -> list[dict[str, Any]]:
        """Return the JSON lines with this member that the last invocation wrote."""
        parsed = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in parsed if member in line]

    def line(self) -> dict[str, Any]:
        """Return the one structured line of the last invocation."""
        (line,) = self.lines("outcome")
        return line


Start = Callable[..., AbstractContextManager[Function]]
"""Starts a function in an environment with these changes, on the ZIM and Secrets Manager of the tests."""


@contextlib.contextmanager
def started(log: Path, settings: Mapping[str, str], handler: str = "app.handler") -> Iterator[Function]:
    """Run the function in this environment until the block ends; it starts with the first invocation."""
    with lambda_runtime.started(log, settings, handler) as url:
        yield Function(url, log)
