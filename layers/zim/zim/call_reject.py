"""Rejects a call: ties credentials, window and server API together. One request in, one outcome out."""

import math
import time
from typing import Self

from zim.aws import client
from zim.credentials import Credentials, CredentialsStore
from zim.outcome import RATE_LIMITED, Answer, Failed, Outcome, Spent
from zim.rate_limit import Window, WindowFullError
from zim.request import CallRejectRequest
from zim.return_codes import SIGNATURE_WRONG, meaning_of
from zim.server_api import ConnectionDiedError, ServerApi
from zim.settings import Settings

RESERVED_SECONDS = 0.5
"""Of an invocation's remaining time, what is kept for answering, the log line and the metrics."""

SHORTEST_CALL_SECONDS = 1.0
"""A call is not begun with less time than this left for ZIM's answer."""


RENEWAL_SECONDS = 8.0
"""The secret is not read anew with less time than this left: the reading alone may take 7 s."""


class CallReject:
    """What an execution environment keeps from one request to the next: credentials, window, connection."""

    def __init__(self, credentials: CredentialsStore, window: Window, server_api: ServerApi) -> None:
        self._credentials = credentials
        self._window = window
        self._server_api = server_api

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make one for a function with these settings; nothing is read or sent yet."""
        return cls(
            CredentialsStore(settings.secret_id, client("secretsmanager")),
            Window(settings.calls_per_second, settings.reserved_concurrency),
            ServerApi(settings.api_base_url),
        )

    def start_anew(self) -> None:
        """Keep nothing of what was: another environment, later and elsewhere, goes on from this one's memory."""
        self._credentials.forget()
        self._window.forget()
        self._server_api.disconnect()

    def __call__(self, request: CallRejectRequest, remaining: float) -> Outcome:
        """Reject the call of this request, within the `remaining` seconds of an invocation; raises nothing."""
        spent = Spent()
        try:
            answer = self._ask(request, time.monotonic() + remaining - RESERVED_SECONDS, spent)
        except Failed as failed:
            return Outcome.of_failure(failed, spent)
        kind, meaning = meaning_of(answer.code)
        said = f"ZIM answered {answer.code}: {meaning}"
        return Outcome(kind, f"{said}.", said, spent, answer, retry_after=kind.retry_after)

    def _ask(self, request: CallRejectRequest, deadline: float, spent: Spent) -> Answer:
        """Get an answer; if the signature is wrong and the secret was rotated meanwhile, one by the new secret."""
        credentials = self._credentials.get()
        answer = self._try_twice(request, credentials, deadline, spent)
        if answer.code != SIGNATURE_WRONG or deadline - time.monotonic() < RENEWAL_SECONDS:
            return answer
        renewed = self._credentials.get(anew=True)
        return answer if renewed == credentials else self._try_twice(request, renewed, deadline, spent)

    def _try_twice(self, request: CallRejectRequest, credentials: Credentials, deadline: float, spent: Spent) -> Answer:
        """Try again after a connection that died: if the call was rejected already, ZIM answers that it has ended."""
        try:
            return self._try(request, credentials, deadline, spent)
        except ConnectionDiedError:
            return self._try(request, credentials, deadline, spent)

    def _try(self, request: CallRejectRequest, credentials: Credentials, deadline: float, spent: Spent) -> Answer:
        try:
            with self._window.call(deadline - SHORTEST_CALL_SECONDS) as waited:
                spent.window_wait += waited
                spent.attempts += 1
                started = time.monotonic()
                try:
                    return self._server_api.call_reject(request, credentials, deadline)
                finally:
                    spent.zim_time += time.monotonic() - started
        except WindowFullError as full:
            detail = "The rate limit leaves no room for a call within the time that an answer may take."
            cause = f"no call may start in the invocation's time; the window has room in {full.retry_after:.1f} s"
            raise Failed(RATE_LIMITED, detail, cause, retry_after=math.ceil(full.retry_after)) from None
