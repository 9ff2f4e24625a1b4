"""Measure the rate limit under load: saturate the deployed stack and count the calls that reach the simulator.

python -m benchmarks.rate
"""

import contextlib
import os
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks import results
from benchmarks.load import HTTPS, QUEUE, Load, Response
from local.processes import free_port, until
from local.stack import Stack, deployed
from local.zim_simulator.return_codes import Code
from local.zim_simulator.state import Record, most_in_a_second

ROUND_TRIPS = (0.03, 0.1, 0.3)
"""To ZIM and back, in seconds."""

SECONDS = 60.0
"""Of each measurement."""

WARM_UP_SECONDS = 5.0
"""Between the first call of the last environment and the start of the measurement."""

START_SECONDS = 60.0
"""The maximum time until every environment has made a call."""

JITTER = 0.3
"""A round trip varies between 1 - JITTER and 1 + JITTER of its mean; each direction has a uniform distribution."""

GOAL = 0.95


@dataclass(frozen=True)
class Result:
    """The result of one load, or of several together.

    Times are in seconds, rates in calls per second. `peak` is the highest number of calls in any second, `theory` the
    rate of saturated windows. `responses` counts the responses to the clients by label; the percentiles are the times
    until a 200, from the attempt that was not throttled.
    """

    load: str
    round_trip: float
    seconds: float
    limit: int
    calls: int
    peak: int
    rate_limit_errors: int
    rate: float
    theory: float
    responses: dict[str, int]
    p50: float | None
    p95: float | None
    p99: float | None
    load_average: float


@dataclass(frozen=True)
class Run:
    """The calls that arrived during a run, the responses to each load's clients, and when the measurement started."""

    records: list[Record]
    responses: dict[str, list[Response]]
    start: float


def run(
    stack: Stack, loads: Sequence[Load], round_trip: float, seconds: float, during: Callable[[float], object]
) -> Run:
    """Run the loads together, warm up, and then call `during` with the seconds to measure."""
    limits = [load.limit(stack) for load in loads]
    stack.simulator.reset()
    stack.simulator.settings(
        latency=round_trip * (1 - JITTER),
        jitter=round_trip * 2 * JITTER,
        calls_per_second=sum(limit.calls_per_second for limit in limits),
    )
    with contextlib.ExitStack() as running:
        responses = {}
        for load, limit in zip(loads, limits, strict=True):
            number = (START_SECONDS + WARM_UP_SECONDS + seconds) * limit.calls_per_second
            pending = load.requests(stack, int(number))
            responses[load.name] = running.enter_context(load.run(stack, pending, limit))
        environments = sum(limit.environments for limit in limits)
        # Each environment has one persistent connection.
        until(
            lambda: len({record.connection for record in stack.simulator.requests()}) >= environments,
            START_SECONDS,
            f"{environments} environments had not started",
        )
        time.sleep(WARM_UP_SECONDS)
        start = time.monotonic()
        during(seconds)
    return Run(stack.simulator.requests(), responses, start)


def measure(stack: Stack, loads: Sequence[Load], round_trip: float, seconds: float) -> Result:
    """Run the loads together. The peak and the errors of ZIM are those of the whole run, the rest without warm-up."""
    seen = run(stack, loads, round_trip, seconds, time.sleep)
    limits = [load.limit(stack) for load in loads]
    arrivals = [record.monotonic for record in seen.records]
    # Calls come in bursts, one in each period of the windows. Part of a period would distort the rate.
    measured = int(seconds / (1 + round_trip)) * (1 + round_trip)
    calls = bisect_left(arrivals, seen.start + measured) - bisect_left(arrivals, seen.start)
    responses = [each for received in seen.responses.values() for each in received if each.time >= seen.start]
    successes = sorted(response.seconds for response in responses if response.label == "200")
    p50, p95, p99 = (results.percentile(successes, share) if successes else None for share in (0.5, 0.95, 0.99))
    return Result(
        load=" + ".join(seen.responses),
        round_trip=round_trip,
        seconds=measured,
        limit=sum(limit.calls_per_second for limit in limits),
        calls=calls,
        peak=most_in_a_second(arrivals),
        rate_limit_errors=sum(record.code == Code.RATE_LIMIT_EXCEEDED for record in seen.records),
        rate=calls / measured,
        theory=sum(limit.saturated_rate(round_trip) for limit in limits),
        responses=dict(Counter(response.label for response in responses).most_common()),
        p50=p50,
        p95=p95,
        p99=p99,
        load_average=os.getloadavg()[0],
    )


def passed(result: Result) -> bool:
    """Return whether the limit held and, for HTTPS alone, whether the rate reached the goal."""
    held = result.peak <= result.limit and not result.rate_limit_errors
    return held and (result.load != "https" or result.rate >= GOAL * result.theory)


def show(result: Result) -> None:
    """Print a result."""
    print(
        f"{result.load}, {result.round_trip * 1000:.0f} ms: {'passed' if passed(result) else 'FAILED'}. "
        f"Peak {result.peak} of {result.limit}, {result.rate:.2f} calls/s "
        f"({result.rate / result.theory:.1%} of the theoretical rate), responses {result.responses}"
    )


def main() -> int:
    """Measure, print the results and save them. Return 1 if one of them failed."""
    measured: list[Result] = []
    with deployed(free_port(), free_port()) as stack:
        for loads in ([HTTPS], [HTTPS, QUEUE]):
            for round_trip in ROUND_TRIPS:
                measured.append(measure(stack, loads, round_trip, SECONDS))
                show(measured[-1])
    results.save("rate", [asdict(result) for result in measured])
    return 0 if all(passed(result) for result in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
