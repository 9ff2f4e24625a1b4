"""The allowance of each user: `zim.allowance`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.doubles import Clock
from zim.allowance import MAX_REQUESTS, MAX_USERS, PERIOD_SECONDS, UserAllowance
from zim.errors import RateLimited


@pytest.fixture
def allowance(clock: Clock) -> UserAllowance:
    return UserAllowance(clock.monotonic)


def use_up(allowance: UserAllowance, user_id: str = "user0") -> None:
    for _ in range(MAX_REQUESTS):
        allowance.use(user_id)


def is_allowed(allowance: UserAllowance, user_id: str = "user0") -> bool:
    try:
        allowance.use(user_id)
    except RateLimited:
        return False
    return True


def test_a_user_has_five_requests_in_ten_seconds(allowance: UserAllowance) -> None:
    use_up(allowance)
    with pytest.raises(RateLimited) as caught:
        allowance.use("user0")
    assert caught.value.detail == "You sent more than 5 requests in 10 s."
    assert caught.value.retry_after == 10
    assert caught.value.status == 429
    assert "allowance" in (caught.value.cause or "")


def test_retry_after_is_when_the_next_request_is_allowed(allowance: UserAllowance, clock: Clock) -> None:
    for _ in range(MAX_REQUESTS):
        allowance.use("user0")
        clock.sleep(0.75)
    with pytest.raises(RateLimited) as caught:
        allowance.use("user0")
    assert caught.value.retry_after == 7  # 6.25 s are left
    clock.sleep(6)
    assert not is_allowed(allowance)
    clock.sleep(0.25)
    assert is_allowed(allowance)
    assert not is_allowed(allowance)


def test_the_number_of_remembered_users_is_bounded(allowance: UserAllowance) -> None:
    use_up(allowance)
    for number in range(1, MAX_USERS):
        allowance.use(f"user{number}")
    assert not is_allowed(allowance)  # still remembered, and now the most recent
    for number in range(MAX_USERS, 2 * MAX_USERS - 1):
        allowance.use(f"user{number}")
    assert not is_allowed(allowance)
    for number in range(2 * MAX_USERS):
        allowance.use(f"other{number}")
    assert is_allowed(allowance)


@given(st.lists(st.tuples(st.sampled_from(["user0", "user1"]), st.integers(0, 48)), max_size=60))
def test_no_period_contains_more_requests_than_allowed(requests: list[tuple[str, int]]) -> None:
    clock = Clock()
    allowance = UserAllowance(clock.monotonic)
    allowed: list[tuple[str, float]] = []
    for user, sixteenths in requests:
        clock.sleep(sixteenths / 16)
        if is_allowed(allowance, user):
            allowed.append((user, clock.now))
        else:
            latest = [at for other, at in allowed if other == user and at > clock.now - PERIOD_SECONDS]
            assert len(latest) == MAX_REQUESTS
    for user in ("user0", "user1"):
        times = [at for other, at in allowed if other == user]
        for first, sixth in zip(times, times[MAX_REQUESTS:], strict=False):
            assert sixth - first >= PERIOD_SECONDS
