"""The rate limit under load: saturate the deployed stack and see, at the simulator in ZIM's place, what arrives.

python -m benchmarks.rate [--seconds 60] [--round-trips 30,100,300] [--loads https,queue,both]
"""

import argparse
import contextlib
import os
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks import results
from benchmarks.load import LOADS, Answer, Load
from local.processes import LocalError, free_port
from local.stack import Stack, deployed
from local.zim_simulator.return_codes import Code
from local.zim_simulator.state import Record, most_in_a_second

WARM_UP_SECONDS = 5.0
"""From when every environment has made a call until the measurement begins."""

LONGEST_START_SECONDS = 60.0
"""Until every environment has made a call, on two busy cores."""

JITTER = 0.3
"""A round trip lasts between 1 - JITTER and 1 + JITTER of its mean; each of its two ways is evenly distributed."""

GOAL = 0.95
MILLISECONDS = 1000


@dataclass(frozen=True)
class Measured:
    """What was seen of one load, or of all together.

    Times in seconds, rates in calls a second. `answers` counts what the clients were told, and the percentiles
    are of the time until a 200, from when the request was sent that was not turned away.
    """

    load: str
    round_trip: float
    seconds: float
    calls_per_second: int
    environments: int
    calls: int
    most_in_a_second: int
    refused_by_zim: int
    rate: float
    theory: float
    answers: dict[str, int]
    p50: float | None
    p95: float | None
    p99: float | None
    load_average_before: float
    load_average_after: float


@dataclass(frozen=True)
class Run:
    """The records of a run: all requests that arrived, and what each load's clients were told."""

    records: list[Record]
    answers: dict[str, list[Answer]]
    started: float
    load_average_before: float


def run(
    stack: Stack, loads: Sequence[Load], round_trip: float, seconds: float, meanwhile: Callable[[float], None]
) -> Run:
    """Run these loads at once: a warm-up, and then as long as `meanwhile` takes to spend the seconds."""
    limits = [load.limit(stack) for load in loads]
    stack.simulator.reset()
    stack.simulator.settings(
        latency=round_trip * (1 - JITTER),
        jitter=round_trip * 2 * JITTER,
        # What is over these functions' limits is over ZIM's.
        calls_per_second=sum(limit.calls_per_second for limit in limits),
    )
    before = os.getloadavg()[0]
    with contextlib.ExitStack() as running:
        answers = {}
        for load, limit in zip(loads, limits, strict=True):
            longest = LONGEST_START_SECONDS + WARM_UP_SECONDS + seconds
            wanted = load.requests(stack, int(longest * limit.calls_per_second))
            answers[load.name] = running.enter_context(load.running(stack, wanted, limit))
        _wait_until_started(stack, sum(limit.environments for limit in limits))
        time.sleep(WARM_UP_SECONDS)
        started = time.monotonic()
        meanwhile(seconds)
    return Run(stack.simulator.requests(), answers, started, before)


def _wait_until_started(stack: Stack, environments: int) -> None:
    """Wait until as many connections have made calls; an environment keeps its connection."""
    deadline = time.monotonic() + LONGEST_START_SECONDS
    while len({record.connection for record in stack.simulator.requests()}) < environments:
        if time.monotonic() > deadline:
            raise LocalError(f"{environments} environments had not started after {LONGEST_START_SECONDS:.0f} s.")
        time.sleep(1)


def measure(
    stack: Stack,
    loads: Sequence[Load],
    round_trip: float,
    seconds: float,
    meanwhile: Callable[[float], None] = time.sleep,
) -> list[Measured]:
    """Run these loads at once, and return what was seen of each and, where there are several, of all together.

    The most calls in any second, and what ZIM refused, are those of the whole run; everything else is counted after the
    warm-up.
    """
    seen = run(stack, loads, round_trip, seconds, meanwhile)
    measured = [_measured(stack, seen, [load], round_trip, seconds) for load in loads]
    return measured if len(loads) == 1 else [*measured, _measured(stack, seen, loads, round_trip, seconds)]


def _measured(stack: Stack, seen: Run, loads: Sequence[Load], round_trip: float, seconds: float) -> Measured:
    limits = [load.limit(stack) for load in loads]
    names = tuple(load.name for load in loads)
    records = [record for record in seen.records if record.parameters["FromUserId"].startswith(names)]
    arrivals = [record.monotonic for record in records]
    # A whole number of the windows' periods: calls come in bursts of them, and half a burst would count as a whole one.
    measured = int(seconds / (1 + round_trip)) * (1 + round_trip)
    calls = bisect_left(arrivals, seen.started + measured) - bisect_left(arrivals, seen.started)
    told = [answer for name in names for answer in seen.answers[name] if answer.at >= seen.started]
    waited = sorted(answer.seconds for answer in told if answer.said == "200")
    return Measured(
        load=" + ".join(names),
        round_trip=round_trip,
        seconds=measured,
        calls_per_second=sum(limit.calls_per_second for limit in limits),
        environments=sum(limit.environments for limit in limits),
        calls=calls,
        most_in_a_second=most_in_a_second(arrivals),
        refused_by_zim=sum(record.code == Code.RATE_LIMIT_EXCEEDED for record in records),
        rate=calls / measured,
        theory=sum(limit.rate(round_trip) for limit in limits),
        answers=dict(Counter(answer.said for answer in told).most_common()),
        p50=_percentile(waited, 0.50),
        p95=_percentile(waited, 0.95),
        p99=_percentile(waited, 0.99),
        load_average_before=seen.load_average_before,
        load_average_after=os.getloadavg()[0],
    )


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None


def show(measured: Measured) -> None:
    """Print what was seen of one load as a line, and what its clients were told as another."""
    within = measured.most_in_a_second <= measured.calls_per_second and not measured.refused_by_zim
    verdict = "kept" if within else "EXCEEDED"
    times = [
        None if time is None else round(time * MILLISECONDS) for time in (measured.p50, measured.p95, measured.p99)
    ]
    print(
        f"{measured.load:14} {measured.round_trip * MILLISECONDS:4.0f} ms  "
        f"limit {measured.calls_per_second} {verdict}: most in a second {measured.most_in_a_second}, "
        f"660300005: {measured.refused_by_zim};  "
        f"rate {measured.rate:.2f}/s of {measured.theory:.2f} = {measured.rate / measured.theory:.1%} "
        f"({measured.calls} in {measured.seconds:.1f} s);  load average {measured.load_average_after:.1f}"
    )
    if measured.answers:
        told = ", ".join(f"{said}: {number}" for said, number in measured.answers.items())
        print(f"{'':22} answers {told};  p50, p95, p99 of the 200s: {', '.join(map(str, times))} ms")


def main(arguments: Sequence[str]) -> int:
    """Measure, and return 1 if the limit was exceeded, or the HTTPS function fell short of the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rate", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--round-trips", default="30,100,300", help="to ZIM and back, in milliseconds")
    parser.add_argument("--loads", default="https,both", help=f"of {', '.join(LOADS)} and both")
    options = parser.parse_args(arguments)
    chosen = [list(LOADS.values()) if name == "both" else [LOADS[name]] for name in options.loads.split(",")]
    measured: list[Measured] = []
    try:
        with deployed(free_port(), free_port()) as stack:
            for loads in chosen:
                for round_trip in options.round_trips.split(","):
                    for each in measure(stack, loads, float(round_trip) / MILLISECONDS, options.seconds):
                        show(each)
                        measured.append(each)
    except LocalError as error:
        print(f"benchmarks.rate: {error}", file=sys.stderr)
        return 1
    results.save("rate", [asdict(each) for each in measured])
    kept = all(each.most_in_a_second <= each.calls_per_second and not each.refused_by_zim for each in measured)
    reached = all(each.rate >= GOAL * each.theory for each in measured if each.load == "https")
    return 0 if kept and reached else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
