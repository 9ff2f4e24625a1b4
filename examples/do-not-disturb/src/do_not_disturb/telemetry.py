"""The log line and the metric of each callback (Powertools). Neither has a user id, a signature or a payload."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

FAILED = "CallbackFailed"
IGNORED = "CallbackIgnored"
REJECTED = "CallbackRejected"

logger = Logger(location=None)
metrics = Metrics()


def report(outcome: str, callback: dict[str, Any], cause: str | None = None) -> None:
    """Log and count a callback. The outcome is also the name of the metric."""
    log = logger.error if outcome == FAILED else logger.warning if outcome == REJECTED else logger.info
    log(
        cause or outcome, extra={"outcome": outcome, "event": callback.get("event"), "call_id": callback.get("call_id")}
    )
    metrics.add_metric(name=outcome, unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
