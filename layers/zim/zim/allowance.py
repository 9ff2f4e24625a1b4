"""The allowance of each user in one execution environment, so that one user cannot use up the capacity of all."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from zim.errors import RateLimited

MAX_REQUESTS = 5
"""Requests that an environment accepts from one user in `PERIOD_SECONDS`."""

PERIOD_SECONDS = 10.0

MAX_USERS = 1000
"""Users that are remembered; the one whose last request is oldest is forgotten first."""


class UserAllowance:
    """Counts the latest requests of each user."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accepted: OrderedDict[str, deque[float]] = OrderedDict()

    def use(self, user_id: str) -> None:
        """Count a request of a user.

        Raises
        ------
        RateLimited
            if the user has used up the allowance. Such a request is not counted.
        """
        now = self._clock()
        accepted = self._accepted.setdefault(user_id, deque(maxlen=MAX_REQUESTS))
        self._accepted.move_to_end(user_id)
        if len(self._accepted) > MAX_USERS:
            self._accepted.popitem(last=False)
        if len(accepted) == MAX_REQUESTS and (wait := accepted[0] + PERIOD_SECONDS - now) > 0:
            raise RateLimited(
                f"You sent more than {MAX_REQUESTS} requests in {PERIOD_SECONDS:.0f} s.",
                cause="the user's allowance is used up",
                retry_after=math.ceil(wait),
            )
        accepted.append(now)
