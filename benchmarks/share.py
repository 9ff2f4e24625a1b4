"""How to share a limit among environments: a simulation of few environments with much each, and many with little.

python -m benchmarks.share

Requests come by chance (Poisson) or as a burst at one moment. One that finds every environment busy is turned away, as
Lambda does at the reserved concurrency. Any other gets a free environment, waits for its window (the real one, on a
simulated clock), and has its answer a round trip later. Of the free environments the most recently used is taken; AWS
does not document which one Lambda takes, so the same is printed for the least recently used. Environments are warm.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from zim.rate_limit import Window

SHARES = [(10, 10), (10, 5), (10, 2), (20, 20), (20, 10), (20, 5)]
RATES = [0.5, 2.0, 5.0, 10.0]
BURSTS = [5, 10, 20]
ROUND_TRIP = 0.1
REQUESTS = 20_000
"""Of each rate; every burst meets environments that have rested."""

SEED = 20
MILLISECONDS = 1000
FOR_EVER = float("inf")


class Environment:
    """A warm environment: busy until `now`, the seconds on its clock."""

    def __init__(self, calls_per_second: int, environments: int) -> None:
        self.now = 0.0
        self._window = Window(calls_per_second, environments, lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def answered(self, asked: float) -> float:
        """Take the request of this moment, and return when it is answered."""
        self.now = asked
        with self._window.call(FOR_EVER):
            self.now += ROUND_TRIP
        return self.now


Choice = Callable[[Sequence[Environment]], Environment]


def most_recent(free: Sequence[Environment]) -> Environment:
    """Choose the environment that was used last."""
    return max(free, key=lambda environment: environment.now)


def least_recent(free: Sequence[Environment]) -> Environment:
    """Choose the environment that has rested longest."""
    return min(free, key=lambda environment: environment.now)


@dataclass(frozen=True)
class Served:
    """What became of some requests: seconds until each answer, in order, and the share that was turned away."""

    waits: list[float]
    turned_away: float

    def percentile(self, share: float) -> float:
        """Return the seconds within which this share of the answered had their answer."""
        return self.waits[min(int(len(self.waits) * share), len(self.waits) - 1)]


def serve(arrivals: Sequence[float], calls_per_second: int, environments: int, choose: Choice) -> Served:
    """Let requests arrive at these seconds, in order."""
    all_of_them = [Environment(calls_per_second, environments) for _ in range(environments)]
    waits = []
    for asked in arrivals:
        free = [environment for environment in all_of_them if environment.now <= asked]
        if free:
            waits.append(choose(free).answered(asked) - asked)
    return Served(sorted(waits), 1 - len(waits) / len(arrivals))


def poisson(rate: float) -> list[float]:
    """Return the moments of requests that come by chance, so many a second on average."""
    # Seeded: the same table every time.
    chance, now = random.Random(SEED), 1.0  # noqa: S311 - no secret
    moments = []
    for _ in range(REQUESTS):
        now += chance.expovariate(rate)
        moments.append(now)
    return moments


def rows(choose: Choice) -> Iterator[list[str]]:
    """Return a row for every share: median / p99 in milliseconds and what is turned away, for each kind of arrival."""
    kinds = [poisson(rate) for rate in RATES] + [[1.0] * size for size in BURSTS]
    for calls, environments in SHARES:
        served = [serve(arrivals, calls, environments, choose) for arrivals in kinds]
        yield [str(calls), str(environments), str(calls // environments), *map(_cell, served)]


def _cell(served: Served) -> str:
    median, late = (round(served.percentile(share) * MILLISECONDS) for share in (0.5, 0.99))
    return f"{median} / {late}" + (f", {served.turned_away:.1%}" if served.turned_away else "")


def table(choose: Choice) -> str:
    """Return the rows as a Markdown table."""
    head = ["C", "N", "k", *(f"{rate:g}/s" for rate in RATES), *(f"{size} at once" for size in BURSTS)]
    lines = [head, ["---"] * len(head), *rows(choose)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """Print both tables."""
    print(f"Median / p99 answer in ms, and the share turned away; round trip {ROUND_TRIP * MILLISECONDS:.0f} ms.\n")
    print(f"Most recently used environment first:\n\n{table(most_recent)}\n")
    print(f"Least recently used environment first:\n\n{table(least_recent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
