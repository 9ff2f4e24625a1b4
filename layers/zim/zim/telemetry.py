"""What operators see of a request: one structured log line, and its metrics (Powertools Logger and Metrics)."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from zim.outcome import Outcome
from zim.request import CallRejectRequest

logger = Logger(location=None)
metrics = Metrics()

_FAULT = 500


def report(outcome: Outcome, trigger: str, request: CallRejectRequest | None) -> None:
    """Log one line and count one outcome for a request, which is None if it was not valid."""
    kind, answer, spent = outcome.kind, outcome.answer, outcome.spent
    window_wait, zim_time = round(spent.window_wait * 1000, 1), round(spent.zim_time * 1000, 1)
    log = logger.error if kind.status >= _FAULT else logger.info
    log(
        outcome.cause,
        extra={
            "outcome": kind.name,
            "status": kind.status,
            "trigger": trigger,
            "call_id": request.call_id if request else None,
            "code": answer.code if answer else None,
            "zim_request_id": answer.request_id if answer else None,
            "attempts": spent.attempts,
            "window_wait_ms": window_wait,
            "zim_ms": zim_time,
        },
    )
    metrics.add_metric(name=kind.name, unit=MetricUnit.Count, value=1)
    if spent.attempts:
        metrics.add_metric(name="WindowWait", unit=MetricUnit.Milliseconds, value=window_wait)
        metrics.add_metric(name="ZimTime", unit=MetricUnit.Milliseconds, value=zim_time)
