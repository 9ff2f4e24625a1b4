"""The log line and the metrics of a request: `zim.telemetry`."""

import json
from typing import Any

import pytest

from tests.unit.doubles import Log
from zim.errors import CallNotFound, RateLimited, SecretUnavailable, ZimUnavailable
from zim.request import CallRejectRequest
from zim.response import ZimResponse
from zim.telemetry import ACCEPTED, CallStats, metrics, observe

REQUEST = CallRejectRequest("user0", "call-1", "planted")
FIELDS = (
    "outcome",
    "status",
    "trigger",
    "call_id",
    "code",
    "zim_request_id",
    "attempts",
    "window_wait_ms",
    "zim_ms",
)


@pytest.fixture(autouse=True)
def _no_metrics() -> None:
    metrics.clear_metrics()


def fields(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in FIELDS)


def recorded() -> dict[str, Any]:
    """Return the metrics: each name with its value, unit and resolution."""
    return {
        name: (metric["Value"], metric["Unit"], metric["StorageResolution"])
        for name, metric in metrics.metric_set.items()
    }


def test_a_success_logs_one_line_and_counts_the_calls_and_their_times(log: Log) -> None:
    stats = CallStats()
    with observe("http", stats) as observation:
        stats.attempts, stats.window_wait, stats.zim_time = 2, 0.24996, 0.12345
        observation.request = REQUEST
        observation.response = ZimResponse(0, "success", "42")
    (line,) = log.lines
    assert (line["level"], line["message"]) == ("INFO", "call rejected")
    assert fields(line) == ("Rejected", 200, "http", "call-1", 0, "42", 2, 250.0, 123.5)
    assert recorded() == {
        "Rejected": ([1.0], "Count", 60),
        "ZimCalls": ([2.0], "Count", 1),
        "WindowWait": ([250.0], "Milliseconds", 60),
        "ZimTime": ([123.5], "Milliseconds", 60),
    }


def test_a_request_that_is_queued_has_no_response_and_no_calls(log: Log) -> None:
    with observe("http", success=ACCEPTED) as observation:
        observation.request = REQUEST
    (line,) = log.lines
    assert (line["level"], line["message"]) == ("INFO", "request queued")
    assert fields(line) == ("Accepted", 202, "http", "call-1", None, None, 0, 0.0, 0.0)
    assert recorded() == {"Accepted": ([1.0], "Count", 60)}


def test_an_error_is_logged_with_its_cause_counted_and_raised(log: Log) -> None:
    stats = CallStats()
    with pytest.raises(CallNotFound), observe("queue", stats) as observation:  # noqa: PT012 - the block is the request
        stats.attempts = 1
        observation.request = REQUEST
        raise CallNotFound("for the caller", cause="for the log", response=ZimResponse(660900004, "text", "43"))
    (line,) = log.lines
    assert (line["level"], line["message"]) == ("INFO", "for the log")
    assert fields(line) == ("CallNotFound", 404, "queue", "call-1", 660900004, "43", 1, 0.0, 0.0)
    assert "exception" not in line
    assert recorded()["CallNotFound"] == ([1.0], "Count", 60)


def test_an_error_before_the_request_is_known_has_no_call_id(log: Log) -> None:
    with pytest.raises(RateLimited), observe("direct", CallStats()):
        raise RateLimited("detail")
    assert fields(log.lines[0]) == ("RateLimited", 429, "direct", None, None, None, 0, 0.0, 0.0)
    assert recorded() == {"RateLimited": ([1.0], "Count", 60)}


@pytest.mark.parametrize("error", [SecretUnavailable("detail"), ZimUnavailable("detail")])
def test_a_status_of_500_or_more_is_logged_as_an_error(log: Log, error: Exception) -> None:
    with pytest.raises(type(error)), observe("http", CallStats()):
        raise error
    assert log.lines[0]["level"] == "ERROR"


def test_the_statistics_start_again_with_each_request() -> None:
    stats = CallStats(attempts=3, window_wait=1.0, zim_time=2.0)
    with observe("http", stats):
        assert stats == CallStats(0, 0.0, 0.0)
        stats.attempts = 1
    assert stats.attempts == 1


def test_an_unexpected_error_is_neither_logged_nor_counted(log: Log) -> None:
    with pytest.raises(KeyError), observe("http", CallStats()):
        raise KeyError
    assert log.lines == []
    assert recorded() == {}


def test_no_character_in_a_call_id_breaks_the_line(log: Log) -> None:
    call_id = 'call\r\n{"level":"x"}\u2028\u0085'
    with observe("http", CallStats()) as observation:
        observation.request = CallRejectRequest("user0", call_id)
    (line,) = log.text.splitlines()
    assert json.loads(line)["call_id"] == call_id


def test_a_line_names_no_source_location(log: Log) -> None:
    with observe("http", CallStats()):
        pass
    assert "location" not in log.lines[0]
