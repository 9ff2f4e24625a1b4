"""`make url` and `make token`: what a client of the running stack needs."""

import sys

import requests

from local.processes import exit_on_error
from local.stack import Stack, running

DEFAULT_USER = "user0"
SECONDS = 10.0


def token(stack: Stack, user: str) -> str:
    """Return a token for a user from the issuer of the running stack. The simulator knows where its page gets one."""
    urls = requests.get(f"{stack.simulator_url}/page/overview", timeout=SECONDS).json()["stack"]
    response = requests.get(urls["TokenUrl"], params={"user": user}, timeout=SECONDS)
    response.raise_for_status()
    return str(response.json()["token"])


def main(command: str, user: str = "") -> None:
    """Print the address of `POST /call-reject`, or a token."""
    stack = running()
    print(token(stack, user or DEFAULT_USER) if command == "token" else stack.call_reject_url)


if __name__ == "__main__":
    with exit_on_error(f"make {sys.argv[1]}"):
        main(*sys.argv[1:])
