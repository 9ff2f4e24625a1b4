"""`make logs`: follow the logs of the running stack's functions."""

import contextlib
import subprocess
import sys
from pathlib import Path

from local.processes import exit_on_error
from local.stack import SAM, STACK_NAME, running


def main() -> int:
    """Run `sam logs --tail` until Ctrl-C and return its exit status."""
    command: list[str | Path] = [SAM, "logs", "--stack-name", STACK_NAME, "--tail"]
    environment = running().environment()
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.run(command, env=environment, check=False).returncode
    return 0


if __name__ == "__main__":
    with exit_on_error("make logs"):
        sys.exit(main())
