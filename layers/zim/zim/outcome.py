"""What can come of a request to reject a call: the kinds of outcome, and one outcome as a value.

A kind stands here once for every trigger: the HTTP status, what a caller may do, what becomes of a queued message.
"""

# ruff: noqa: FBT003 - the kinds are a table

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

_PROBLEMS = 400
"""The first HTTP status of a problem."""

NOTHING: Mapping[str, str] = MappingProxyType({})


class Queued(StrEnum):
    """What becomes of a queued message that came to an outcome."""

    DONE = "done"
    RETRY = "retry"
    RETRY_THEN_DEAD_LETTER = "retry, then dead-letter"
    DEAD_LETTER = "dead-letter"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of outcome.

    `name` is what callers, logs and metrics call it, `status` the HTTP status (RFC 9110), `retryable` whether the
    same request may succeed later without anybody mending anything, `retry_after` the seconds that a caller should
    wait before that, None where no time can be named.
    """

    name: str
    status: int
    title: str
    retryable: bool
    queued: Queued
    retry_after: int | None = None

    def is_success(self) -> bool:
        """Tell whether the caller got what was asked for, and no problem."""
        return self.status < _PROBLEMS


REJECTED = Kind("Rejected", 200, "The invitation is rejected", False, Queued.DONE)
ACCEPTED = Kind("Accepted", 202, "The request is on the queue", False, Queued.DONE)
INVALID_REQUEST = Kind("InvalidRequest", 400, "The request is not valid", False, Queued.DEAD_LETTER)
NOT_ALLOWED = Kind("NotAllowed", 403, "Users may act for themselves alone", False, Queued.DEAD_LETTER)
CALL_NOT_FOUND = Kind("CallNotFound", 404, "ZIM cannot find the call, or not now", True, Queued.RETRY_THEN_DEAD_LETTER)
NOTHING_TO_REJECT = Kind("NothingToReject", 409, "There is no invitation left to reject", False, Queued.DONE)
TOO_OLD = Kind("TooOld", 410, "No invitation rings for so long", False, Queued.DONE)
USER_NOT_REGISTERED = Kind("UserNotRegistered", 422, "The user is not registered with ZIM", False, Queued.DEAD_LETTER)
RATE_LIMITED = Kind("RateLimited", 429, "More calls a second than allowed", True, Queued.RETRY, retry_after=1)
SECRET_UNREADABLE = Kind(
    "SecretUnreadable", 500, "This server cannot read its ZIM secret", False, Queued.RETRY_THEN_DEAD_LETTER
)
ZIM_REFUSES_US = Kind(
    "ZimRefusesUs", 502, "ZIM does not accept this server's configuration", False, Queued.RETRY_THEN_DEAD_LETTER
)
UNEXPECTED_ANSWER = Kind(
    "UnexpectedAnswer", 502, "ZIM's answer was not understood", True, Queued.RETRY_THEN_DEAD_LETTER
)
ZIM_UNREACHABLE = Kind("ZimUnreachable", 502, "ZIM could not be reached", True, Queued.RETRY)
ZIM_IN_TROUBLE = Kind("ZimInTrouble", 503, "ZIM has trouble of its own", True, Queued.RETRY, retry_after=5)
QUEUE_UNAVAILABLE = Kind("QueueUnavailable", 503, "The queue cannot be had", True, Queued.RETRY, retry_after=1)
ZIM_TIMEOUT = Kind("ZimTimeout", 504, "ZIM did not answer in time", True, Queued.RETRY)


class Failed(Exception):  # noqa: N818 - reads as what it says: the request failed, and is this kind of outcome
    """A request that got no answer from ZIM.

    `detail` is the sentence for the caller, `cause` the words for the operator's log; neither ever holds a secret, a
    signature or ExtendedData. `named` are further members of the problem: the `member` and `rule` of a bad request.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        cause: str,
        named: Mapping[str, str] = NOTHING,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{kind.name}: {cause}")
        self.kind = kind
        self.detail = detail
        self.cause = cause
        self.named = named
        self.retry_after = retry_after or kind.retry_after


@dataclass(frozen=True, slots=True)
class Answer:
    """The three members of every answer of ZIM's (its documentation: "Response parameters")."""

    code: int
    message: str
    request_id: str

    def members(self) -> dict[str, Any]:
        """Return the members under ZIM's own names."""
        return {"Code": self.code, "Message": self.message, "RequestId": self.request_id}


@dataclass(slots=True)
class Spent:
    """What a request has cost so far: requests sent to ZIM, seconds of waiting for the window and for ZIM."""

    attempts: int = 0
    window_wait: float = 0.0
    zim_time: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request: `detail`, `cause`, `named` as in `Failed`, `answer` if ZIM gave one."""

    kind: Kind
    detail: str
    cause: str
    spent: Spent
    answer: Answer | None = None
    named: Mapping[str, str] = NOTHING
    retry_after: int | None = None

    @classmethod
    def of_failure(cls, failed: Failed, spent: Spent | None = None) -> "Outcome":
        """Return the outcome of a request that got no answer from ZIM."""
        return cls(
            failed.kind,
            failed.detail,
            failed.cause,
            spent or Spent(),
            named=failed.named,
            retry_after=failed.retry_after,
        )

    def body(self) -> dict[str, Any]:
        """Return what a caller is told: the answer as it is, or an RFC 9457 problem."""
        answered = self.answer.members() if self.answer else {}
        if self.kind.is_success():
            return {**self.named, **answered}
        return {
            "type": f"urn:problem-type:call-reject:{self.kind.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "retryable": self.kind.retryable,
            **self.named,
            **answered,
        }
