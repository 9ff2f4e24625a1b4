"""`make logs`: follow what the functions of the running stack log."""

import contextlib
import subprocess
import sys
from pathlib import Path

from local.processes import LocalError
from local.stack import SAM, STACK_NAME, aws_environment, running


def main() -> int:
    """Follow with `sam logs` until Ctrl-C, and return the exit status."""
    try:
        stack = running()
    except LocalError as error:
        print(f"make logs: {error}", file=sys.stderr)
        return 1
    command: list[str | Path] = [SAM, "logs", "--stack-name", STACK_NAME, "--tail"]
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.run(command, env=aws_environment(stack.emulator_url), check=False).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
