"""`make run`: deploy the stack on this machine, reject a call before your eyes, and stay until Ctrl-C."""

import json
import os
import signal
import sys
import threading
from typing import Any

from local.processes import LocalError
from local.stack import KEY, REGION, Stack, announced, deployed

EMULATOR_PORT = int(os.environ.get("EMULATOR_PORT", "4566"))
SIMULATOR_PORT = int(os.environ.get("SIMULATOR_PORT", "8600"))
USER = "user0"


def main() -> int:
    """Run until Ctrl-C, and return the exit status."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        with deployed(EMULATOR_PORT, SIMULATOR_PORT) as stack, announced(stack):
            demonstrate(stack)
            explain(stack)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("\nEverything is ended; nothing is left behind.")
    except LocalError as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    return 0


def demonstrate(stack: Stack) -> None:
    """Let a simulated caller ring a user, reject that call over HTTPS, and show the call before and after."""
    call_id = stack.simulator.ring(USER, caller="caller0")
    request = {"FromUserId": USER, "CallId": call_id, "ExtendedData": json.dumps({"reason": "decline"})}
    print(f"\ncaller0 rings {USER}. The call at ZIM: {stack.simulator.call(call_id).state}")
    print(f"POST {stack.call_reject_url}\n{_indented(request)}")
    response = stack.post(json.dumps(request))
    print(f"{response.status_code} {response.reason}\n{_indented(response.json())}")
    print(f"The call at ZIM: {stack.simulator.call(call_id).state}")


def explain(stack: Stack) -> None:
    """Say how to try it by hand."""
    ring = json.dumps({"CallId": "CALL", "Caller": "caller0", "Invitees": [USER]}).replace("CALL", "'$CALL'")
    reject = json.dumps({"FromUserId": USER, "CallId": "CALL"}).replace("CALL", "'$CALL'")
    print(f"""
Ring {USER} once more and reject the call yourself, in another terminal:

  CALL=call-$(date +%s); curl -sS {stack.simulator_url}/simulator/calls -d '{ring}' && \\
  curl -sSi --aws-sigv4 aws:amz:{REGION}:execute-api --user {KEY}:{KEY} {stack.call_reject_url} -d '{reject}'

The ZIM simulator: {stack.simulator_url} (its routes: local/zim_simulator/control.py)
Logs of the functions: make logs
A sample event: make invoke EVENT=events/CallRejectFunction/direct.json
By the queue: make send TO=bus (or topic, queue); what could not be done: make dead-letters

Ready. Ctrl-C ends everything.""")


def _indented(members: dict[str, Any]) -> str:
    return "\n".join(f"  {line}" for line in json.dumps(members, indent=2).splitlines())


if __name__ == "__main__":
    sys.exit(main())
