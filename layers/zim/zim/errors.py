"""The outcomes of a request that fails: one exception class each.

Each class states the HTTP status, whether a retry can succeed, and what happens to a queued message. The
class name is public. It is the problem `type` over HTTPS, the error name of a direct invocation, the metric name, and
the `outcome` in the logs.
"""

# ruff: noqa: N818 - the names are public, and the `type` of a problem needs no suffix `Error`

from enum import Enum, auto
from typing import ClassVar

from zim.response import ZimResponse


class QueueAction(Enum):
    """What happens to a queued message."""

    DELETE = auto()
    RETRY = auto()
    RETRY_THEN_DEAD_LETTER = auto()
    DEAD_LETTER = auto()


class CallRejectError(Exception):
    """Base class of all outcomes that are not a success.

    Neither `detail` nor `cause` ever contains a secret, a signature or ExtendedData.

    Parameters
    ----------
    detail
        What happened and what to do, for the caller.
    cause
        What happened, for the log. The default is `detail`.
    response
        ZIM's response, if there was one.
    retry_after
        Seconds to wait before a retry. The default is that of the class.
    """

    status: ClassVar[int]
    """HTTP status code (RFC 9110)."""
    title: ClassVar[str]
    retryable: ClassVar[bool]
    """Whether the same request can succeed later without intervention."""
    queue_action: ClassVar[QueueAction]
    retry_after: int | None = None

    def __init__(
        self,
        detail: str,
        *,
        cause: str | None = None,
        response: ZimResponse | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.cause = cause or detail
        self.response = response
        if retry_after is not None:
            self.retry_after = retry_after

    @property
    def name(self) -> str:
        """The public name of the outcome."""
        return type(self).__name__


class InvalidRequest(CallRejectError):
    """The request violates a rule of this API, which `member` and `rule` name, or one of ZIM's."""

    status = 400
    title = "Invalid request"
    retryable = False
    queue_action = QueueAction.DEAD_LETTER

    def __init__(
        self,
        detail: str,
        *,
        cause: str | None = None,
        response: ZimResponse | None = None,
        member: str | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(detail, cause=cause, response=response)
        self.member = member
        self.rule = rule


class Forbidden(CallRejectError):
    """The caller is not allowed to reject calls for this user."""

    status = 403
    title = "Not allowed to act for this user"
    retryable = False
    queue_action = QueueAction.DEAD_LETTER


class CallNotFound(CallRejectError):
    """ZIM does not find the call, or cannot look it up at the moment."""

    status = 404
    title = "Call not found"
    retryable = True
    queue_action = QueueAction.RETRY_THEN_DEAD_LETTER


class InvitationClosed(CallRejectError):
    """The call ended, the invitation timed out, or the user is not invited."""

    status = 409
    title = "Invitation already closed"
    retryable = False
    queue_action = QueueAction.DELETE


class RequestExpired(CallRejectError):
    """The request is too old: the invitation no longer rings."""

    status = 410
    title = "Request expired"
    retryable = False
    queue_action = QueueAction.DELETE


class RequestTooLarge(CallRejectError):
    """The body is larger than any valid request."""

    status = 413
    title = "Request too large"
    retryable = False
    queue_action = QueueAction.DEAD_LETTER


class UserNotRegistered(CallRejectError):
    """ZIM does not know the user."""

    status = 422
    title = "User not registered with ZIM"
    retryable = False
    queue_action = QueueAction.DEAD_LETTER


class RateLimited(CallRejectError):
    """The request exceeds this server's rate limit, or ZIM's."""

    status = 429
    title = "Rate limit exceeded"
    retryable = True
    queue_action = QueueAction.RETRY
    retry_after = 1


class SecretUnavailable(CallRejectError):
    """The secret with AppId and ServerSecret cannot be read, or is malformed."""

    status = 500
    title = "ZIM credentials unavailable"
    retryable = False
    queue_action = QueueAction.RETRY_THEN_DEAD_LETTER


class ZimRejectedRequest(CallRejectError):
    """ZIM rejects the request with a final code that its documentation of CallReject does not list."""

    status = 502
    title = "ZIM rejected the request"
    retryable = False
    queue_action = QueueAction.DEAD_LETTER


class ZimConfigurationError(CallRejectError):
    """ZIM rejects the AppId, the signature, the clock or the project of this server."""

    status = 502
    title = "ZIM rejected the server's configuration"
    retryable = False
    queue_action = QueueAction.RETRY_THEN_DEAD_LETTER


class UnexpectedZimResponse(CallRejectError):
    """The response is not one that ZIM documents."""

    status = 502
    title = "Unexpected response from ZIM"
    retryable = True
    queue_action = QueueAction.RETRY_THEN_DEAD_LETTER


class ZimUnreachable(CallRejectError):
    """There is no connection to ZIM, or it closed before a response (then `connection_lost` is true)."""

    status = 502
    title = "ZIM unreachable"
    retryable = True
    queue_action = QueueAction.RETRY

    def __init__(self, detail: str, *, cause: str, connection_lost: bool = False) -> None:
        super().__init__(detail, cause=cause)
        self.connection_lost = connection_lost


class ZimUnavailable(CallRejectError):
    """ZIM reports an error on its side."""

    status = 503
    title = "ZIM unavailable"
    retryable = True
    queue_action = QueueAction.RETRY
    retry_after = 5


class QueueUnavailable(CallRejectError):
    """The queue did not accept the message."""

    status = 503
    title = "Queue unavailable"
    retryable = True
    queue_action = QueueAction.RETRY
    retry_after = 1


class ZimTimeout(CallRejectError):
    """ZIM did not respond in time."""

    status = 504
    title = "ZIM timed out"
    retryable = True
    queue_action = QueueAction.RETRY
