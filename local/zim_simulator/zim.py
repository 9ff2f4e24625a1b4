"""What ZIM makes of a CallReject request: the rules and the state, without HTTP and without a clock of its own.

Every limit and code is from ZIM's documentation, Call invitation / CallReject, and the pages on accessing the
server API and on its return codes. Where they are silent, the choice made here is said beside it.
"""

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from local.zim_simulator.calls import DEFAULT_TIMEOUT_SECONDS, Call, State
from local.zim_simulator.return_codes import Code, random_digits

APP_ID = 1234567890
SERVER_SECRET = "this-made-up-secret-has-32-chars"
TIMESTAMP_TOLERANCE_SECONDS = 600
MAX_USER_ID_BYTES = 32
MAX_CALL_ID_CHARACTERS = 32
MAX_EXTENDED_DATA_BYTES = 2048

_USER_ID = re.compile(r"[0-9A-Za-z !#$%&()+\-:;<=.>?@\[\]^_{}|~]{1,32}")
_NONCE = re.compile(r"[0-9A-Fa-f]{16}")


Checks = Iterator[tuple[bool, Code]]


@dataclass(frozen=True)
class Instant:
    """One moment on two clocks, in seconds: Unix time for timestamps, monotonic for everything that lasts."""

    unix: float
    monotonic: float


@dataclass
class Settings:
    """What can be tuned: seconds of network delay (both ways together), the rate limit, a wrong server clock."""

    latency: float = 0.0
    jitter: float = 0.0
    calls_per_second: int = 20
    clock_offset: float = 0.0


@dataclass
class Zim:
    """The server's state: secrets by AppId, registered users, calls, and the arrivals of the last second."""

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
    ) -> Call:
        """Start a call at `now` (monotonic seconds) that rings for `timeout` seconds; it registers who takes part."""
        self.users.update({caller, *invitees})
        call = Call(call_id or random_digits(), caller, timeout, now + timeout, dict.fromkeys(invitees, State.RINGING))
        self._calls[call.call_id] = call
        return call

    def call(self, call_id: str, now: float) -> Call | None:
        """Give the call as it stands at `now` (monotonic seconds)."""
        call = self._calls.get(call_id)
        if call and now >= call.rings_until:
            call.stop_ringing(State.TIMED_OUT)
        return call

    def calls(self, now: float) -> list[Call]:
        """Give all calls as they stand at `now` (monotonic seconds), the oldest first."""
        return [call for call_id in self._calls if (call := self.call(call_id, now))]

    def admit(self, method: str, parameters: dict[str, str] | None, at: Instant) -> Code | None:
        """Do what the gateway does on arrival: check the common parameters and the rate. Gives the refusal, if any.

        Every correctly signed request counts towards the rate, whatever becomes of it, but for those over the limit.
        """
        refusal = _first(self._gateway_checks(method, parameters, at))
        if refusal is None and parameters:
            self._arrivals[int(parameters["AppId"])].append(at.monotonic)
        return refusal

    def reject(self, parameters: dict[str, str], now: float) -> Code:
        """Carry out an admitted CallReject at `now` (monotonic seconds)."""
        user, call = parameters.get("FromUserId", ""), self.call(parameters.get("CallId", ""), now)
        refusal = _first(self._call_checks(parameters, user, call))
        if refusal is None and call:
            call.invitees[user] = State.REJECTED
            if "ExtendedData" in parameters:
                call.extended_data[user] = parameters["ExtendedData"]
        return Code.SUCCESS if refusal is None else refusal

    def _gateway_checks(self, method: str, parameters: dict[str, str] | None, at: Instant) -> Checks:
        yield parameters is None, Code.INVALID_PARAMETER
        given = defaultdict(str, parameters or {})
        yield not given["Action"], Code.ACTION_EMPTY
        # The documents offer CallReject by GET only, and do not say how another method is answered.
        yield given["Action"] != "CallReject" or method != "GET", Code.ACTION_UNSUPPORTED
        yield not _is_integer(given["AppId"], 0, 2**32), Code.APP_ID_MALFORMED
        yield not given["SignatureNonce"], Code.SIGNATURE_NONCE_EMPTY
        yield not _NONCE.fullmatch(given["SignatureNonce"]), Code.INVALID_PARAMETER
        yield not given["Timestamp"], Code.TIMESTAMP_EMPTY
        yield not _is_integer(given["Timestamp"], -(2**63), 2**63), Code.TIMESTAMP_MALFORMED
        age = at.unix + self.settings.clock_offset - int(given["Timestamp"])
        yield abs(age) > TIMESTAMP_TOLERANCE_SECONDS, Code.SIGNATURE_EXPIRED
        yield not given["SignatureVersion"], Code.SIGNATURE_VERSION_EMPTY
        yield given["SignatureVersion"] != "2.0", Code.SIGNATURE_VERSION_UNSUPPORTED
        yield not given["Signature"], Code.SIGNATURE_EMPTY
        # An unknown AppId has no code of its own; the advice for a wrong signature is to check AppId and secret.
        secret = self.apps.get(int(given["AppId"]))
        yield secret is None, Code.SIGNATURE_WRONG
        yield given["Signature"] != _signature(given, secret), Code.SIGNATURE_WRONG
        yield self._is_over_limit(int(given["AppId"]), at.monotonic), Code.RATE_LIMIT_EXCEEDED

    def _call_checks(self, parameters: dict[str, str], user: str, call: Call | None) -> Checks:
        yield not user, Code.INVALID_PARAMETER
        yield len(user.encode()) > MAX_USER_ID_BYTES, Code.USER_ID_TOO_LONG
        yield not is_user_id(user), Code.INVALID_PARAMETER
        yield not 1 <= len(parameters.get("CallId", "")) <= MAX_CALL_ID_CHARACTERS, Code.INVALID_PARAMETER
        yield len(parameters.get("ExtendedData", "").encode()) > MAX_EXTENDED_DATA_BYTES, Code.INVALID_PARAMETER
        yield user not in self.users, Code.USER_NOT_REGISTERED
        yield call is None, Code.CALL_NOT_FOUND
        if call:
            yield user not in call.invitees, Code.USER_NOT_INVITED
            yield call.state is State.TIMED_OUT, Code.INVITATION_TIMED_OUT
            yield call.state is not State.RINGING, Code.CALL_ENDED
            # He has rejected and others still ring: the documents are silent; the call has not ended, so not that.
            yield call.invitees[user] is not State.RINGING, Code.USER_NOT_INVITED

    def _is_over_limit(self, app_id: int, now: float) -> bool:
        arrivals = self._arrivals[app_id]
        while arrivals and now - arrivals[0] >= 1:
            arrivals.popleft()
        return len(arrivals) >= self.settings.calls_per_second


def decode(query: str) -> dict[str, str] | None:
    """Decode a raw query string, strictly as UTF-8, `+` meaning a space; None if it is not percent-encoded UTF-8.

    Of a parameter given twice the first counts, a choice of this server's.
    """
    if not query.isascii() or re.search(r"%(?![0-9A-Fa-f]{2})", query):
        return None
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        return None
    return dict(reversed(pairs))


def is_user_id(text: str) -> bool:
    """Tell whether ZIM would take this as a user id: 1 to 32 bytes of the characters it lists."""
    return _USER_ID.fullmatch(text) is not None


def _signature(given: dict[str, str], secret: str | None) -> str:
    text = f"{given['AppId']}{given['SignatureNonce']}{secret}{given['Timestamp']}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _is_integer(text: str, low: int, end: int) -> bool:
    return re.fullmatch(r"-?[0-9]{1,19}", text) is not None and low <= int(text) < end


def _first(checks: Checks) -> Code | None:
    return next((code for broken, code in checks if broken), None)
