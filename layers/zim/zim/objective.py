"""The objective: 99.9 % of valid rejections over HTTPS are answered as documented within 2 s (docs/runbook.md)."""

from zim.errors import (
    CallRejectError,
    Forbidden,
    InvalidRequest,
    QueueUnavailable,
    RequestTooLarge,
    SecretUnavailable,
    UnexpectedZimResponse,
    ZimConfigurationError,
    ZimTimeout,
    ZimUnavailable,
    ZimUnreachable,
)

MAX_SECONDS = 2.0
MAX_ZIM_SECONDS = 1.0
"""If ZIM takes longer, the request does not count."""

_NOT_VALID = (Forbidden, InvalidRequest, RequestTooLarge)
_ZIM_FAILURES = (UnexpectedZimResponse, ZimTimeout, ZimUnavailable, ZimUnreachable)
_OWN_FAILURES = (QueueUnavailable, SecretUnavailable, ZimConfigurationError)


def is_missed(error: CallRejectError | None, seconds: float, zim_seconds: float) -> bool | None:
    """Return whether a request missed the objective, or None if it does not count.

    Parameters
    ----------
    error
        The outcome, or None for a success.
    seconds
        The time from the arrival at API Gateway to the response.
    zim_seconds
        The part of it that was spent in calls to ZIM.
    """
    if isinstance(error, _OWN_FAILURES):
        return True
    if isinstance(error, (*_NOT_VALID, *_ZIM_FAILURES)) or zim_seconds > MAX_ZIM_SECONDS:
        return None
    return seconds > MAX_SECONDS
