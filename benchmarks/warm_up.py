"""Call a function's handler many times in its own environment, and measure time and memory.

python warm_up.py EVENT-FILE REQUESTS

The handler's output goes to standard output, the figures to standard error.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

import app  # type: ignore[import-not-found]


class Context:
    """The members of Lambda's context that the handlers and Powertools read."""

    function_name = aws_request_id = invoked_function_arn = "benchmark"
    memory_limit_in_mb = 1024

    def get_remaining_time_in_millis(self) -> int:
        """Return the function's timeout."""
        return 20_000


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes. `getrusage` would include the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    """Call the handler; the first tenth of the requests is a warm-up and is not timed."""
    event, requests = Path(sys.argv[1]).read_text(), int(sys.argv[2])
    warm_up = requests // 10
    processor, wall = [], []
    peak_early = 0
    for number in range(requests):
        # The functions limit the requests of each user.
        request = json.loads(event.replace("user0", f"user{number}"))
        # Processor time excludes the time that the handler waits for ZIM.
        processor_start, wall_start = time.process_time(), time.perf_counter()
        response = app.handler(request, Context())
        processor.append(time.process_time() - processor_start)
        wall.append(time.perf_counter() - wall_start)
        if number == warm_up:
            peak_early = peak_memory()
        if response["statusCode"] != 200:  # noqa: PLR2004
            sys.exit(f"warm_up.py: the handler returned {response}")
    figures = {
        "processor": median(processor[warm_up:]),
        "wall": median(wall[warm_up:]),
        "peak_early": peak_early,
        "peak": peak_memory(),
    }
    print(json.dumps(figures), file=sys.stderr)


if __name__ == "__main__":
    main()
