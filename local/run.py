"""`make run`: deploy the stack on this machine, reject a call before your eyes, and stay until Ctrl-C."""

import json
import os
import signal
import sys
import threading
from typing import Any

from local.issuer import AUDIENCE, issuer
from local.page.stack import origins, shown
from local.processes import LocalError
from local.stack import Stack, announced, deployed

EMULATOR_PORT = int(os.environ.get("EMULATOR_PORT", "4566"))
SIMULATOR_PORT = int(os.environ.get("SIMULATOR_PORT", "8600"))
USER = "user0"


def main() -> int:
    """Run until Ctrl-C, and return the exit status."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        with issuer() as oidc:
            access = {
                "JwtIssuer": oidc.url,
                "JwtAudience": AUDIENCE,
                "AllowedOrigins": ",".join(origins(SIMULATOR_PORT)),
            }
            with (
                deployed(EMULATOR_PORT, SIMULATOR_PORT, access) as stack,
                announced(stack),
                shown(stack, oidc) as page,
            ):
                token = oidc.token(USER)
                demonstrate(stack, token)
                explain(stack, token, page)
                threading.Event().wait()
    except KeyboardInterrupt:
        print("\nEverything is ended; nothing is left behind.")
    except LocalError as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    return 0


def demonstrate(stack: Stack, token: str) -> None:
    """Let a simulated caller ring a user, reject that call over HTTPS as that user, and show it before and after."""
    call_id = stack.simulator.ring(USER, caller="caller0")
    request = {"CallId": call_id, "ExtendedData": json.dumps({"reason": "decline"})}
    print(f"\ncaller0 rings {USER}. The call at ZIM: {stack.simulator.call(call_id).state}")
    print(f"POST {stack.call_reject_url}, with a token of {USER}\n{_indented(request)}")
    authorization = {"Authorization": f"Bearer {token}"}
    response = stack.request("POST", stack.call_reject_url, json.dumps(request), authorization, signed=False)
    print(f"{response.status_code} {response.reason}\n{_indented(response.json())}")
    print(f"The call at ZIM: {stack.simulator.call(call_id).state}")


def explain(stack: Stack, token: str, page: str) -> None:
    """Say how to try it, on the page and by hand."""
    ring = json.dumps({"CallId": "CALL", "Caller": "caller0", "Invitees": [USER]}).replace("CALL", "'$CALL'")
    print(f"""
Try it in a browser: {page}

Or ring {USER} once more and reject the call yourself: paste this into another terminal.

  TOKEN={token}
  CALL=call-$(date +%s); curl -sS {stack.simulator_url}/simulator/calls -d '{ring}' && \\
  curl -sSi {stack.call_reject_url} -H "Authorization: Bearer $TOKEN" -d '{{"CallId":"'$CALL'"}}'

The ZIM simulator: {stack.simulator_url} (its routes: local/zim_simulator/control.py)
Logs of the functions: make logs
A sample event: make invoke EVENT=events/CallRejectFunction/direct.json
By the queue: make send TO=bus (or topic, queue); what could not be done: make dead-letters

Ready. Ctrl-C ends everything.""")


def _indented(members: dict[str, Any]) -> str:
    return "\n".join(f"  {line}" for line in json.dumps(members, indent=2).splitlines())


if __name__ == "__main__":
    sys.exit(main())
