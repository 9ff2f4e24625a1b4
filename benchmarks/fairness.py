"""Simulate what one user who floods `POST /call-reject/async` does to the declines of another user.

python -m benchmarks.fairness

This is a simulation of the documented rule of fair queues, not a measurement of SQS, because the emulators store the
MessageGroupId and do not reorder messages. See
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html:

- A tenant is noisy if it has at least 30 messages in flight and more than 10 % of all messages in flight, or if its
  share of the recent processing time exceeds 10 %. A message that waits for its next try is in flight.
- Messages of quiet tenants come first. Among noisy tenants, the one with the fewest messages in flight comes first.
- A noisy tenant becomes quiet when it has no messages left, or after five minutes without sending any.

Three things are not documented and assumed: "recent" is the last `RECENT_SECONDS`, messages of one tenant come in the
order in which they become visible, and each call to ZIM takes `ROUND_TRIP`. The allowance and the rate limit are those
of the deployed code, with a simulated clock.
"""

import heapq
import itertools
import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.report import table
from benchmarks.results import percentile
from zim.allowance import UserAllowance
from zim.errors import RateLimited
from zim.rate_limit import RateLimitWindow, WindowFullError

ATTACKER, VICTIM = "attacker", "victim"
RATES = [0, 1, 5, 20, 100]
"""Requests per second of the attacker, each for an invented call."""

VICTIM_SECONDS = 5.0
"""The victim declines one call in this time."""

SECONDS = 1800.0
RINGING_SECONDS = 90.0
"""How long a call rings. A decline that takes longer is not served. It is also the default of ExpiresAt."""

MAX_AGE_SECONDS = 600.0
CALLS_PER_SECOND, ENVIRONMENTS, BATCH_SIZE = 10, 5, 2
ROUND_TRIP = 0.1
RETRY_DELAYS = [1, 2, 4, 8, 16, 30, 30, 30, 30]
EXPIRED_SECONDS = 0.002
"""How long the function takes to delete an expired message, or to leave one without a call."""

NOISY_SHARE, NOISY_IN_FLIGHT = 0.1, 30
RECENT_SECONDS = 60.0
QUIET_SECONDS = 300.0
SEED = 13


@dataclass(frozen=True)
class Protection:
    """What protects the victim. `environments` are those of the function behind `/async` that the attacker reaches."""

    name: str
    tries: int
    expires: float
    is_fair: bool = False
    environments: int | None = None


PROTECTIONS = [
    Protection("before", tries=10, expires=MAX_AGE_SECONDS),
    Protection("fair queue", tries=10, expires=MAX_AGE_SECONDS, is_fair=True),
    Protection("after", tries=3, expires=RINGING_SECONDS, is_fair=True, environments=2),
    Protection("after, 50 environments", tries=3, expires=RINGING_SECONDS, is_fair=True, environments=50),
]


@dataclass(order=True)
class Message:
    """A message of a user; it becomes visible at `visible` and expires at `expires`, in simulated seconds."""

    visible: float
    number: int
    user: str = field(compare=False)
    sent: float = field(compare=False)
    expires: float = field(compare=False)
    receives: int = field(default=0, compare=False)


class Queue:
    """A standard queue. With `is_fair`, it delivers messages by the rule in this module's docstring."""

    def __init__(self, *, is_fair: bool) -> None:
        self._is_fair = is_fair
        self._messages: dict[str, list[Message]] = defaultdict(list)
        self._in_flight: Counter[str] = Counter()
        self._waiting: list[Message] = []
        self._processed: deque[tuple[float, str, float]] = deque()
        self._processing_time: Counter[str] = Counter()
        self._last_sent: dict[str, float] = {}
        self._noisy: set[str] = set()

    def send(self, message: Message) -> None:
        """Add a message."""
        heapq.heappush(self._messages[message.user], message)
        self._last_sent[message.user] = message.sent

    def receive(self, now: float) -> Message | None:
        """Return the next message and count it as in flight, or return None if none is visible."""
        while self._waiting and self._waiting[0].visible <= now:
            message = heapq.heappop(self._waiting)
            self._in_flight[message.user] -= 1
            heapq.heappush(self._messages[message.user], message)
        visible = [user for user, messages in self._messages.items() if messages]
        if not visible:
            return None
        if self._is_fair:
            self._detect(now)
            quiet = [user for user in visible if user not in self._noisy]
            if not quiet:
                fewest = min(self._in_flight[user] for user in visible)
                quiet = [user for user in visible if self._in_flight[user] == fewest]
            visible = quiet
        user = min(visible, key=lambda user: self._messages[user][0])
        message = heapq.heappop(self._messages[user])
        message.receives += 1
        self._in_flight[user] += 1
        return message

    def finish(self, message: Message, now: float, seconds: float, delay: float | None) -> None:
        """Delete a message that took `seconds` to process, or hide it for `delay` seconds, in which it is in flight."""
        self._processed.append((now, message.user, seconds))
        self._processing_time[message.user] += seconds  # type: ignore[assignment]
        if delay is None:
            self._in_flight[message.user] -= 1
        else:
            message.visible = now + delay
            heapq.heappush(self._waiting, message)

    def next_visible(self) -> float:
        """Return when the next waiting message becomes visible."""
        return self._waiting[0].visible if self._waiting else float("inf")

    def _detect(self, now: float) -> None:
        while self._processed and self._processed[0][0] < now - RECENT_SECONDS:
            _, user, seconds = self._processed.popleft()
            self._processing_time[user] -= seconds  # type: ignore[assignment]
        in_flight, time = self._in_flight.total(), sum(self._processing_time.values())
        for user in list(self._messages):
            is_empty = not self._messages[user] and not self._in_flight[user]
            if is_empty or now - self._last_sent[user] > QUIET_SECONDS:
                self._noisy.discard(user)
            elif (
                self._in_flight[user] >= NOISY_IN_FLIGHT and self._in_flight[user] > NOISY_SHARE * in_flight
            ) or self._processing_time[user] > NOISY_SHARE * time:
                self._noisy.add(user)


class Environment:
    """An environment of the queue function, busy until `now`."""

    def __init__(self) -> None:
        self.now = 0.0
        self._window = RateLimitWindow(CALLS_PER_SECOND, ENVIRONMENTS, lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def call(self, message: Message) -> bool:
        """Call ZIM for a message, unless it expires before; return whether ZIM was called."""
        if self.now < message.expires:
            try:
                with self._window.slot(message.expires):
                    self.now += ROUND_TRIP
            except WindowFullError:
                pass
            else:
                return True
        self.now += EXPIRED_SECONDS
        return False


def arrivals(rate: float, protection: Protection, source: random.Random) -> Iterator[Message]:
    """Yield the messages that the function behind `/async` accepts, in the order of time."""
    clock = 0.0
    allowances = [UserAllowance(lambda: clock) for _ in range(protection.environments or 0)]
    events = [(number * VICTIM_SECONDS + source.random(), VICTIM) for number in range(int(SECONDS / VICTIM_SECONDS))]
    at = 0.0
    while rate and (at := at + source.expovariate(rate)) < SECONDS:
        events.append((at, ATTACKER))
    for number, (clock, user) in enumerate(sorted(events)):
        if allowances:
            try:
                source.choice(allowances).use(user)
            except RateLimited:
                continue
        yield Message(clock, number, user, sent=clock, expires=clock + protection.expires)


@dataclass(frozen=True)
class Result:
    """The seconds until each served decline of the victim, sorted, and how many the victim sent."""

    seconds: list[float]
    sent: int
    accepted_of_attacker: float

    def __str__(self) -> str:
        """Return the share served and the 99th percentile."""
        share = f"{100 * len(self.seconds) / self.sent:.0f} %"
        return f"{share}, p99 {percentile(self.seconds, 0.99):.1f} s" if self.seconds else share


def simulate(rate: float, protection: Protection, seed: int = SEED) -> Result:
    """Simulate the queue, and return what becomes of the victim's declines.

    Parameters
    ----------
    rate
        requests per second of the attacker.
    protection
        what protects the victim.
    seed
        the seed of the random arrivals.
    """
    queue, environments = Queue(is_fair=protection.is_fair), [Environment() for _ in range(ENVIRONMENTS)]
    messages = list(arrivals(rate, protection, random.Random(seed)))  # noqa: S311 - not a secret
    sent, served = int(SECONDS / VICTIM_SECONDS), []
    pending = deque(messages)
    order = itertools.count()
    free = [(environment.now, next(order), environment) for environment in environments]
    heapq.heapify(free)
    while free:
        now, _, environment = heapq.heappop(free)
        while pending and pending[0].sent <= now:
            queue.send(pending.popleft())
        environment.now = now
        batch = [message for message in (queue.receive(now) for _ in range(BATCH_SIZE)) if message]
        for message in batch:
            started = environment.now
            delay = None
            if environment.call(message):
                if message.user == VICTIM and environment.now - message.sent <= RINGING_SECONDS:
                    served.append(environment.now - message.sent)
                elif message.user == ATTACKER and message.receives < protection.tries:
                    delay = RETRY_DELAYS[message.receives - 1]
            queue.finish(message, environment.now, environment.now - started, delay)
        if not batch:
            environment.now = min(queue.next_visible(), pending[0].sent if pending else float("inf"))
        if environment.now < SECONDS + MAX_AGE_SECONDS:
            heapq.heappush(free, (environment.now, next(order), environment))
    accepted = sum(message.user == ATTACKER for message in messages) / SECONDS
    return Result(sorted(served), sent, accepted)


def main() -> None:
    """Print a table: a row for each rate of the attacker, a column for each protection."""
    rows = []
    for rate in RATES:
        results = [simulate(rate, protection) for protection in PROTECTIONS]
        accepted = " / ".join(f"{result.accepted_of_attacker:.1f}" for result in results[-2:])
        rows.append([str(rate), *map(str, results), accepted])
    print(table(["Attacker/s", *(protection.name for protection in PROTECTIONS), "Accepted/s after"], rows))


if __name__ == "__main__":
    main()
