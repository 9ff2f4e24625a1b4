"""`make invoke EVENT=events/<function's logical id>/….json`: send a sample event to the running stack.

The simulator first rings the call that the event rejects, so that there is one.
"""

import base64
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from local.processes import LocalError
from local.stack import SAM, STACK_NAME, aws_environment, running


def main(arguments: list[str]) -> int:
    """Invoke the function that the event's folder is named for, with `sam remote invoke`; return the exit status."""
    event_file = Path(arguments[0])
    if not event_file.is_file():
        print("make invoke: name a sample event, as in EVENT=events/CallRejectFunction/direct.json", file=sys.stderr)
        return 1
    try:
        stack = running()
    except LocalError as error:
        print(f"make invoke: {error}", file=sys.stderr)
        return 1
    for request in requests_in(json.loads(event_file.read_text())):
        # A call that rings already, or has rung, is refused: rejecting it again shows the answer to that.
        with contextlib.suppress(ValueError):
            stack.simulator.ring(request["FromUserId"], call_id=request["CallId"])
    command: list[str | Path] = [
        SAM,
        "remote",
        "invoke",
        event_file.parent.name,
        "--stack-name",
        STACK_NAME,
        "--event-file",
        event_file,
        "--parameter",
        "Qualifier=live",
    ]
    return subprocess.run(command, env=aws_environment(stack.emulator_url), check=False).returncode


def requests_in(event: Any) -> list[dict[str, str]]:
    """Return the requests to reject a call that an event holds, whatever the trigger wrapped them in."""
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
    sys.exit(main(sys.argv[1:]))
