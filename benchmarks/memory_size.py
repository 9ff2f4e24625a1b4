"""Measure a cold start and warm requests at several memory sizes.

python -m benchmarks.memory_size

Lambda allocates processor time in proportion to memory, one processor at 1769 MB. See
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html. Here a Linux control group simulates that share,
which requires root. The length of Lambda's scheduling period is not documented; 20 ms is an assumption.

Measurements on AWS suggest that the share does not apply to INIT (docs/performance.md). So the function initializes
twice: once without a limit, after which the invocations are limited, and once with the limit.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import builds, results, servers
from benchmarks.performance import AWS_ROUND_TRIP, Function, check, medians
from local.runtime_api import execution_environment

SIZES = (128, 256, 512, 1024, 1769)
"""In MB."""

ROUNDS = 25
"""Cold starts at each size, with and without a limit."""

WARM_REQUESTS = 4
"""After each cold start."""

ONE_PROCESSOR = 1769
PERIOD_MICROSECONDS = 20_000
ZIM_ROUND_TRIP = 0.1
"""In seconds."""

CONTROL_GROUPS = Path("/sys/fs/cgroup")


@contextlib.contextmanager
def processor_share(size: int) -> Iterator[Path]:
    """Limit processes to the processor time of a function with `size` MB: those whose ids are written to the file."""
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
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def start(function: Function, size: int, log: Path) -> dict[str, float]:
    """Return the seconds of INIT without a limit, and of limited invocations."""
    event = function.event.read_text()
    with processor_share(size) as share, execution_environment(function.settings(), log) as running:
        running.wait_for_init()
        share.write_text(str(running.process_id))
        seconds = []
        for number in range(1 + WARM_REQUESTS):
            # The functions limit the requests of each user.
            invocation = running.invoke(json.loads(event.replace("user0", f"user{number}")))
            check(invocation.result)
            seconds.append(invocation.seconds)
    return {"init": running.init_seconds, "first": seconds[0], "warm": median(seconds[1:])}


def limited_init(function: Function, size: int, log: Path) -> float:
    """Return the seconds of INIT if the limit applies to it too."""
    with processor_share(size) as share:
        limit = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(share)]
        with execution_environment(function.settings(), log, before=limit) as running:
            running.wait_for_init()
    return running.init_seconds


def measure() -> list[dict[str, Any]]:
    """Measure every size in every round, in seconds."""
    samples: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    with (
        tempfile.TemporaryDirectory() as temporary,
        servers.serve(Path(temporary), AWS_ROUND_TRIP, ZIM_ROUND_TRIP) as at,
    ):
        folder = Path(temporary)
        build = builds.trust(builds.CALL_REJECT, at.ca_certificate, folder / "layer")
        function = Function(build, at.urls[AWS_ROUND_TRIP], at.urls[ZIM_ROUND_TRIP])
        log = folder / "function.log"
        for _ in range(ROUNDS):
            for size, measured in samples.items():
                measured.append({**start(function, size, log), "limited_init": limited_init(function, size, log)})
    return [{"size": size, **medians(measured)} for size, measured in samples.items()]


def main() -> None:
    """Measure, print the figures and save them; skip where control groups are not available."""
    try:
        with processor_share(ONE_PROCESSOR):
            pass
    except OSError as error:
        print(f"Skipped: cannot create a control group: {error}")
        return
    measured = measure()
    for each in measured:
        times = [f"{name} {each[name] * 1000:.0f} ms" for name in ("init", "first", "warm", "limited_init")]
        print(f"{each['size']:5} MB  {'  '.join(times)}")
    results.save("memory_size", {"rounds": ROUNDS, "warm_requests": WARM_REQUESTS, "sizes": measured})


if __name__ == "__main__":
    main()
