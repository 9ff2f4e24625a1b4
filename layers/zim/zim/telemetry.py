"""What operators see of a request: one structured log line, and its metrics (Powertools Logger and Metrics)."""

import functools
import json
import logging

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricResolution, MetricUnit

from zim.outcome import Outcome
from zim.request import CallRejectRequest

# Escaped as ASCII: nothing in a CallId or in an answer of ZIM's can break a line, or the writing of it.
logger = Logger(location=None, json_serializer=functools.partial(json.dumps, default=str))
metrics = Metrics()

_FAULT = 500

# At DEBUG they write whole answers and URLs, with the secret, signatures and ExtendedData; and a log level that is set
# for Lambda holds for every library.
for _library in ("botocore", "urllib3"):
    logging.getLogger(_library).setLevel(logging.WARNING)


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
        high = MetricResolution.High  # a second, as ZIM counts
        metrics.add_metric(name="ZimCalls", unit=MetricUnit.Count, value=spent.attempts, resolution=high)
        metrics.add_metric(name="WindowWait", unit=MetricUnit.Milliseconds, value=window_wait)
        metrics.add_metric(name="ZimTime", unit=MetricUnit.Milliseconds, value=zim_time)
