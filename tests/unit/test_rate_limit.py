"""The rate limit of one execution environment: `zim.rate_limit`, on a simulated clock."""

import pytest

from tests.unit.doubles import Clock
from zim.rate_limit import RateLimitWindow, WindowFullError

NEVER = float("inf")


def new_window(clock: Clock, calls_per_second: int, environments: int = 1) -> RateLimitWindow:
    return RateLimitWindow(calls_per_second, environments, clock.monotonic, clock.sleep)


def start_calls(window: RateLimitWindow, clock: Clock, calls: int, round_trip: float = 0.25) -> list[float]:
    """Make calls one after another, each as soon as the window allows, and return when each started."""
    begin = clock.now
    starts = []
    for _ in range(calls):
        with window.slot(NEVER):
            starts.append(clock.now - begin)
            clock.now += round_trip
    return starts


def retry_after(window: RateLimitWindow, deadline: float) -> float:
    """Return when a slot is free, according to a rejection."""
    with pytest.raises(WindowFullError) as raised, window.slot(deadline):
        pytest.fail("the call started")
    return raised.value.retry_after


@pytest.mark.parametrize(
    ("calls_per_second", "environments", "starts"),
    [
        (2, 1, [0, 0.25, 1.25, 1.5, 2.5]),
        (7, 3, [0, 0.25, 1.25, 1.5, 2.5]),
        (1, 1, [0, 1.25, 2.5, 3.75, 5.0]),
        (1, 4, [0, 4.25, 8.5, 12.75, 17.0]),
        (2, 5, [0, 2.75, 5.5, 8.25, 11.0]),
    ],
    ids=["whole share", "rounded down", "one a second", "one in four seconds", "two in five seconds"],
)
def test_a_call_starts_a_second_after_the_response_to_the_kth_call_before_it(
    clock: Clock, calls_per_second: int, environments: int, starts: list[float]
) -> None:
    assert start_calls(new_window(clock, calls_per_second, environments), clock, 5) == starts


def test_a_call_that_fails_counts_from_its_failure(clock: Clock) -> None:
    window, begin = new_window(clock, 1), clock.now
    with pytest.raises(TimeoutError), window.slot(NEVER):  # noqa: PT012 - the block is the call
        clock.now += 5
        raise TimeoutError
    with window.slot(NEVER) as waited:
        assert waited == 1.0
    assert clock.now == begin + 6.0


def test_a_wait_beyond_the_deadline_is_rejected_immediately_with_the_time_until_a_slot_is_free(clock: Clock) -> None:
    window = new_window(clock, 1, environments=4)
    start_calls(window, clock, 1)
    assert retry_after(window, clock.now + 3.9) == 4.0
    clock.now += 1.5
    assert retry_after(window, clock.now) == 2.5
    assert clock.slept == []


def test_a_wait_that_ends_at_the_deadline_is_allowed(clock: Clock) -> None:
    window = new_window(clock, 1, environments=4)
    start_calls(window, clock, 1)
    with window.slot(clock.now + 4.0) as waited:
        assert waited == 4.0


def test_a_call_can_start_at_the_deadline(clock: Clock) -> None:
    with new_window(clock, 1).slot(clock.now) as waited:
        assert waited == 0.0


def test_a_sleep_that_ends_early_is_continued(clock: Clock) -> None:
    def sleep(seconds: float) -> None:
        clock.sleep(seconds / 2 if seconds > 0.1 else seconds)

    window, begin = RateLimitWindow(1, 1, clock.monotonic, sleep), clock.now
    start_calls(window, clock, 1)
    with window.slot(NEVER):
        assert clock.now == pytest.approx(begin + 1.25)
    assert len(clock.slept) > 1


def test_no_call_starts_after_the_deadline_even_if_a_slot_is_free(clock: Clock) -> None:
    window = new_window(clock, 1)
    assert retry_after(window, clock.now - 1) == 0
    start_calls(window, clock, 1)
    clock.now += 60
    assert retry_after(window, clock.now - 1) == 0


def test_no_call_starts_if_a_sleep_ends_after_the_deadline(clock: Clock) -> None:
    window = RateLimitWindow(1, 1, clock.monotonic, lambda seconds: clock.sleep(seconds + 5))
    start_calls(window, clock, 1)
    assert retry_after(window, clock.now + 2) == 0
    assert clock.slept == [6.0]


def test_a_reset_window_has_all_slots_free(clock: Clock) -> None:
    window = new_window(clock, 2)
    start_calls(window, clock, 2)
    window.reset()
    assert start_calls(window, clock, 3) == [0, 0.25, 1.25]


def test_the_system_clock_is_used_by_default() -> None:
    with RateLimitWindow(1, 1).slot(NEVER) as waited:
        assert waited == 0
