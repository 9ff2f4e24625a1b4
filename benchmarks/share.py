"""Simulate how the number of environments affects latency and throttling.

python -m benchmarks.share

Requests arrive as a Poisson process or as a burst. A request that finds all environments busy is throttled, as Lambda
does at the reserved concurrency. Any other request takes a free, warm environment, waits for a slot in its window
(`zim.rate_limit` with a simulated clock), and gets its response one round trip later. AWS does not document which free
environment Lambda takes, so there is a table for the most recently used one and one for the least recently used one.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.report import table
from benchmarks.results import percentile
from zim.rate_limit import RateLimitWindow

SHARES = [(10, 10), (10, 5), (10, 2), (20, 20), (20, 10), (20, 5)]
"""Calls per second, and the environments that share them."""

RATES = [0.5, 2.0, 5.0, 10.0]
BURSTS = [5, 10, 20]
ROUND_TRIP = 0.1
REQUESTS = 20_000
"""The number of requests at each rate."""

SEED = 20


class Environment:
    """A warm environment that is busy until `now`, the time of its clock in seconds."""

    def __init__(self, calls_per_second: int, environments: int) -> None:
        self.now = 0.0
        self._window = RateLimitWindow(calls_per_second, environments, lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def handle(self, arrival: float) -> float:
        """Handle the request that arrives at this time, and return the seconds until its response."""
        self.now = arrival
        with self._window.slot(deadline=float("inf")):
            self.now += ROUND_TRIP
        return self.now - arrival


Choice = Callable[[Sequence[Environment]], Environment]


def most_recently_used(free: Sequence[Environment]) -> Environment:
    """Return the environment that became free last."""
    return max(free, key=lambda environment: environment.now)


def least_recently_used(free: Sequence[Environment]) -> Environment:
    """Return the environment that became free first."""
    return min(free, key=lambda environment: environment.now)


@dataclass(frozen=True)
class Latency:
    """The seconds until each response, sorted, and the share of requests that were throttled."""

    seconds: list[float]
    throttled: float

    def __str__(self) -> str:
        """Return the median and the 99th percentile in milliseconds, and the throttled share if there is one."""
        p50, p99 = (round(percentile(self.seconds, share) * 1000) for share in (0.5, 0.99))
        return f"{p50} / {p99}" + (f", {self.throttled:.1%}" if self.throttled else "")


def simulate(arrivals: Sequence[float], calls_per_second: int, environments: int, choose: Choice) -> Latency:
    """Return the latency of requests that arrive at these times, in seconds and in order."""
    pool = [Environment(calls_per_second, environments) for _ in range(environments)]
    seconds = []
    for arrival in arrivals:
        free = [environment for environment in pool if environment.now <= arrival]
        if free:
            seconds.append(choose(free).handle(arrival))
    return Latency(sorted(seconds), 1 - len(seconds) / len(arrivals))


def poisson(rate: float) -> list[float]:
    """Return the arrival times of a Poisson process with this rate, the same for every call."""
    generator, now = random.Random(SEED), 1.0  # noqa: S311 - not a secret
    return [now := now + generator.expovariate(rate) for _ in range(REQUESTS)]


def latencies(choose: Choice) -> str:
    """Return a Markdown table with a row for each share and a column for each kind of arrival."""
    arrivals = [poisson(rate) for rate in RATES] + [[1.0] * size for size in BURSTS]
    return table(
        ["C", "N", "k", *(f"{rate:g}/s" for rate in RATES), *(f"burst of {size}" for size in BURSTS)],
        [
            [calls, environments, calls // environments]
            + [simulate(each, calls, environments, choose) for each in arrivals]
            for calls, environments in SHARES
        ],
    )


def main() -> None:
    """Print both tables."""
    print(f"Median / p99 in ms, and the share of throttled requests, at a round trip of {ROUND_TRIP * 1000:.0f} ms.\n")
    print(f"Most recently used environment first:\n\n{latencies(most_recently_used)}")
    print(f"Least recently used environment first:\n\n{latencies(least_recently_used)}")


if __name__ == "__main__":
    main()
