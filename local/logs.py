"""`make logs`: follow the logs of the running stack's functions, one line for each request.

`make logs RAW=1` shows everything, with `sam logs`.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from local.processes import exit_on_error
from local.stack import SAM, STACK_NAME, Stack, running

POLL_SECONDS = 0.5
LOG_GROUPS = "/aws/lambda/"
HEADINGS = ("Time", "Function", "Outcome", "Code", "ms", "Call", "What went wrong")
COLUMNS = "{:12}  {:23}  {:21}  {:>9}  {:>5}  {:32}  {}"
_OF_LAMBDA = re.compile(r"(START|END|REPORT) RequestId: |INIT_START ")
_FIRST_ERROR_STATUS = 400


def main() -> None:
    """Show the logs until Ctrl-C or the end of the stack."""
    stack = running()
    with contextlib.suppress(KeyboardInterrupt):
        if os.environ.get("RAW"):
            command = [str(SAM), "logs", "--stack-name", STACK_NAME, "--tail"]
            subprocess.run(command, env=stack.environment(), check=False)
            return
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as in `make logs | head`
        print(COLUMNS.format(*HEADINGS), flush=True)
        with contextlib.suppress(EndpointConnectionError, ConnectionClosedError):
            for event in _events(stack):
                if line := describe(event["message"], event["timestamp"] / 1000):
                    print(line, flush=True)
        print("The stack was stopped.")


def describe(message: str, timestamp: float) -> str | None:
    """Return a log event as one line, or None for metrics and for what Lambda logs itself.

    Parameters
    ----------
    message
        the event, which is usually a JSON object.
    timestamp
        its time, in Unix seconds.
    """
    clock = time.strftime("%H:%M:%S", time.localtime(timestamp)) + f".{int(timestamp * 1000) % 1000:03}"
    try:
        members = json.loads(message)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        return None if _OF_LAMBDA.match(message) else f"{clock}  {message.rstrip()}"
    if "_aws" in members:  # metrics in CloudWatch's embedded metric format
        return None
    function = members.get("function_name", "").rpartition("-")[0].rpartition("-")[2]
    if "outcome" in members:
        return COLUMNS.format(clock, function, *_cells(members)).rstrip()
    lines = [f"{clock}  {function:23}  {members.get('level', '')}: {members.get('message', message)}"]
    return "\n".join([*lines, *filter(None, [members.get("exception")])])


def _cells(members: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns after the function.

    The milliseconds are those of ZIM and of the wait for the rate limit. The lines of examples/do-not-disturb have
    neither times nor a status, and their message is the outcome if nothing went wrong.
    """
    outcome, message, code = members["outcome"], members["message"], members.get("code")
    milliseconds = f"{members['window_wait_ms'] + members['zim_ms']:.0f}" if "zim_ms" in members else ""
    failed = members["status"] >= _FIRST_ERROR_STATUS if "status" in members else message != outcome
    return (
        outcome,
        "" if code is None else str(code),
        milliseconds,
        members.get("call_id") or "",
        message if failed else "",
    )


def _events(stack: Stack) -> Iterator[dict[str, Any]]:
    """Yield the log events, and wait for more."""
    logs = stack.client("logs")
    seen: set[tuple[str, int, str]] = set()
    while True:
        groups = logs.describe_log_groups(logGroupNamePrefix=LOG_GROUPS)["logGroups"]
        events = [
            event
            for group in groups
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            for event in page["events"]
        ]
        for event in sorted(events, key=lambda event: int(event["timestamp"])):
            key = (event["logStreamName"], event["timestamp"], event["message"])
            if key not in seen:
                seen.add(key)
                yield event
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    with exit_on_error("make logs"):
        main()
