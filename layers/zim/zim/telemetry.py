"""The log line and the metrics of each request (Powertools Logger and Metrics)."""

import functools
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricResolution, MetricUnit

from zim.errors import CallRejectError
from zim.objective import is_missed
from zim.request import CallRejectRequest
from zim.response import ZimResponse

# json.dumps escapes to ASCII, so no character in a CallId or a response of ZIM can break a line.
logger = Logger(location=None, json_serializer=functools.partial(json.dumps, default=str))
metrics = Metrics()

_SERVER_ERROR = 500


@dataclass(slots=True)
class CallStats:
    """What the current request has used: calls sent, and seconds spent waiting for the rate limit and for ZIM.

    An execution environment handles one request at a time, so one object serves all of them.
    """

    attempts: int = 0
    window_wait: float = 0.0
    zim_time: float = 0.0

    def reset(self) -> None:
        """Start a new request."""
        self.attempts, self.window_wait, self.zim_time = 0, 0.0, 0.0


@dataclass(frozen=True, slots=True)
class Success:
    """A successful outcome; the failures are the classes in `zim.errors`."""

    name: str
    status: int
    message: str


REJECTED = Success("Rejected", 200, "call rejected")
ACCEPTED = Success("Accepted", 202, "request queued")


@dataclass(slots=True)
class Observation:
    """What becomes known about a request while it is handled."""

    user_id: str | None = None
    """The user of the token, who is known even if the request is not valid."""
    request: CallRejectRequest | None = None
    response: ZimResponse | None = None
    received_at: float | None = None
    """When API Gateway received the request, in Unix seconds, if the request counts for the objective."""


def hash_user_id(user_id: str) -> str:
    """Return the name of a user in logs and queues, 16 hexadecimal characters: the start of the SHA-256 of the id."""
    return hashlib.sha256(user_id.encode()).hexdigest()[:16]


@contextmanager
def observe(trigger: str, stats: CallStats | None = None, success: Success = REJECTED) -> Iterator[Observation]:
    """Log one line and count one outcome for the request that the block handles.

    Parameters
    ----------
    trigger
        `http`, `direct` or `queue`.
    stats
        The attempts and times of the service, if the block calls ZIM. They are reset first.
    success
        The outcome if no error leaves the block. An unexpected error is neither logged nor counted here.
    """
    stats = stats or CallStats()
    stats.reset()
    observation = Observation()
    try:
        yield observation
    except CallRejectError as error:
        observation.response = error.response
        _report(error.name, error.status, error.cause, trigger, observation, stats)
        _count_objective(error, observation, stats)
        raise
    _report(success.name, success.status, success.message, trigger, observation, stats)
    _count_objective(None, observation, stats)


def _report(outcome: str, status: int, message: str, trigger: str, observation: Observation, stats: CallStats) -> None:
    request, response = observation.request, observation.response
    user_id = request.from_user_id if request else observation.user_id
    log = logger.error if status >= _SERVER_ERROR else logger.info
    log(
        message,
        extra={
            "outcome": outcome,
            "status": status,
            "trigger": trigger,
            "user": hash_user_id(user_id) if user_id else None,
            "call_id": request.call_id if request else None,
            "code": response.code if response else None,
            "zim_request_id": response.request_id if response else None,
            "attempts": stats.attempts,
            "window_wait_ms": _milliseconds(stats.window_wait),
            "zim_ms": _milliseconds(stats.zim_time),
        },
    )
    metrics.add_metric(name=outcome, unit=MetricUnit.Count, value=1)
    _count_calls(stats)


def report_canary(failure: str | None, stats: CallStats, *, skipped: bool = False) -> None:
    """Log and count one run of the canary, separate from the requests of users.

    Parameters
    ----------
    failure
        What went wrong, or None if the canary passed.
    stats
        The attempts and times of the service.
    skipped
        Whether the rate limit left no room for the canary. It then counts neither as passed nor as failed.
    """
    log = logger.error if failure else logger.info
    result = f"failed: {failure}" if failure else "skipped: the rate limit is exceeded" if skipped else "passed"
    log(f"canary {result}", extra={"trigger": "canary"})
    if not skipped:
        metrics.add_metric(name="CanaryFailed", unit=MetricUnit.Count, value=1 if failure else 0)
    _count_calls(stats)


def _count_objective(error: CallRejectError | None, observation: Observation, stats: CallStats) -> None:
    if observation.received_at is not None:
        missed = is_missed(error, time.time() - observation.received_at, stats.zim_time)
        if missed is not None:
            metrics.add_metric(name="ObjectiveMissed", unit=MetricUnit.Count, value=int(missed))


def _count_calls(stats: CallStats) -> None:
    if stats.attempts:
        # ZIM's limit applies to each second, so the metric has a resolution of one second.
        high = MetricResolution.High
        metrics.add_metric(name="ZimCalls", unit=MetricUnit.Count, value=stats.attempts, resolution=high)
        metrics.add_metric(name="WindowWait", unit=MetricUnit.Milliseconds, value=_milliseconds(stats.window_wait))
        metrics.add_metric(name="ZimTime", unit=MetricUnit.Milliseconds, value=_milliseconds(stats.zim_time))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
