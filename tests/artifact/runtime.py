"""The built function: send requests as an HTTP API does, and read its log."""

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.runtime_api import ExecutionEnvironment, execution_environment
from tests.support.paths import EVENTS

HTTP_EVENT: dict[str, Any] = json.loads((EVENTS / "CallRejectFunction" / "http_api.json").read_text())
# IAM authorizes the callers of these tests, so that they can act for any user.
HTTP_EVENT["requestContext"]["authorizer"] = {"iam": {"accountId": "123456789012", "callerId": "AIDAMADEUP"}}

EXTENDED_DATA = "text-in-ExtendedData"
BEARER_TOKEN = "token-in-Authorization"  # noqa: S105 - not a password
"""Every test searches the logs for these two. They look the same in JSON and percent-encoded."""

REQUEST: dict[str, str] = {**json.loads(HTTP_EVENT["body"]), "ExtendedData": EXTENDED_DATA}

DEBUG_LOGS = {
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    # These two set the level of the root logger, as LoggingConfig in a template does.
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
}


@dataclass(frozen=True)
class Response:
    """The function's response as API Gateway sends it."""

    status: int
    headers: dict[str, str]
    members: dict[str, Any]


def written_since(size: int, log: Path) -> bytes:
    """Return what was appended to a log since it had this size, in bytes."""
    with log.open("rb") as file:
        file.seek(size)
        return file.read()


@dataclass
class Function:
    """A running function, and the log of its process."""

    environment: ExecutionEnvironment
    log: Path
    _log_size: int = 0

    def invoke(self, event: Any) -> Any:
        """Invoke the function and return its result, or the error that it raised."""
        self._log_size = self.log.stat().st_size
        return self.environment.invoke(event).result

    def output(self) -> str:
        """Return the log since the last invocation started."""
        return written_since(self._log_size, self.log).decode()

    def post(self, body: str | bytes | None) -> Response:
        """Invoke the function with an HTTP API event. Bytes are sent as base64; None omits the body."""
        event = {name: value for name, value in HTTP_EVENT.items() if name != "body"}
        event["headers"] = {**event["headers"], "authorization": f"Bearer {BEARER_TOKEN}"}
        if isinstance(body, bytes):
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        elif body is not None:
            event["body"] = body
        result = self.invoke(event)
        assert isinstance(result, dict), result
        assert result.keys() == {"statusCode", "headers", "body"}, result
        return Response(result["statusCode"], result["headers"], json.loads(result["body"]))

    def reject(self, **changes: Any) -> Response:
        """Send the sample request with these members changed; None omits a member."""
        return self.post(
            json.dumps({name: value for name, value in {**REQUEST, **changes}.items() if value is not None})
        )

    def lines(self, member: str) -> list[dict[str, Any]]:
        """Return the JSON lines with this member in the log of the last invocation."""
        parsed = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in parsed if member in line]

    def line(self) -> dict[str, Any]:
        """Return the only line with an outcome in the log of the last invocation."""
        (line,) = self.lines("outcome")
        return line


@contextlib.contextmanager
def run_function(log: Path, settings: Mapping[str, str], handler: str = "app.handler") -> Iterator[Function]:
    """Run a function with these environment variables until the block ends."""
    with execution_environment(settings, log, handler) as environment:
        yield Function(environment, log)
