"""Which requests count for the objective, and which of them miss it."""

import pytest

from zim import errors
from zim.errors import CallRejectError
from zim.objective import is_missed
from zim.telemetry import CallStats, metrics, observe

FAST, SLOW = 2.0, 2.01
ZIM_FAST, ZIM_SLOW = 1.0, 1.01


@pytest.fixture(autouse=True)
def _no_metrics() -> None:
    metrics.clear_metrics()


@pytest.mark.parametrize(
    ("seconds", "zim_seconds", "missed"),
    [(FAST, ZIM_FAST, False), (SLOW, ZIM_FAST, True), (SLOW, ZIM_SLOW, None), (FAST, ZIM_SLOW, None)],
)
def test_a_success_misses_the_objective_after_two_seconds_unless_zim_is_slow(
    seconds: float, zim_seconds: float, *, missed: bool | None
) -> None:
    assert is_missed(None, seconds, zim_seconds) is missed


EXPECTED = {
    **dict.fromkeys(("Forbidden", "InvalidRequest", "RequestTooLarge"), (None, None)),
    **dict.fromkeys(("UnexpectedZimResponse", "ZimTimeout", "ZimUnavailable", "ZimUnreachable"), (None, None)),
    **dict.fromkeys(("QueueUnavailable", "SecretUnavailable", "ZimConfigurationError"), (True, True)),
    **dict.fromkeys(
        (
            *("CallNotFound", "InvitationClosed", "RateLimited", "RequestExpired"),
            *("UserNotRegistered", "ZimRejectedRequest"),
        ),
        (False, True),
    ),
}
"""Whether each error misses the objective after a short and a long time."""


@pytest.mark.parametrize("error_class", CallRejectError.__subclasses__(), ids=lambda each: each.__name__)
def test_each_error_counts_as_documented(error_class: type[CallRejectError]) -> None:
    error = getattr(errors, error_class.__name__)("detail", cause="cause")
    assert (is_missed(error, FAST, 0.0), is_missed(error, SLOW, 0.0)) == EXPECTED[error_class.__name__]


def counted(received_at: float | None, error: CallRejectError | None = None) -> list[float] | None:
    """Return the values of the metric after one request."""
    try:
        with observe("http", CallStats()) as observation:
            observation.received_at = received_at
            if error:
                raise error
    except CallRejectError:
        pass
    values: list[float] | None = metrics.metric_set.get("ObjectiveMissed", {}).get("Value")
    return values


def test_the_metric_is_measured_from_the_arrival_at_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    assert counted(998.0) == [0.0]
    metrics.clear_metrics()
    assert counted(997.9) == [1.0]


def test_a_failure_is_counted_and_one_that_does_not_count_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    assert counted(1000.0, errors.InvalidRequest("detail")) is None
    assert counted(1000.0, errors.SecretUnavailable("detail")) == [1.0]


def test_requests_of_other_triggers_do_not_count() -> None:
    assert counted(None) is None
