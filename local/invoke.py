"""`make invoke EVENT=events/<logical id of the function>/<name>.json`: send a sample event to the running stack.

The call that the event rejects is started first. Messages of the queue get the current time.
"""

import base64
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from local.logs import describe
from local.paths import EVENTS
from local.processes import LocalError, exit_on_error
from local.stack import SAM, STACK_NAME, running

EXAMPLE = "for example EVENT=events/CallRejectFunction/direct.json"


def main(event_file: Path) -> int:
    """Run `sam remote invoke` for the function that the event's folder is named after; return the exit status."""
    event = read(event_file)
    stack = running()
    for request in requests_in(event):
        with contextlib.suppress(ValueError):  # the call exists already
            stack.simulator.ring(request["FromUserId"], call_id=request["CallId"])
    command: list[str | Path] = [SAM, "remote", "invoke", event_file.resolve().parent.name]
    command += ["--stack-name", STACK_NAME, "--event-file", "-", "--parameter", "Qualifier=live"]
    completed = subprocess.run(
        command,
        env=stack.environment(),
        input=json.dumps(sent_now(event)),
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        print(completed.stderr, file=sys.stderr)
        return completed.returncode
    for line in completed.stderr.splitlines():
        if line.startswith("{") and (described := describe(line, time.time())):  # the log of the function
            print(described)
    print(completed.stdout)
    return 0


def read(event_file: Path) -> Any:
    """Return the event in a file. Raise `LocalError` if it is not a sample event of a function."""
    if not event_file.is_file():
        problem = f"There is no file {event_file}." if event_file.name else "EVENT is missing."
        raise LocalError(f"{problem} Set EVENT to a sample event, {EXAMPLE}.")
    functions = sorted(folder.name for folder in EVENTS.iterdir())
    if event_file.resolve().parent.name not in functions:
        raise LocalError(
            f"The folder of {event_file} is not named after a function ({', '.join(functions)}). "
            f"Set EVENT to a sample event, {EXAMPLE}."
        )
    try:
        return json.loads(event_file.read_text())
    except ValueError as error:
        raise LocalError(f"{event_file} is not JSON: {error}.") from None


def sent_now(event: Any) -> Any:
    """Return an event with the current time as the time at which its messages were sent to the queue."""
    if not isinstance(event, dict) or "Records" not in event:
        return event
    times = dict.fromkeys(("SentTimestamp", "ApproximateFirstReceiveTimestamp"), str(int(time.time() * 1000)))
    return {"Records": [{**record, "attributes": {**record["attributes"], **times}} for record in event["Records"]]}


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
