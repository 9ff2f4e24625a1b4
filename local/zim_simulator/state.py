"""All that one simulated server knows: ZIM's own state, the faults to come, and what was asked of it."""

import itertools
from asyncio import Transport
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiohttp import web

from local.zim_simulator.faults import Faults
from local.zim_simulator.zim import Zim

RECORDS_KEPT = 100_000


@dataclass
class Record:
    """One request to the API.

    `unix` and `monotonic` are the seconds of its arrival, by the true clock. `parameters` are decoded, and empty where
    the query is not percent-encoded UTF-8. `code` is the return code decided on, None where a fault kept ZIM from
    deciding; `fault` is the kind of the fault it met. `connection` numbers the TCP connections. `nonce_repeated` says
    that a request still on record had the same SignatureNonce, which ZIM wants anew every time.
    """

    unix: float
    monotonic: float
    method: str
    query: str
    parameters: dict[str, str]
    connection: int
    user_agent: str
    nonce_repeated: bool
    fault: str | None
    code: int | None = None


class Simulator:
    """The state of one server, touched only in the thread of its event loop."""

    def __init__(self, app_id: int, server_secret: str) -> None:
        self._first_apps = {app_id: server_secret}
        self._nonces: set[str] = set()
        self._numbers = itertools.count(1)
        self._connections: WeakKeyDictionary[Transport, int] = WeakKeyDictionary()
        self.faults = Faults()
        self.records: deque[Record] = deque(maxlen=RECORDS_KEPT)
        self.reset()

    def reset(self) -> None:
        """Go back to the start; only the numbering of connections goes on."""
        self.zim = Zim(dict(self._first_apps))
        self.faults.clear()
        self.clear_records()

    def clear_records(self) -> None:
        """Forget the requests, and their nonces."""
        self.records.clear()
        self._nonces.clear()

    def is_repeated(self, nonce: str) -> bool:
        """Tell whether a request on record had this nonce, and remember it."""
        repeated = nonce in self._nonces
        if nonce:
            self._nonces.add(nonce)
        return repeated

    def connection_number(self, transport: Transport | None) -> int:
        """Give the number of a connection, the next one if it is new, or gone before anyone could ask."""
        if transport is None:
            return next(self._numbers)
        if transport not in self._connections:
            self._connections[transport] = next(self._numbers)
        return self._connections[transport]


SIMULATOR = web.AppKey("SIMULATOR", Simulator)


def most_in_a_second(arrivals: Sequence[float]) -> int:
    """Count the most arrivals, given in seconds and in order, in any half-open second [t, t + 1)."""
    return max((bisect_left(arrivals, start + 1) - first for first, start in enumerate(arrivals)), default=0)
