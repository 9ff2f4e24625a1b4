"""The rate limit of one execution environment: its share of the calls that ZIM allows in a second.

ZIM allows 20 calls a second for an AppId. See
https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation, "Rate limit".

`calls_per_second` calls are shared by `environments` environments, each of which makes one call at a time. One
environment starts at most k = ⌊calls_per_second / environments⌋ calls in any second. If that is zero, it starts one
call every environments / calls_per_second seconds.

The window counts a call from the moment its response arrives, not from when it was sent. A call that starts one second
after that response reaches ZIM at least one second after the earlier call did, whatever the network delays
(docs/rate-limit.md).
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class WindowFullError(Exception):
    """No call can start before the deadline; the window has a free slot in `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the next free slot is in {retry_after:.3f} s")
        self.retry_after = retry_after


class RateLimitWindow:
    """A sliding window over the response times of the latest calls."""

    def __init__(
        self,
        calls_per_second: int,
        environments: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        calls = calls_per_second // environments
        self._seconds = 1.0 if calls else environments / calls_per_second
        self._finished: deque[float] = deque(maxlen=max(calls, 1))
        self._clock = clock
        self._sleep = sleep

    def reset(self) -> None:
        """Discard all recorded calls, as in a new environment."""
        self._finished.clear()

    @contextmanager
    def slot(self, deadline: float) -> Iterator[float]:
        """Wait for a free slot, and record the call when the block ends, with or without an error.

        Parameters
        ----------
        deadline
            The latest time to start, in seconds of the clock.

        Yields
        ------
        float
            The seconds waited.

        Raises
        ------
        WindowFullError
            if no call can start by then: immediately if that is known, else after the wait.
        """
        now = requested = self._clock()
        free = self._finished[0] + self._seconds if len(self._finished) == self._finished.maxlen else requested
        if max(free, requested) > deadline:
            raise WindowFullError(max(free - requested, 0.0))
        while now < free:
            self._sleep(free - now)
            now = self._clock()
        if now > deadline:
            raise WindowFullError(0.0)
        try:
            yield now - requested
        finally:
            self._finished.append(self._clock())
