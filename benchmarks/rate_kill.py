"""Measure the rate limit while environments are replaced: some are killed under load, then a deployment replaces all.

python -m benchmarks.rate_kill

The emulator runs each environment as a process. This benchmark finds them in /proc (Linux only) and kills them.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.load import HTTPS
from benchmarks.rate import run
from local.processes import LocalError, free_port
from local.stack import Stack, deploy, deployed
from local.zim_simulator.return_codes import Code
from local.zim_simulator.state import Record, most_in_a_second

ROUND_TRIP = 0.1
"""To ZIM and back, in seconds."""

KILLS = 12
PAUSE_SECONDS = 4.0
"""Between two kills, so that no second contains more than one."""

SETTLE_SECONDS = 15.0
MAXIMUM_SECONDS = 120.0


@dataclass(frozen=True)
class Result:
    """The result of a load during which environments were replaced.

    `bound` is the highest number of calls in any second that docs/rate-limit.md allows for, `peak_before` the number
    measured before the first replacement, `peak` over the whole run. `first_calls` are the seconds until a new
    environment made its first call: from the kill, or from the last call of the old version.
    """

    name: str
    limit: int
    bound: int
    peak_before: int
    peak: int
    first_calls: list[float]
    rate_limit_errors: int
    calls: int
    responses: dict[str, int]


def kill_environments(stack: Stack) -> list[float]:
    """Kill environments one after the other, and return the monotonic times."""
    kills: list[float] = []
    known = set(stack.environments(HTTPS.logical_id))
    deadline = time.monotonic() + MAXIMUM_SECONDS
    while len(kills) < KILLS and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        running = set(stack.environments(HTTPS.logical_id))
        # If an environment dies during its start, the emulator ends all others too. Kill only those known before.
        if started := sorted(known & running):
            os.kill(random.choice(started), signal.SIGKILL)  # noqa: S311 - not a secret
            kills.append(time.monotonic())
        known = running
    time.sleep(PAUSE_SECONDS)
    if len(kills) < KILLS:
        raise LocalError(f"Only {len(kills)} environments were killed in {MAXIMUM_SECONDS:.0f} s.")
    return kills


def deploy_again(stack: Stack) -> list[float]:
    """Deploy with another LogLevel, which replaces all environments, and return the monotonic time of the start."""
    time.sleep(PAUSE_SECONDS)
    start = time.monotonic()
    deploy(stack, {"LogLevel": "WARNING"})
    time.sleep(SETTLE_SECONDS)
    return [start]


def measure(stack: Stack, replace: Callable[[Stack], list[float]], replaced_together: int) -> Result:
    """Saturate the HTTPS function while `replace` replaces this number of environments at a time."""
    limit = HTTPS.limit(stack)
    times: list[float] = []
    seen = run(stack, [HTTPS], ROUND_TRIP, MAXIMUM_SECONDS, lambda _: times.extend(replace(stack)))
    HTTPS.limit(stack)  # still reserved
    arrivals = [record.monotonic for record in seen.records]
    calls_per_environment = limit.calls_per_second // limit.environments
    return Result(
        name=replace.__name__,
        limit=limit.calls_per_second,
        bound=calls_per_environment * (limit.environments + replaced_together),
        peak_before=most_in_a_second([arrival for arrival in arrivals if arrival < times[0]]),
        peak=most_in_a_second(arrivals),
        first_calls=_first_calls(seen.records, times),
        rate_limit_errors=sum(record.code == Code.RATE_LIMIT_EXCEEDED for record in seen.records),
        calls=len(arrivals),
        responses=dict(Counter(response.label for response in seen.responses[HTTPS.name]).most_common()),
    )


def _first_calls(records: Sequence[Record], replaced: Sequence[float]) -> list[float]:
    first: dict[int, float] = {}
    for record in records:
        first.setdefault(record.connection, record.monotonic)
    if len(replaced) == 1:
        replaced = [max(record.monotonic for record in records if first[record.connection] <= replaced[0])]
    new = sorted(call for call in first.values() if call > replaced[0])
    return [round(call - since, 2) for call, since in zip(new, replaced, strict=False)]


def main() -> int:
    """Measure both, print the results, and return 1 if a peak is too high."""
    with deployed(free_port(), free_port()) as stack:
        environments = HTTPS.limit(stack).environments
        measured = [
            measure(stack, kill_environments, 1),
            measure(stack, deploy_again, environments),
        ]
    print(json.dumps([asdict(result) for result in measured], indent=2))
    passed = all(result.peak_before <= result.limit and result.peak <= result.bound for result in measured)
    print("passed" if passed else "FAILED")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
