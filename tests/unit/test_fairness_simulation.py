"""The simulation of fair queues (benchmarks/fairness.py), and its figures in SECURITY.md."""

from benchmarks.fairness import ATTACKER, NOISY_IN_FLIGHT, PROTECTIONS, VICTIM, Message, Queue, simulate
from tests.support.paths import ROOT


def test_a_message_that_waits_for_its_next_try_is_in_flight() -> None:
    queue = Queue(is_fair=True)
    for number in range(2 * NOISY_IN_FLIGHT):
        queue.send(Message(0.0, number, ATTACKER, sent=0.0, expires=100.0))
    for _ in range(NOISY_IN_FLIGHT):
        message = queue.receive(0.0)
        assert message
        queue.finish(message, 0.0, 0.0, delay=10.0)
    queue.send(Message(1.0, 0, VICTIM, sent=1.0, expires=100.0))
    received = queue.receive(1.0)
    assert received
    assert received.user == VICTIM


def test_the_figures_in_the_documentation_are_those_of_the_simulation() -> None:
    security = (ROOT / "SECURITY.md").read_text()
    results = [simulate(5, protection) for protection in PROTECTIONS]
    assert f"| 5 | {' | '.join(map(str, results))} |" in security
    before, *protected = results
    assert len(before.seconds) < 0.2 * before.sent
    for result in protected:
        assert len(result.seconds) == result.sent
