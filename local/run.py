"""`make run`: deploy the stack on this machine, reject a call as a demonstration, and run until Ctrl-C."""

import json
import signal
import threading
from typing import Any

from local.access import HEADER
from local.issuer import AUDIENCE, issuer
from local.page.stack import connect_page
from local.processes import exit_on_error, port_of, stop_with_parent
from local.stack import Stack, deployed, page_origins, recorded

EMULATOR_PORT = 4566
SIMULATOR_PORT = 8600
USER = "user0"


def main() -> None:
    """Run until Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in `nohup make run`
            signal.signal(number, signal.default_int_handler)
    stop_with_parent()
    ports = port_of("EMULATOR_PORT", EMULATOR_PORT), port_of("SIMULATOR_PORT", SIMULATOR_PORT)
    try:
        with recorded(*ports) as record, issuer() as oidc:
            parameters = {
                "JwtIssuer": oidc.url,
                "JwtAudience": AUDIENCE,
                "AllowedOrigins": ",".join(page_origins(ports[1])),
            }
            with deployed(*ports, parameters) as stack, connect_page(stack, oidc) as page_url:
                record(stack)
                demonstrate(stack, oidc.token(USER))
                print_instructions(stack, page_url)
                threading.Event().wait()
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.")


def demonstrate(stack: Stack, token: str) -> None:
    """Start a call, reject it over HTTPS, and print its state before and after."""
    call_id = stack.simulator.ring(USER, caller="caller0")
    request = {"CallId": call_id, "Reason": "decline"}
    print(f"\ncaller0 calls {USER}. Call state in ZIM: {stack.simulator.call(call_id).state}")
    print(f"POST {stack.call_reject_url} with a token for {USER}\n{_indented(request)}")
    headers = {"Authorization": f"Bearer {token}"}
    response = stack.request("POST", stack.call_reject_url, json.dumps(request), headers, signed=False)
    print(f"{response.status_code} {response.reason}\n{_indented(response.json())}")
    print(f"Call state in ZIM: {stack.simulator.call(call_id).state}")


def print_instructions(stack: Stack, page_url: str) -> None:
    """Print how to try the stack on the page and from a terminal."""
    call = json.dumps({"CallId": "CALL", "Caller": "caller0", "Invitees": [USER]}).replace("CALL", "'$CALL'")
    print(f"""
Try it in a browser: {page_url}

Or start a call and reject it from another terminal, in this folder:

  TOKEN=$(make -s token USER={USER})
  CALL=call-$(date +%s); curl -sS {stack.simulator_url}/simulator/calls -H "{HEADER}: 1" -d '{call}' && \\
  curl -sSi {stack.call_reject_url} -H "Authorization: Bearer $TOKEN" -d '{{"CallId":"'$CALL'"}}'

Your own client, and faults of ZIM: docs/local-stack.md
ZIM simulator: {stack.simulator_url}
Function logs: make logs
Send a sample event: make invoke EVENT=events/CallRejectFunction/direct.json
Send through the queue: make send TO=bus (or topic, queue)
Show failed messages: make dead-letters
Reject calls without an app: make do-not-disturb

Ready. Press Ctrl-C to stop.""")


def _indented(members: dict[str, Any]) -> str:
    return "\n".join(f"  {line}" for line in json.dumps(members, indent=2).splitlines())


if __name__ == "__main__":
    with exit_on_error("make run"):
        main()
