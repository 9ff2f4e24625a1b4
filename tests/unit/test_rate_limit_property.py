"""The rate limit of `zim.rate_limit`, as the server measures it: hypothesis searches for a load that exceeds it.

Time is simulated in whole ticks of 1/1024 s. A float represents these times, their sums and their differences exactly,
so no comparison needs a tolerance.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from zim.rate_limit import RateLimitWindow, WindowFullError

SECOND = 1024
"""Ticks."""

HOUR = 3600 * SECOND

# The same examples in every run, on every machine.
proof = settings(derandomize=True, database=None, deadline=None, max_examples=150)
short_proof = settings(proof, max_examples=60)
search = settings(proof, max_examples=1000, phases=[Phase.generate])


@dataclass(frozen=True)
class Attempt:
    """One attempt to call, in ticks.

    The environment is `idle` before it, with a clock that stops meanwhile if it is `frozen`. The attempt waits at most
    `patience` for the window. It arrives after `there`, unless it is `lost`, and ends `back` later with a response, or
    with an error such as a timeout if it `fails`.
    """

    idle: int
    frozen: bool
    patience: int
    there: int
    lost: bool
    back: int
    fails: bool


@dataclass(frozen=True)
class Load:
    """A limit of `calls` a second, and a list of attempts for each environment that shares it."""

    calls: int
    attempts: list[list[Attempt]]

    @property
    def environments(self) -> int:
        return len(self.attempts)

    @property
    def share(self) -> int:
        return self.calls // self.environments


class Environment:
    """An execution environment, which makes one call at a time. Its clock can be behind the true time."""

    def __init__(self, calls: int, environments: int, window: type[RateLimitWindow] = RateLimitWindow) -> None:
        self.now = 0
        self.behind = 0
        self.window = window(calls, environments, self.clock, self.sleep)

    def clock(self) -> float:
        return (self.now - self.behind) / SECOND

    def sleep(self, seconds: float) -> None:
        self.now += math.ceil(seconds * SECOND)  # Python's sleep does not end early either.

    def arrivals(self, attempts: list[Attempt]) -> Iterator[int]:
        """Make these attempts one after another, and yield the ticks at which they arrive."""
        for attempt in attempts:
            self.now += attempt.idle
            self.behind += attempt.idle if attempt.frozen else 0
            with suppress(WindowFullError, ConnectionError), self.window.slot(self.clock() + attempt.patience / SECOND):
                self.now += attempt.there
                if not attempt.lost:
                    yield self.now
                self.now += attempt.back
                if attempt.fails:
                    raise ConnectionError


class WindowOverSendingTimes(RateLimitWindow):
    """A wrong window: it counts a call from when it was sent."""

    @contextmanager
    def slot(self, deadline: float) -> Iterator[float]:
        sent = math.nan
        try:
            with super().slot(deadline) as waited:
                sent = self._clock()
                yield waited
        finally:
            if not math.isnan(sent):
                self._finished[-1] = sent


def arrivals_of(load: Load, window: type[RateLimitWindow] = RateLimitWindow) -> list[list[int]]:
    """Return the ticks at which the calls of each environment arrive."""
    return [list(Environment(load.calls, load.environments, window).arrivals(attempts)) for attempts in load.attempts]


def most_in(arrivals: list[list[int]], ticks: int = SECOND) -> int:
    """Return the largest number of arrivals in any half-open interval of this length."""
    ordered = sorted(moment for environment in arrivals for moment in environment)
    return max((bisect_left(ordered, start + ticks) - first for first, start in enumerate(ordered)), default=0)


IMMEDIATE = Attempt(idle=0, frozen=False, patience=20 * SECOND, there=0, lost=False, back=0, fails=False)


def ticks(maximum: int) -> st.SearchStrategy[int]:
    return st.integers(0, maximum)


eager = st.builds(
    Attempt,
    idle=st.just(0),
    frozen=st.just(value=False),
    patience=st.just(20 * SECOND),
    there=st.just(0) | ticks(SECOND // 2),
    lost=st.just(value=False),
    back=st.just(0) | ticks(SECOND // 8),
    fails=st.booleans(),
)
any_attempt = st.builds(
    Attempt,
    # The same hours for all, because environments that resume together are the worst case.
    idle=st.just(0) | ticks(2 * SECOND) | st.just(HOUR) | st.just(9 * HOUR),
    frozen=st.booleans(),
    patience=st.just(20 * SECOND) | ticks(SECOND),
    there=ticks(SECOND // 4) | ticks(6 * SECOND),
    lost=st.booleans(),
    back=ticks(SECOND // 4) | ticks(6 * SECOND),
    fails=st.booleans(),
)


def loads(environments: int, calls: st.SearchStrategy[int]) -> st.SearchStrategy[Load]:
    return st.builds(
        Load,
        calls=calls,
        attempts=st.lists(
            st.lists(eager, max_size=10) | st.lists(any_attempt, max_size=10),
            min_size=environments,
            max_size=environments,
        ),
    )


at_least_one_each = st.integers(1, 5).flatmap(lambda number: loads(number, st.integers(number, 8)))
less_than_one_each = st.integers(2, 5).flatmap(lambda number: loads(number, st.integers(1, number - 1)))


@proof
@given(at_least_one_each)
def test_no_second_at_the_server_contains_more_calls_than_the_limit(load: Load) -> None:
    arrivals = arrivals_of(load)
    for environment in arrivals:
        assert most_in([environment]) <= load.share
    assert most_in(arrivals) <= load.share * load.environments <= load.calls


def test_a_window_over_sending_times_exceeds_the_limit() -> None:
    load = find(
        at_least_one_each, lambda load: most_in(arrivals_of(load, WindowOverSendingTimes)) > load.calls, settings=search
    )
    assert most_in(arrivals_of(load)) <= load.calls


@short_proof
@given(less_than_one_each)
def test_with_a_share_below_one_the_calls_of_an_environment_are_proportionally_further_apart(
    load: Load,
) -> None:
    for environment in arrivals_of(load):
        for earlier, later in pairwise(sorted(environment)):
            assert (later - earlier) * load.calls >= load.environments * SECOND


def test_with_a_share_below_one_the_limit_holds_on_average_but_not_in_every_second() -> None:
    arrivals = arrivals_of(Load(1, [[IMMEDIATE] * 10] * 4))
    assert most_in(arrivals) == 4
    assert most_in(arrivals, 4 * SECOND) == 4


@pytest.mark.parametrize(("calls", "environments"), [(10, 5), (20, 10), (7, 3)])
def test_an_environment_that_replaces_a_killed_one_adds_at_most_its_share(calls: int, environments: int) -> None:
    load = Load(calls, [[IMMEDIATE] * 20] * environments)
    assert most_in(arrivals_of(load)) == load.share * environments
    successor = list(Environment(calls, environments).arrivals([IMMEDIATE] * 20))
    assert most_in([*arrivals_of(load), successor]) == load.share * (environments + 1)


@short_proof
@given(loads(1, st.integers(1, 4)), st.integers(0, 2 * SECOND))
def test_a_call_is_rejected_exactly_until_the_time_that_the_rejection_states(load: Load, patience: int) -> None:
    environment = Environment(load.calls, 1)
    list(environment.arrivals(load.attempts[0]))
    wait = rejection(environment, 0)
    assume(wait is not None)
    assert wait is not None
    assert 0 < wait <= SECOND
    rejected_at = environment.now
    assert rejection(environment, min(patience, wait - 1)) == wait
    assert environment.now == rejected_at, "a rejected call does not wait"
    environment.now += wait - 1
    assert rejection(environment, 0) == 1
    environment.now += 1
    assert rejection(environment, 0) is None


def rejection(environment: Environment, patience: int) -> int | None:
    """Try a call that can wait `patience` ticks. Return None if it starts, else the ticks until a slot is free."""
    try:
        with environment.window.slot(environment.clock() + patience / SECOND):
            return None
    except WindowFullError as full:
        assert (full.retry_after * SECOND).is_integer()  # noqa: PT017 - the value of the error
        return int(full.retry_after * SECOND)
