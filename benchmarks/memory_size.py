"""Which memory size: time of a cold start and of a warm request at each, and what they cost.

python -m benchmarks.memory_size [--rounds 21] [--requests 60]

Lambda gives a function processor time in proportion to its memory, one processor at 1769 MB (AWS's documentation,
"Configure Lambda function memory"). Here a control group of Linux gives the share, for which it takes root. This is
a simulation: Lambda's processors are others, it is reported to start functions faster than their share would, and how
long its accounting periods are is not documented; 20 ms are assumed.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import results
from benchmarks.builds import OURS
from benchmarks.loopback import serving
from benchmarks.performance import EVENTS, cold, warm
from local.processes import LocalError

SIZES = (128, 256, 512, 1024, 1769)
"""In MB."""

ONE_PROCESSOR = 1769
PERIOD_MICROSECONDS = 20_000
ROUND_TRIP = 0.1
"""Seconds that ZIM takes to answer a warm function."""

_GROUPS = Path("/sys/fs/cgroup")
_JOIN = 'echo $$ > "$0" && exec "$@"'


@contextlib.contextmanager
def share(size: int) -> Iterator[tuple[str, ...]]:
    """Give what to put in front of a command so that it gets the processor time that a function of `size` MB gets."""
    quota = PERIOD_MICROSECONDS * size // ONE_PROCESSOR
    version_1 = _GROUPS / "cpu"
    group = (version_1 if version_1.is_dir() else _GROUPS) / f"call-reject-{os.getpid()}"
    try:
        group.mkdir()
        if version_1.is_dir():
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
    except OSError as error:
        raise LocalError(f"A control group for processor time cannot be had: {error}") from None
    try:
        yield ("sh", "-c", _JOIN, str(group / "cgroup.procs"))
    finally:
        group.rmdir()


def measure(rounds: int, requests: int) -> list[dict[str, Any]]:
    """Measure each size; the cold starts interleaved."""
    event = EVENTS["CallRejectFunction"].read_bytes()
    starts: dict[int, list[float]] = {size: [] for size in SIZES}
    requests_warm = {}
    with tempfile.TemporaryDirectory(prefix="call-reject-") as folder, serving() as at_once, serving(ROUND_TRIP) as zim:
        for _ in range(rounds):
            for size in SIZES:
                with share(size) as before:
                    starts[size].append(cold(OURS, at_once, event, Path(folder), before))
        for size in SIZES:
            with share(size) as before:
                requests_warm[size] = warm(OURS, zim, requests, before)["wall"]
    return [{"size": size, "cold": median(starts[size]), "warm": requests_warm[size]} for size in SIZES]


def main(arguments: Sequence[str]) -> int:
    """Measure, print the figures and keep them; say so where no share of a processor can be had."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_size", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="cold starts at each size")
    parser.add_argument("--requests", type=int, default=60, help="to a warm function of each size")
    options = parser.parse_args(arguments)
    try:
        measured = measure(options.rounds, options.requests)
    except LocalError as error:
        print(f"Skipped: {error}")
        return 0
    for each in measured:
        print(f"{each['size']:5} MB  cold start {each['cold']:.3f} s  warm request {each['warm'] * 1000:.1f} ms")
    results.save("memory_size", {"rounds": options.rounds, "requests": options.requests, "sizes": measured})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
