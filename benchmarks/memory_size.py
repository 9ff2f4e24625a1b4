"""Measure a cold start and a warm request at several memory sizes.

python -m benchmarks.memory_size [--rounds 21] [--requests 60]

Lambda allocates processor time in proportion to memory, one processor at 1769 MB. See
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html. Here a Linux control group simulates that share,
which requires root. The length of Lambda's scheduling period is not documented; 20 ms is an assumption.
"""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import results
from benchmarks.builds import CALL_REJECT
from benchmarks.loopback import serve
from benchmarks.performance import cold_start, event_file, warm_requests

SIZES = (128, 256, 512, 1024, 1769)
"""In MB."""

ONE_PROCESSOR = 1769
PERIOD_MICROSECONDS = 20_000
ROUND_TRIP = 0.1
"""Seconds that ZIM takes to respond to a warm request."""

CONTROL_GROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def processor_share(size: int) -> Iterator[list[str]]:
    """Yield a command prefix that limits a process to the processor time of a function with `size` MB."""
    quota = PERIOD_MICROSECONDS * size // ONE_PROCESSOR
    version_1 = CONTROL_GROUPS / "cpu"
    group = (version_1 if version_1.is_dir() else CONTROL_GROUPS) / f"call-reject-{os.getpid()}"
    group.mkdir()
    try:
        if version_1.is_dir():
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
        yield ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs")]
    finally:
        group.rmdir()


def measure(rounds: int, requests: int) -> list[dict[str, Any]]:
    """Measure every size in every round, in seconds."""
    event = event_file("CallRejectFunction")
    cold: dict[int, list[float]] = {size: [] for size in SIZES}
    warm: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder, serve() as fast_zim, serve(ROUND_TRIP) as zim:
        for _ in range(rounds):
            for size in SIZES:
                with processor_share(size) as prefix:
                    cold[size].append(cold_start(CALL_REJECT, fast_zim, Path(folder), event, prefix))
        for size in SIZES:
            with processor_share(size) as prefix:
                warm[size] = warm_requests(CALL_REJECT, zim, requests, prefix)["wall"]
    return [{"size": size, "cold": median(cold[size]), "warm": warm[size]} for size in SIZES]


def main() -> None:
    """Measure, print the figures and save them; skip where control groups are not available."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="cold starts at each size")
    parser.add_argument("--requests", type=int, default=60, help="warm requests at each size")
    options = parser.parse_args()
    try:
        with processor_share(ONE_PROCESSOR):
            pass
    except OSError as error:
        print(f"Skipped: cannot create a control group: {error}")
        return
    measured = measure(options.rounds, options.requests)
    for each in measured:
        print(f"{each['size']:5} MB  cold start {each['cold']:.3f} s  warm request {each['warm'] * 1000:.1f} ms")
    results.save("memory_size", {"rounds": options.rounds, "requests": options.requests, "sizes": measured})


if __name__ == "__main__":
    main()
