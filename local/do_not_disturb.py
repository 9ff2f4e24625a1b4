"""`make do-not-disturb`: deploy examples/do-not-disturb onto the running stack and reject a call as a demonstration."""

import time

from local.client import token
from local.example import deploy
from local.processes import exit_on_error, until
from local.stack import running

USER = "user0"
WAIT_SECONDS = 30.0


def main() -> None:
    """Deploy, switch "do not disturb" on for a user, and show that a call to the user is rejected."""
    stack = running()
    example = deploy(stack)
    example.receive_callbacks()
    user_token = token(stack, USER)
    until_time = int(time.time()) + 3600
    print(f'\nPUT {example.url} {{"Until": {until_time}}} with a token for {USER}')
    response = example.request("PUT", user_token, body={"Until": until_time})
    print(f"{response.status_code} {response.reason}\n")
    call_id = stack.simulator.ring(USER, caller="caller0")
    print(f"caller0 calls {USER}. Call state in ZIM: {stack.simulator.call(call_id).state}")
    until(lambda: stack.simulator.call(call_id).state == "rejected", WAIT_SECONDS, "The call was not rejected")
    seconds = stack.simulator.call(call_id).rejected_after[USER] or 0
    print(f"Call state in ZIM: rejected, {seconds:.2f} s after the ring")
    response = example.request("DELETE", user_token)
    print(f"\nDELETE {example.url} with a token for {USER}\n{response.status_code} {response.reason}")
    print('\nOn the page, "Do not disturb" now switches it on for the callee.')


if __name__ == "__main__":
    with exit_on_error("make do-not-disturb"):
        main()
