"""The promise of `zim.rate_limit`, proved at the server's clock: hypothesis looks for a load that breaks it.

Time is simulated and exact, so no comparison needs a tolerance: it passes in whole ticks of 1/1024 s. A float holds
such a moment without rounding, as it does the sums and differences that a window forms of them.
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

from zim.rate_limit import Window, WindowFullError

SECOND = 1024
"""Ticks."""

HOUR = 3600 * SECOND

# The same examples in every run; what a run on somebody's machine found does not depend on what an earlier one stored.
proof = settings(derandomize=True, database=None, deadline=None, max_examples=150)
briefer = settings(proof, max_examples=60)
search = settings(proof, max_examples=1000, phases=[Phase.generate])


@dataclass(frozen=True)
class Attempt:
    """One attempt to call, in ticks.

    `idle` passes before it, during which the environment's clock stands still if it is `frozen`. The window may keep it
    waiting for `patience`. Then it takes `there` to arrive, unless it is `lost` on the way, and `back` until its answer
    or, if it `fails`, its error is there; where nobody answers, that is until it is given up.
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
    """A limit, `calls` a second shared by as many environments as have a list of attempts."""

    calls: int
    attempts: list[list[Attempt]]

    @property
    def environments(self) -> int:
        return len(self.attempts)

    @property
    def share(self) -> int:
        return self.calls // self.environments


class Environment:
    """An execution environment: the true time, and a clock of its own that may have stood still. One call at a time."""

    def __init__(self, calls: int, environments: int, window: type[Window] = Window) -> None:
        self.now = 0
        self.lost = 0
        self.window = window(calls, environments, self.clock, self.sleep)

    def clock(self) -> float:
        return (self.now - self.lost) / SECOND

    def sleep(self, seconds: float) -> None:
        self.now += math.ceil(seconds * SECOND)  # Python's own never ends early, either.

    def arrivals(self, attempts: list[Attempt]) -> Iterator[int]:
        """Make these attempts, one after the other, and give the ticks at which they arrived."""
        for attempt in attempts:
            self.now += attempt.idle
            self.lost += attempt.idle if attempt.frozen else 0
            with suppress(WindowFullError, ConnectionError), self.window.call(self.clock() + attempt.patience / SECOND):
                self.now += attempt.there
                if not attempt.lost:
                    yield self.now
                self.now += attempt.back
                if attempt.fails:
                    raise ConnectionError


class FromSending(Window):
    """What the window must not be: it counts a call from when it left."""

    @contextmanager
    def call(self, deadline: float) -> Iterator[float]:
        left = math.nan
        try:
            with super().call(deadline) as waited:
                left = self._clock()
                yield waited
        finally:
            if not math.isnan(left):
                self._answered[-1] = left


def arrivals_of(load: Load, window: type[Window] = Window) -> list[list[int]]:
    """Give the ticks at which each environment's calls arrived."""
    return [list(Environment(load.calls, load.environments, window).arrivals(tried)) for tried in load.attempts]


def most_in(arrivals: list[list[int]], ticks: int = SECOND) -> int:
    """Count the most arrivals in any half-open interval of so many ticks."""
    ordered = sorted(moment for environment in arrivals for moment in environment)
    return max((bisect_left(ordered, start + ticks) - first for first, start in enumerate(ordered)), default=0)


AT_ONCE = Attempt(idle=0, frozen=False, patience=20 * SECOND, there=0, lost=False, back=0, fails=False)


def ticks(longest: int) -> st.SearchStrategy[int]:
    return st.integers(0, longest)


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
of_any_kind = st.builds(
    Attempt,
    # The same hours for all: environments that wake together are worse than those that do not.
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
            st.lists(eager, max_size=10) | st.lists(of_any_kind, max_size=10),
            min_size=environments,
            max_size=environments,
        ),
    )


enough_for_all = st.integers(1, 5).flatmap(lambda number: loads(number, st.integers(number, 8)))
less_than_one_each = st.integers(2, 5).flatmap(lambda number: loads(number, st.integers(1, number - 1)))


@proof
@given(enough_for_all)
def test_no_second_at_the_server_holds_more_calls_than_allowed(load: Load) -> None:
    arrivals = arrivals_of(load)
    for environment in arrivals:
        assert most_in([environment]) <= load.share
    assert most_in(arrivals) <= load.share * load.environments <= load.calls


def test_a_window_that_counts_from_sending_is_found_to_exceed_the_limit() -> None:
    load = find(enough_for_all, lambda load: most_in(arrivals_of(load, FromSending)) > load.calls, settings=search)
    assert most_in(arrivals_of(load)) <= load.calls


@briefer
@given(less_than_one_each)
def test_where_the_share_is_less_than_one_an_environments_calls_are_that_much_longer_than_a_second_apart(
    load: Load,
) -> None:
    for environment in arrivals_of(load):
        for earlier, later in pairwise(sorted(environment)):
            assert (later - earlier) * load.calls >= load.environments * SECOND


def test_where_the_share_is_less_than_one_the_limit_holds_on_average_and_not_in_every_second() -> None:
    arrivals = arrivals_of(Load(1, [[AT_ONCE] * 10] * 4))
    assert most_in(arrivals) == 4
    assert most_in(arrivals, 4 * SECOND) == 4


@pytest.mark.parametrize(("calls", "environments"), [(10, 5), (20, 10), (7, 3)])
def test_a_killed_environments_successor_makes_at_most_its_share_more(calls: int, environments: int) -> None:
    load = Load(calls, [[AT_ONCE] * 20] * environments)
    assert most_in(arrivals_of(load)) == load.share * environments
    successor = list(Environment(calls, environments).arrivals([AT_ONCE] * 20))
    assert most_in([*arrivals_of(load), successor]) == load.share * (environments + 1)


@briefer
@given(loads(1, st.integers(1, 4)), st.integers(0, 2 * SECOND))
def test_a_call_is_refused_until_the_very_moment_that_the_refusal_named(load: Load, patience: int) -> None:
    environment = Environment(load.calls, 1)
    list(environment.arrivals(load.attempts[0]))
    wait = refusal(environment, 0)
    assume(wait is not None)
    assert wait is not None
    assert 0 < wait <= SECOND
    refused_at = environment.now
    assert refusal(environment, min(patience, wait - 1)) == wait
    assert environment.now == refused_at, "who is refused has not waited"
    environment.now += wait - 1
    assert refusal(environment, 0) == 1
    environment.now += 1
    assert refusal(environment, 0) is None


def refusal(environment: Environment, patience: int) -> int | None:
    """Ask for a call that may start within so many ticks; give the ticks after which one may if it is refused."""
    try:
        with environment.window.call(environment.clock() + patience / SECOND):
            return None
    except WindowFullError as full:
        assert (full.retry_after * SECOND).is_integer()  # noqa: PT017 - of what the error holds
        return int(full.retry_after * SECOND)
