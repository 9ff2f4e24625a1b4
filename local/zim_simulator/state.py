"""The state of a simulator: ZIM's state, the faults to come, and the received requests."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from local.zim_simulator.callbacks import Callbacks
from local.zim_simulator.faults import Faults
from local.zim_simulator.zim import APP_ID, SERVER_SECRET, Zim

RECORDS_KEPT = 100_000


@dataclass
class Record:
    """A request to the API.

    Parameters
    ----------
    monotonic
        the time of arrival in seconds of the monotonic clock.
    method, query
        the method, and the query string as it was sent.
    parameters
        the decoded query string, empty if it is not percent-encoded UTF-8.
    connection
        the client's TCP port, which tells connections apart.
    fault
        the kind of fault that the request met.
    code
        ZIM's return code, None if a fault kept ZIM from processing the request.
    """

    monotonic: float
    method: str
    query: str
    parameters: dict[str, str]
    connection: int
    fault: str | None
    code: int | None = None


class Simulator:
    """The state of a simulator. Only the thread of its event loop uses it."""

    def __init__(self) -> None:
        self.callbacks = Callbacks(APP_ID)
        self.faults = Faults()
        self.records: deque[Record] = deque(maxlen=RECORDS_KEPT)
        self.reset()

    def reset(self) -> None:
        """Return to the initial state."""
        self.zim = Zim({APP_ID: SERVER_SECRET})
        self.callbacks.cancel()
        self.callbacks = Callbacks(APP_ID)
        self.faults.clear()
        self.records.clear()


SIMULATOR = web.AppKey("SIMULATOR", Simulator)


def most_in_a_second(arrivals: Sequence[float]) -> int:
    """Return the most arrivals in any second [t, t + 1). `arrivals` are in seconds, in ascending order."""
    return max((bisect_left(arrivals, start + 1) - first for first, start in enumerate(arrivals)), default=0)
