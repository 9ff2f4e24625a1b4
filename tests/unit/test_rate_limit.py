"""The window of one execution environment: `zim.rate_limit`, on a simulated clock."""

import pytest

from zim.rate_limit import Window, WindowFullError


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


FOR_EVER = float("inf")


def started(window: Window, clock: Clock, calls: int, round_trip: float = 0.25) -> list[float]:
    """Make calls one after another, each as early as the window lets it; return when each started."""
    starts = []
    for _ in range(calls):
        with window.call(FOR_EVER):
            starts.append(clock.now - 1000.0)
            clock.now += round_trip
    return starts


@pytest.mark.parametrize(
    ("calls_per_second", "environments", "starts"),
    [
        (2, 1, [0, 0.25, 1.25, 1.5, 2.5]),
        (7, 3, [0, 0.25, 1.25, 1.5, 2.5]),
        (1, 1, [0, 1.25, 2.5, 3.75, 5.0]),
        (1, 4, [0, 4.25, 8.5, 12.75, 17.0]),
    ],
    ids=["whole share", "a fraction is left unused", "one a second", "less than one a second"],
)
def test_a_call_starts_a_second_after_the_answer_to_the_kth_before_it(
    calls_per_second: int, environments: int, starts: list[float]
) -> None:
    clock = Clock()
    assert started(Window(calls_per_second, environments, clock, clock.sleep), clock, 5) == starts


def test_a_call_that_failed_counts_from_when_it_was_given_up() -> None:
    clock = Clock()
    window = Window(1, 1, clock, clock.sleep)
    with pytest.raises(TimeoutError), window.call(FOR_EVER):  # noqa: PT012 - the block is the call
        clock.now += 5
        raise TimeoutError
    with window.call(FOR_EVER) as waited:
        assert waited == 1.0
    assert clock.now == 1006.0


def test_after_hours_of_sleep_nothing_is_waited_for_and_nothing_was_saved_up() -> None:
    clock = Clock()
    window = Window(2, 1, clock, clock.sleep)
    started(window, clock, 2)
    clock.now += 7200
    before = clock.now - 1000
    assert [start - before for start in started(window, clock, 3)] == [0, 0.25, 1.25]


def test_a_wait_beyond_the_deadline_is_refused_at_once_with_the_time_until_a_call_may_start() -> None:
    clock = Clock()
    window = Window(1, 4, clock, clock.sleep)
    started(window, clock, 1)
    with pytest.raises(WindowFullError) as full, window.call(clock.now + 3.9):
        pytest.fail("the call was let through")
    assert full.value.retry_after == 4.0
    assert clock.slept == []


def test_a_wait_that_ends_at_the_deadline_is_waited() -> None:
    clock = Clock()
    window = Window(1, 4, clock, clock.sleep)
    started(window, clock, 1)
    with window.call(clock.now + 4.0) as waited:
        assert waited == 4.0


def test_a_sleep_that_ends_early_is_slept_again() -> None:
    clock = Clock()
    window = Window(1, 1, clock, lambda seconds: clock.sleep(seconds / 2 if seconds > 0.1 else seconds))
    started(window, clock, 1)
    with window.call(FOR_EVER):
        assert clock.now == pytest.approx(1001.25)
    assert len(clock.slept) > 1


def test_after_the_deadline_no_call_starts_even_if_the_window_has_room() -> None:
    clock = Clock()
    with pytest.raises(WindowFullError) as full, Window(1, 1, clock, clock.sleep).call(clock.now - 1):
        pytest.fail("the call was let through")
    assert full.value.retry_after == 0
