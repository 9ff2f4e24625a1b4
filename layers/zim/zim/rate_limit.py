"""The sliding window of one execution environment: its share of the calls that ZIM allows in a second.

ZIM allows an AppId 20 calls a second (its documentation: "Reject a call invitation", "Rate limit"). Where
`calls_per_second` of them are shared by `environments` environments, each making one call at a time, one environment
starts at most k = ⌊calls_per_second / environments⌋ in any second; where that is none, one call in
environments / calls_per_second seconds.

A call is counted from the moment its answer came, not from when it left: the call that starts a second after the answer
to the k-th call before it also arrives at least a second after that call arrived, whatever the network did to either.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class WindowFullError(Exception):
    """No call may start before the deadline; `retry_after` seconds from now the window has room for one."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the window is full for another {retry_after:.3f} s")
        self.retry_after = retry_after


class Window:
    """A sliding window over the answers to the last calls."""

    def __init__(
        self,
        calls_per_second: int,
        environments: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        calls = calls_per_second // environments
        self._seconds = 1.0 if calls else environments / calls_per_second
        self._answered: deque[float] = deque(maxlen=max(calls, 1))
        self._clock = clock
        self._sleep = sleep

    def forget(self) -> None:
        """Have room again, as a new environment has."""
        self._answered.clear()

    @contextmanager
    def call(self, deadline: float) -> Iterator[float]:
        """Wait until a call may start, and count it when the block ends, however it ends.

        Takes the latest moment to start (seconds of the clock), gives the seconds waited.

        Raises
        ------
        WindowFullError
            at once, without waiting, if no call may start by then.
        """
        asked = self._clock()
        free = self._answered[0] + self._seconds if len(self._answered) == self._answered.maxlen else asked
        if max(free, asked) > deadline:
            raise WindowFullError(max(free - asked, 0.0))
        while (now := self._clock()) < free:
            self._sleep(free - now)
        try:
            yield now - asked
        finally:
            self._answered.append(self._clock())
