"""The service: reject a call within the rate limit, with the retries that are safe to make immediately."""

import math
import time
from enum import Enum, auto

from zim.credentials import Credentials, CredentialsStore
from zim.errors import CallRejectError, RateLimited, RequestExpired, ZimUnreachable
from zim.rate_limit import RateLimitWindow, WindowFullError
from zim.request import CallRejectRequest
from zim.response import ZimResponse
from zim.return_codes import SIGNATURE_REJECTED, raise_for_code
from zim.server_api import ServerApi
from zim.telemetry import CallStats

RESERVED_SECONDS = 0.5
"""The part of an invocation's remaining time that is kept for the response, the log line and the metrics."""

MIN_CALL_SECONDS = 1.0
"""No call starts with less time than this left for ZIM's response."""

MIN_REFRESH_SECONDS = 8.0
"""The secret is not refreshed with less time than this left: reading it can take 7 s."""


class RetryReason(Enum):
    """Why a call is repeated immediately."""

    CONNECTION_LOST = auto()
    SECRET_ROTATED = auto()


def retry_reason(error: CallRejectError) -> RetryReason | None:
    """Return why the request can succeed if it is sent again immediately, or None if it cannot."""
    if isinstance(error, ZimUnreachable) and error.connection_lost:
        # Typical of an idle connection that ZIM closed. A new one is likely to work.
        return RetryReason.CONNECTION_LOST
    if error.response and error.response.code == SIGNATURE_REJECTED:
        # The cached secret may be older than its rotation.
        return RetryReason.SECRET_ROTATED
    return None


class CallRejectService:
    """The state that an execution environment keeps between requests: credentials, rate limit and connection."""

    def __init__(self, credentials: CredentialsStore, window: RateLimitWindow, server_api: ServerApi) -> None:
        self._credentials = credentials
        self._window = window
        self._server_api = server_api
        self.stats = CallStats()

    def reset(self) -> None:
        """Discard cached state after a SnapStart restore: it may be old, and other environments have the same."""
        self._credentials.clear()
        self._window.reset()
        self._server_api.close()

    def reject(self, request: CallRejectRequest, remaining_seconds: float) -> ZimResponse:
        """Reject the call and return ZIM's response.

        Parameters
        ----------
        request
            The request.
        remaining_seconds
            The remaining time of the invocation. It bounds every wait except the one for the secret, which takes at
            most 7 s, or 14 s if the prefetch fails first.

        Raises
        ------
        RequestExpired
            if ExpiresAt passes before a call can start.
        CallRejectError
            the subclass for what went wrong.
        """
        deadline = time.monotonic() + remaining_seconds - RESERVED_SECONDS
        _raise_if_expired(request, wait=0.0)
        credentials = self._credentials.get()
        retried: set[RetryReason] = set()
        while True:
            try:
                return self._send(request, credentials, deadline)
            except CallRejectError as error:
                reason = retry_reason(error)
                if reason is None or reason in retried:
                    raise
                retried.add(reason)
                if reason is RetryReason.SECRET_ROTATED:
                    if deadline - time.monotonic() < MIN_REFRESH_SECONDS:
                        raise
                    refreshed = self._credentials.get(force_refresh=True)
                    if refreshed == credentials:
                        raise
                    credentials = refreshed

    def _send(self, request: CallRejectRequest, credentials: Credentials, deadline: float) -> ZimResponse:
        """Send one call as soon as the rate limit allows, and return ZIM's response if its code is success."""
        latest_start = deadline - MIN_CALL_SECONDS
        if request.expires_at is not None:
            latest_start = min(latest_start, time.monotonic() + request.expires_at - time.time())
        try:
            with self._window.slot(latest_start) as waited:
                self.stats.attempts += 1
                self.stats.window_wait += waited
                started = time.monotonic()
                try:
                    response = self._server_api.call_reject(request, credentials, deadline)
                finally:
                    self.stats.zim_time += time.monotonic() - started
        except WindowFullError as full:
            _raise_if_expired(request, wait=full.retry_after)
            raise RateLimited(
                "The rate limit allows no call within the time for a response.",
                cause=f"no call can start before the deadline: {full}",
                retry_after=max(math.ceil(full.retry_after), 1),
            ) from None
        raise_for_code(response)
        return response


def _raise_if_expired(request: CallRejectRequest, wait: float) -> None:
    """Raise RequestExpired if the request expires within the next `wait` seconds."""
    if request.expires_at is not None and time.time() + wait >= request.expires_at:
        raise RequestExpired(
            "The request expired before ZIM confirmed the rejection.",
            cause=f"expired at {request.expires_at}, now {time.time():.0f}, next possible call in {wait:.1f} s",
        )
