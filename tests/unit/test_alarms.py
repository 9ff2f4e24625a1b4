"""Which alarms go off in which situation, and which of them roll back a deployment."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.unit.alarms import ALARMS, Samples, alarm_metrics, evaluate, is_in_alarm
from tests.unit.template import TEMPLATE, resolve

LAST_MINUTE = 30
API, HTTPS, ASYNC = "HttpApi", "CallRejectFunction", "CallRejectAsyncFunction"
HTTPS_SERVICE, QUEUE_SERVICE = "stack-call-reject", "stack-call-reject-queue"
ROLLBACK: set[str] = {
    alarm["Ref"]
    for alarm in resolve(
        TEMPLATE["Globals"]["Function"]["DeploymentPreference"]["Alarms"], {"GradualDeployment": "true"}
    )
}


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("a + b", {"a": None, "b": 2}, 2),
        ("a + b", {"a": None, "b": None}, 0),
        ("a - b > 1", {"a": 2, "b": None}, 1),
        ("IF(a >= 5, b, c)", {"a": None, "b": 1, "c": 2}, 2),
        ("IF(a >= 5, b, c)", {"a": 5, "b": None, "c": 2}, None),
        ("IF(a >= 5, b, c)", {"a": 5, "b": 1, "c": None}, 1),
        ("a", {"a": None}, None),
    ],
)
def test_missing_data_points_in_metric_math(
    expression: str, values: dict[str, float | None], expected: float | None
) -> None:
    assert evaluate(expression, values) == expected


def each_minute(
    value: float, minutes: Iterable[int] = range(LAST_MINUTE + 1), *, count: int = 1
) -> dict[int, list[float]]:
    return {minute: [value] * count for minute in minutes}


def slow(missed: int, valid: int, minutes: Iterable[int] = range(10, 30)) -> dict[int, list[float]]:
    """Return samples of ObjectiveMissed: in these minutes `missed` of `valid` requests, in the others none."""
    slow_minutes = {*minutes}
    return {
        minute: [float(minute in slow_minutes)] * missed + [0.0] * (valid - missed) for minute in range(LAST_MINUTE + 1)
    }


CANARY_PASSES = {("CanaryFailed", HTTPS_SERVICE): each_minute(0, range(0, LAST_MINUTE + 1, 5))}
TRAFFIC = {("Count", API): each_minute(1, count=20), ("Latency", API): each_minute(120, count=20)}
WAITING = ("ApproximateAgeOfOldestMessage", "CallRejectQueue")
BURST = [10]

SCENARIOS: dict[str, tuple[Samples, set[str]]] = {
    "a quiet night": (CANARY_PASSES, set()),
    "normal traffic": ({**CANARY_PASSES, **TRAFFIC}, set()),
    "a single request that fails": (
        {**CANARY_PASSES, ("Count", API): each_minute(1, [12]), ("5xx", API): each_minute(1, [12])},
        set(),
    ),
    "a burst of ten with five environments": (
        {
            **CANARY_PASSES,
            ("Count", API): each_minute(1, BURST, count=10),
            ("5xx", API): each_minute(1, BURST, count=5),
            ("Throttles", HTTPS): each_minute(1, BURST, count=5),
            ("Latency", API): each_minute(150, BURST, count=10),
        },
        set(),
    ),
    "a burst of ten while the function fails": (
        {
            **CANARY_PASSES,
            ("Count", API): each_minute(1, BURST, count=10),
            ("5xx", API): each_minute(1, BURST, count=10),
            ("Throttles", HTTPS): each_minute(1, BURST, count=5),
        },
        {"HighErrorRateAlarm"},
    ),
    "too much load for ten minutes": (
        {
            **CANARY_PASSES,
            **TRAFFIC,
            ("5xx", API): each_minute(1, count=10),
            ("Throttles", HTTPS): each_minute(1, count=10),
        },
        {"SustainedThrottlingAlarm"},
    ),
    "the account has no concurrency left": (
        {**CANARY_PASSES, **TRAFFIC, ("5xx", API): each_minute(1), ("Throttles", ASYNC): each_minute(1)},
        {"SustainedThrottlingAlarm"},
    ),
    "a queue that is not drained": (
        {**CANARY_PASSES, WAITING: {minute: [minute * 60] for minute in range(LAST_MINUTE + 1)}},
        {"OldMessagesAlarm"},
    ),
    "a queue whose messages are retried until they expire": (
        {
            **CANARY_PASSES,
            WAITING: each_minute(1),
            ("MessageAge", QUEUE_SERVICE): {minute: [minute * 60] for minute in range(12)},
            ("RequestExpired", QUEUE_SERVICE): each_minute(1, [11]),
        },
        {"OldMessagesAlarm", "ExpiredRequestsAlarm"},
    ),
    "a dead letter": (
        {**CANARY_PASSES, ("ApproximateNumberOfMessagesVisible", "CallRejectDeadLetterQueue"): each_minute(1)},
        {"DeadLettersAlarm"},
    ),
    "tokens refused": ({**CANARY_PASSES, **TRAFFIC, ("4xx", API): each_minute(1, count=20)}, set()),
    "a bad deployment that crashes": (
        {**CANARY_PASSES, **TRAFFIC, ("5xx", API): each_minute(1, range(10, 20), count=2)},
        {"HighErrorRateAlarm"},
    ),
    "a bad deployment with a wrong secret": (
        {
            **TRAFFIC,
            ("5xx", API): each_minute(1, range(10, 20), count=2),
            ("ZimConfigurationError", HTTPS_SERVICE): each_minute(1, range(10, 20), count=2),
            ("CanaryFailed", HTTPS_SERVICE): each_minute(1, range(0, LAST_MINUTE + 1, 5)),
        },
        {"HighErrorRateAlarm", "ZimConfigurationErrorsAlarm", "CanaryFailedAlarm"},
    ),
    "an unreadable secret, found by the queue": (
        {**CANARY_PASSES, ("SecretUnavailable", QUEUE_SERVICE): each_minute(1, [12])},
        {"ZimConfigurationErrorsAlarm"},
    ),
    "ZIM times out": (
        {
            **CANARY_PASSES,
            **TRAFFIC,
            ("5xx", API): each_minute(1, count=3),
            ("ObjectiveMissed", HTTPS_SERVICE): each_minute(0, count=17),
        },
        {"HighErrorRateAlarm"},
    ),
    "one slow request": (
        {**CANARY_PASSES, **TRAFFIC, ("ObjectiveMissed", HTTPS_SERVICE): {12: [1, 0]}},
        set(),
    ),
    "one slow request in each of three minutes with few requests": (
        {**CANARY_PASSES, **TRAFFIC, ("ObjectiveMissed", HTTPS_SERVICE): each_minute(1, [8, 14, 20])},
        set(),
    ),
    "a burst of slow requests for a minute": (
        {**CANARY_PASSES, **TRAFFIC, ("ObjectiveMissed", HTTPS_SERVICE): {12: [1, 1, 1, 0]}},
        set(),
    ),
    "two slow requests of 100 for twenty minutes": (
        {**CANARY_PASSES, **TRAFFIC, ("ObjectiveMissed", HTTPS_SERVICE): slow(2, 100)},
        {"ObjectiveMissedAlarm"},
    ),
    "one slow request of 100 for twenty minutes": (
        {**CANARY_PASSES, **TRAFFIC, ("ObjectiveMissed", HTTPS_SERVICE): slow(1, 100)},
        set(),
    ),
    "a slow deployment that 10 % of the requests use": (
        {**CANARY_PASSES, **TRAFFIC, ("ObjectiveMissed", HTTPS_SERVICE): slow(2, 20, range(10, 20))},
        {"ObjectiveMissedAlarm"},
    ),
    "one failed run of the canary": (
        {("CanaryFailed", HTTPS_SERVICE): {minute: [float(minute == 15)] for minute in range(0, LAST_MINUTE + 1, 5)}},
        set(),
    ),
    "the canary does not run": ({}, {"CanaryFailedAlarm"}),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_exactly_these_alarms_go_off(scenario: str) -> None:
    samples, expected = SCENARIOS[scenario]
    known = {
        (metric.name, value)
        for alarm in ALARMS.values()
        for metric in alarm_metrics(alarm).values()
        for _, value in metric.dimensions
    }
    assert samples.keys() <= known | {("4xx", API), ("Latency", API)}
    went_off = {
        name
        for name, alarm in ALARMS.items()
        if any(is_in_alarm(alarm, samples, minute) for minute in range(14, LAST_MINUTE + 1))
        or any(
            is_in_alarm(alarm, samples, minute) for minute in range(14) if alarm["TreatMissingData"] == "notBreaching"
        )
    }
    assert went_off == expected


@pytest.mark.parametrize(
    ("scenario", "rolls_back"),
    [
        ("a quiet night", False),
        ("a burst of ten with five environments", False),
        ("too much load for ten minutes", False),
        ("a dead letter", False),
        ("tokens refused", False),
        ("the canary does not run", False),
        ("a queue that is not drained", True),
        ("a bad deployment that crashes", True),
        ("a slow deployment that 10 % of the requests use", True),
        ("a bad deployment with a wrong secret", True),
    ],
)
def test_a_gradual_deployment_is_rolled_back_in_these_situations(scenario: str, *, rolls_back: bool) -> None:
    assert bool(SCENARIOS[scenario][1] & ROLLBACK) is rolls_back


def with_samples(alarm: dict[str, Any], values: dict[str, float]) -> Samples:
    """Return samples in which each metric of an alarm has one value, in every minute of a period."""
    metrics = alarm_metrics(alarm)
    names = {name: next((metrics[name].name, value) for _, value in metrics[name].dimensions) for name in values}
    return {names[name]: {LAST_MINUTE: [value]} for name, value in values.items()}


@pytest.mark.parametrize(
    ("alarm", "values", "breaching"),
    [
        ("ZimConfigurationErrorsAlarm", {"https": 1}, True),
        ("ZimConfigurationErrorsAlarm", {"queue": 1}, True),
        ("ZimConfigurationErrorsAlarm", {"secret_https": 1}, True),
        ("ZimConfigurationErrorsAlarm", {"secret_queue": 1}, True),
        ("HighErrorRateAlarm", {"failed": 4, "requests": 4}, False),
        ("HighErrorRateAlarm", {"failed": 5, "requests": 99}, True),
        ("HighErrorRateAlarm", {"failed": 5, "requests": 100}, False),
        ("HighErrorRateAlarm", {"failed": 9, "throttled": 3, "throttled_async": 2, "requests": 9}, False),
        ("HighErrorRateAlarm", {"failed": 9, "throttled": 2, "throttled_async": 2, "requests": 9}, True),
        ("HighErrorRateAlarm", {"throttled": 9, "requests": 9}, False),
        ("OldMessagesAlarm", {"waiting": 60, "processed": 60}, False),
        ("OldMessagesAlarm", {"waiting": 61}, True),
        ("OldMessagesAlarm", {"waiting": 3, "processed": 61}, True),
        ("ExpiredRequestsAlarm", {"expired": 1, "age": 60}, True),
        ("ExpiredRequestsAlarm", {"expired": 1, "age": 59}, False),
        ("ExpiredRequestsAlarm", {"age": 60}, False),
        ("DeadLettersAlarm", {"value": 1}, True),
        ("DeadLettersAlarm", {"value": 0}, False),
    ],
)
def test_an_alarm_goes_off_above_its_threshold(alarm: str, values: dict[str, float], *, breaching: bool) -> None:
    assert is_in_alarm(ALARMS[alarm], with_samples(ALARMS[alarm], values), LAST_MINUTE) is breaching
