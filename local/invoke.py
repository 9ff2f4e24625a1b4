"""`make invoke EVENT=events/<logical id of the function>/<name>.json`: send a sample event to the running stack.

The call that the event rejects is started first.
"""

import base64
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.processes import LocalError, exit_on_error
from local.stack import SAM, STACK_NAME, running


def main(event_file: Path) -> int:
    """Run `sam remote invoke` for the function that the event's folder is named after; return the exit status."""
    if not event_file.is_file():
        raise LocalError("Set EVENT to a sample event, for example EVENT=events/CallRejectFunction/direct.json.")
    stack = running()
    for request in requests_in(json.loads(event_file.read_text())):
        with contextlib.suppress(ValueError):  # the call exists already
            stack.simulator.ring(request["FromUserId"], call_id=request["CallId"])
    command: list[str | Path] = [SAM, "remote", "invoke", event_file.parent.name, "--stack-name", STACK_NAME]
    command += ["--event-file", event_file, "--parameter", "Qualifier=live"]
    return subprocess.run(command, env=stack.environment(), check=False).returncode


def requests_in(event: Any) -> list[dict[str, str]]:
    """Return the CallReject requests in an event of any trigger: objects, arrays, JSON text and base64 bodies."""
    if isinstance(event, list):
        return [request for item in event for request in requests_in(item)]
    if isinstance(event, str):
        with contextlib.suppress(ValueError):
            return requests_in(json.loads(event))
        return []
    if not isinstance(event, dict):
        return []
    if event.keys() >= {"FromUserId", "CallId"}:
        return [event]
    if event.get("isBase64Encoded"):
        event = {"body": base64.b64decode(event["body"]).decode()}
    return requests_in(list(event.values()))


if __name__ == "__main__":
    with exit_on_error("make invoke"):
        sys.exit(main(Path(sys.argv[1])))
