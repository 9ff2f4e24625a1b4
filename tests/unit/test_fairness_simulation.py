"""The simulation of fair queues (benchmarks/fairness.py), and its figures in SECURITY.md."""

from benchmarks.fairness import (
    ATTACKER,
    NOISY_IN_FLIGHT,
    PROTECTIONS,
    VICTIM,
    Message,
    Queue,
    simulate,
)
from tests.support.paths import ROOT

FAR = 1e9


def send(queue: Queue, user: str, count: int, now: float = 0.0) -> None:
    for number in range(count):
        queue.send(Message(now, number, user, sent=now, expires=FAR))


def received(queue: Queue, now: float = 0.0) -> str | None:
    message = queue.receive(now)
    return message.user if message else None


def test_a_message_that_waits_for_its_next_try_is_in_flight() -> None:
    queue = Queue(is_fair=True)
    send(queue, ATTACKER, 2 * NOISY_IN_FLIGHT)
    for _ in range(NOISY_IN_FLIGHT):
        message = queue.receive(0.0)
        assert message
        queue.finish(message, 0.0, 0.0, delay=10.0)
    send(queue, VICTIM, 1, now=1.0)
    assert received(queue, 1.0) == VICTIM


def test_the_figures_in_the_documentation_are_those_of_the_simulation() -> None:
    security = (ROOT / "SECURITY.md").read_text()
    results = [simulate(5, protection) for protection in PROTECTIONS]
    assert f"| 5 | {' | '.join(map(str, results))} |" in security
    before, *protected = results
    assert len(before.seconds) < 0.2 * before.sent
    for result in protected:
        assert len(result.seconds) == result.sent
