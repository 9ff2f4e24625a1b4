"""Run inside a function's environment: call its handler again and again, and print what that costs the process.

python warm_up.py EVENT-FILE REQUESTS: the handler's own output goes to standard output, the figures to standard error.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import app  # type: ignore[import-not-found]


class Context:
    """What the handlers and Powertools read of Lambda's context."""

    function_name = aws_request_id = invoked_function_arn = "benchmark"
    memory_limit_in_mb = 1024

    def get_remaining_time_in_millis(self) -> int:
        """Return Lambda's `Timeout`, as at the start of an invocation."""
        return 20_000


def main() -> None:
    """Call the handler; a tenth of the requests warms it up."""
    event, requests = json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])
    processor, wall = [], []
    early = 0
    for number in range(requests):
        # The processor time of this process: what the handler does itself, less its waiting for ZIM.
        before, begun = time.process_time(), time.perf_counter()
        response = app.handler(event, Context())
        processor.append(time.process_time() - before)
        wall.append(time.perf_counter() - begun)
        if response["statusCode"] != 200:  # noqa: PLR2004
            sys.exit(f"benchmarks.warm_up: {response}")
        if number == requests // 10:
            early = peak_bytes()
    figures = {
        "processor": statistics.median(processor[requests // 10 :]),
        "wall": statistics.median(wall[requests // 10 :]),
        "early": early,
        "late": peak_bytes(),
    }
    print(json.dumps(figures), file=sys.stderr)


def peak_bytes() -> int:
    """Return the most memory that this process has had resident; `getrusage` counts its parent's, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
