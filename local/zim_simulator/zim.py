"""ZIM's processing of a CallReject request: its rules and state, without HTTP and without reading a clock.

See https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation. Where ZIM's documentation
says nothing, a comment describes the simulator's choice.
"""

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl

from local.zim_simulator.calls import DEFAULT_TIMEOUT_SECONDS, Call, Mode, State
from local.zim_simulator.return_codes import Code, random_digits

APP_ID = 1234567890
SERVER_SECRET = "this-made-up-secret-has-32-chars"
TIMESTAMP_TOLERANCE_SECONDS = 600
MAX_USER_ID_BYTES = 32
MAX_CALL_ID_CHARACTERS = 32
MAX_EXTENDED_DATA_BYTES = 2048

# `\$` and not `$`, because fastjsonschema replaces a bare `$` even in a character class.
USER_ID_PATTERN = r"[0-9A-Za-z !#\$%&()+\-:;<=.>?@\[\]^_{}|~]{1,32}"
_NONCE = re.compile(r"[0-9A-Fa-f]{16}")

Checks = Iterator[tuple[bool, Code]]
"""Pairs of whether a check fails and the return code for it, in the order of the checks."""


@dataclass(frozen=True)
class Instant:
    """A time in seconds: on the Unix clock for timestamps, on the monotonic clock for durations."""

    unix: float
    monotonic: float


class SecondRejection(StrEnum):
    """The response to a second rejection of an invitation in a call that continues, which ZIM does not document."""

    NOT_INVITED = "not_invited"
    SUCCESS = "success"


@dataclass
class Settings:
    """The network's round-trip time, the rate limit, the error of ZIM's clock, and a response. Times are in seconds."""

    latency: float = 0.0
    jitter: float = 0.0
    calls_per_second: int = 20
    clock_offset: float = 0.0
    second_rejection: SecondRejection = SecondRejection.NOT_INVITED


@dataclass
class Zim:
    """ZIM's state: secrets by AppId, registered users, calls, and the requests of the last second."""

    apps: dict[int, str]
    settings: Settings = field(default_factory=Settings)
    users: set[str] = field(default_factory=set)
    _calls: dict[str, Call] = field(default_factory=dict)
    _arrivals: defaultdict[int, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def ring(
        self,
        caller: str,
        invitees: list[str],
        now: float,
        *,
        call_id: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        mode: Mode = Mode.NORMAL,
    ) -> Call:
        """Start a call that rings for `timeout` seconds, and register its users. `now` is in monotonic seconds."""
        call = Call(call_id or random_digits(), caller, mode)
        self.users.add(caller)
        self.invite(call, invitees, now, timeout)
        self._calls[call.call_id] = call
        return call

    def invite(self, call: Call, invitees: list[str], now: float, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        """Invite users to a call for `timeout` seconds, for the first time or again, and register them."""
        self.users.update(invitees)
        call.invite(invitees, now, timeout)

    def call(self, call_id: str, now: float) -> Call | None:
        """Return a call as of `now` (monotonic seconds)."""
        call = self._calls.get(call_id)
        if call:
            call.expire(now)
        return call

    def calls(self, now: float) -> list[Call]:
        """Return all calls as of `now` (monotonic seconds), oldest first."""
        return [call for call_id in self._calls if (call := self.call(call_id, now))]

    def admit(self, method: str, parameters: dict[str, str] | None, at: Instant) -> Code | None:
        """Check the common parameters and the rate limit; return the return code if a check fails.

        Every request with a correct signature counts towards the rate limit, except those over the limit.
        """
        failure = _first_failure(self._gateway_checks(method, parameters, at))
        if failure is None and parameters:
            self._arrivals[int(parameters["AppId"])].append(at.monotonic)
        return failure

    def reject(self, parameters: dict[str, str], now: float) -> Code:
        """Process an admitted request at `now` (monotonic seconds)."""
        user, call = parameters.get("FromUserId", ""), self.call(parameters.get("CallId", ""), now)
        failure = _first_failure(self._call_checks(parameters, user, call))
        if failure is None and call:
            call.invitations[user].reject(now)
            if "ExtendedData" in parameters:
                call.extended_data[user] = parameters["ExtendedData"]
        return Code.SUCCESS if failure is None else failure

    def _gateway_checks(self, method: str, parameters: dict[str, str] | None, at: Instant) -> Checks:
        yield parameters is None, Code.INVALID_PARAMETER
        values = defaultdict(str, parameters or {})
        yield not values["Action"], Code.ACTION_EMPTY
        # ZIM documents GET only, and no return code for other methods.
        yield values["Action"] != "CallReject" or method != "GET", Code.ACTION_UNSUPPORTED
        yield not _is_integer(values["AppId"], 0, 2**32), Code.APP_ID_MALFORMED
        yield not values["SignatureNonce"], Code.SIGNATURE_NONCE_EMPTY
        yield not _NONCE.fullmatch(values["SignatureNonce"]), Code.INVALID_PARAMETER
        yield not values["Timestamp"], Code.TIMESTAMP_EMPTY
        yield not _is_integer(values["Timestamp"], -(2**63), 2**63), Code.TIMESTAMP_MALFORMED
        age = at.unix + self.settings.clock_offset - int(values["Timestamp"])
        yield abs(age) > TIMESTAMP_TOLERANCE_SECONDS, Code.SIGNATURE_EXPIRED
        yield not values["SignatureVersion"], Code.SIGNATURE_VERSION_EMPTY
        yield values["SignatureVersion"] != "2.0", Code.SIGNATURE_VERSION_UNSUPPORTED
        yield not values["Signature"], Code.SIGNATURE_EMPTY
        # ZIM documents no return code for an unknown AppId. For a wrong signature, it says to check AppId and secret.
        secret = self.apps.get(int(values["AppId"]))
        yield secret is None, Code.SIGNATURE_WRONG
        yield values["Signature"] != _signature(values, secret), Code.SIGNATURE_WRONG
        yield self._is_over_limit(int(values["AppId"]), at.monotonic), Code.RATE_LIMIT_EXCEEDED

    def _call_checks(self, parameters: dict[str, str], user: str, call: Call | None) -> Checks:
        yield not user, Code.INVALID_PARAMETER
        yield len(user.encode()) > MAX_USER_ID_BYTES, Code.USER_ID_TOO_LONG
        yield re.fullmatch(USER_ID_PATTERN, user) is None, Code.INVALID_PARAMETER
        yield not 1 <= len(parameters.get("CallId", "")) <= MAX_CALL_ID_CHARACTERS, Code.INVALID_PARAMETER
        yield len(parameters.get("ExtendedData", "").encode()) > MAX_EXTENDED_DATA_BYTES, Code.INVALID_PARAMETER
        yield user not in self.users, Code.USER_NOT_REGISTERED
        yield call is None, Code.CALL_NOT_FOUND
        if call:
            yield user not in call.invitations, Code.USER_NOT_INVITED
            yield call.state is State.TIMED_OUT, Code.INVITATION_TIMED_OUT
            continues = call.state in {State.RINGING, State.IN_PROGRESS}
            yield not continues, Code.CALL_ENDED
            state = call.invitations[user].state
            yield state is State.TIMED_OUT, Code.INVITATION_TIMED_OUT
            repeated_and_accepted = self.settings.second_rejection == SecondRejection.SUCCESS
            yield state is State.REJECTED and not repeated_and_accepted, Code.USER_NOT_INVITED

    def _is_over_limit(self, app_id: int, now: float) -> bool:
        arrivals = self._arrivals[app_id]
        while arrivals and now - arrivals[0] >= 1:
            arrivals.popleft()
        return len(arrivals) >= self.settings.calls_per_second


def decode(query: str) -> dict[str, str] | None:
    """Decode a query string, or return None if it is not percent-encoded UTF-8. `+` is a space.

    The first of several parameters with the same name counts, which is the simulator's choice.
    """
    if not query.isascii() or re.search(r"%(?![0-9A-Fa-f]{2})", query):
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        return None
    return dict(reversed(pairs))


def _signature(parameters: Mapping[str, str], secret: str | None) -> str:
    text = f"{parameters['AppId']}{parameters['SignatureNonce']}{secret}{parameters['Timestamp']}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _is_integer(text: str, minimum: int, end: int) -> bool:
    return re.fullmatch(r"-?[0-9]{1,19}", text) is not None and minimum <= int(text) < end


def _first_failure(checks: Checks) -> Code | None:
    return next((code for failed, code in checks if failed), None)
