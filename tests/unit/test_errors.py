"""The table of outcomes: `zim.errors`."""

import pytest

from zim import errors
from zim.errors import CallRejectError, QueueAction, RateLimited

DELETE, RETRY = QueueAction.DELETE, QueueAction.RETRY
RETRY_THEN_DEAD_LETTER, DEAD_LETTER = QueueAction.RETRY_THEN_DEAD_LETTER, QueueAction.DEAD_LETTER

# Name, HTTP status, retryable, Retry-After in seconds, queue action.
OUTCOMES = [
    ("InvalidRequest", 400, False, None, DEAD_LETTER),
    ("Forbidden", 403, False, None, DEAD_LETTER),
    ("CallNotFound", 404, True, None, RETRY_THEN_DEAD_LETTER),
    ("InvitationClosed", 409, False, None, DELETE),
    ("RequestExpired", 410, False, None, DELETE),
    ("RequestTooLarge", 413, False, None, DEAD_LETTER),
    ("UserNotRegistered", 422, False, None, DEAD_LETTER),
    ("RateLimited", 429, True, 1, RETRY),
    ("SecretUnavailable", 500, False, None, RETRY_THEN_DEAD_LETTER),
    ("ZimRejectedRequest", 502, False, None, DEAD_LETTER),
    ("ZimConfigurationError", 502, False, None, RETRY_THEN_DEAD_LETTER),
    ("UnexpectedZimResponse", 502, True, None, RETRY_THEN_DEAD_LETTER),
    ("ZimUnreachable", 502, True, None, RETRY),
    ("ZimUnavailable", 503, True, 5, RETRY),
    ("QueueUnavailable", 503, True, 1, RETRY),
    ("ZimTimeout", 504, True, None, RETRY),
]


@pytest.mark.parametrize(("name", "status", "retryable", "retry_after", "action"), OUTCOMES)
def test_an_outcome_has_a_status_a_retry_rule_and_a_queue_action(
    name: str, status: int, *, retryable: bool, retry_after: int | None, action: QueueAction
) -> None:
    error_class = getattr(errors, name)
    error = error_class("detail", cause="cause")
    assert (error.name, error.detail, error.cause) == (name, "detail", "cause")
    assert (error.status, error.retryable, error.retry_after, error.queue_action) == (
        status,
        retryable,
        retry_after,
        action,
    )


def test_the_table_of_outcomes_is_complete() -> None:
    assert {error_class.__name__ for error_class in CallRejectError.__subclasses__()} == {row[0] for row in OUTCOMES}


def test_every_outcome_has_its_own_title() -> None:
    titles = [error_class.title for error_class in CallRejectError.__subclasses__()]
    assert all(titles)
    assert len(set(titles)) == len(OUTCOMES)


def test_an_error_is_described_by_its_detail_and_logged_with_its_cause() -> None:
    error = RateLimited("for the caller", cause="for the log", retry_after=7)
    assert (str(error), error.detail, error.cause, error.retry_after) == (
        "for the caller",
        "for the caller",
        "for the log",
        7,
    )
    assert RateLimited("detail").cause == "detail"
