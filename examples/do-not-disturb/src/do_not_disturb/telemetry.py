"""The log line and the metric of each callback (Powertools). Neither has a user id, a signature or a payload."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from do_not_disturb.callback import Invitation

FAILED = "CallbackFailed"
IGNORED = "CallbackIgnored"
REJECTED = "CallbackRejected"

logger = Logger(location=None)
metrics = Metrics()


def report(outcome: str, invitation: Invitation | None, cause: str | None = None) -> None:
    """Log and count a callback. The outcome is also the name of the metric.

    `invitation` is None if the signature is not verified, because anyone can send a body.
    """
    log = logger.error if outcome == FAILED else logger.warning if outcome == REJECTED else logger.info
    log(cause or outcome, extra={"outcome": outcome, "call_id": invitation.call_id if invitation else None})
    metrics.add_metric(name=outcome, unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
