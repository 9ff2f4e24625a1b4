"""What is accepted is rejected, or is found with the dead letters: under load, under faults, and killed."""

import json
import math
import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import pytest

from local.dead_letters import letters
from local.processes import until
from local.stack import Stack
from local.zim_simulator.state import most_in_a_second

SHARE = 10
"""QueueCallsPerSecond's default: calls in any second."""

BACK_SECONDS = 30
"""How long a message is out of sight whose environment died, and the longest delay of a retry."""


COLD_STARTS_SECONDS = 240.0
"""The emulator starts an interpreter for each request that finds none free, and two processors need long for 200."""


def bare(request: str) -> str:
    return request


def event(request: str) -> str:
    return json.dumps({"detail-type": "CallRejectRequested", "source": "app.example", "detail": json.loads(request)})


def notification(request: str) -> str:
    return json.dumps({"Type": "Notification", "Message": request})


FORMS = (bare, event, notification)


def request(call_id: str) -> str:
    return json.dumps({"FromUserId": "user0", "CallId": call_id})


def send(stack: Stack, messages: list[str]) -> None:
    sqs, url = stack.client("sqs"), stack.outputs["QueueUrl"]
    for start in range(0, len(messages), 10):
        batch = messages[start : start + 10]
        entries = [{"Id": str(number), "MessageBody": message} for number, message in enumerate(batch)]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def ringing(stack: Stack, count: int) -> list[str]:
    return [stack.simulator.ring("user0", timeout=600) for _ in range(count)]


def all_rejected(stack: Stack, calls: list[str]) -> Callable[[], bool]:
    wanted = set(calls)
    return lambda: wanted <= {call.call_id for call in stack.simulator.calls() if call.state == "rejected"}


def most_at_zim(stack: Stack) -> int:
    """Return the most requests that arrived in any second."""
    return most_in_a_second(sorted(record.monotonic for record in stack.simulator.requests()))


def test_a_burst_is_drained_at_the_share_and_what_is_malformed_is_with_the_dead_letters(
    stack: Stack, *, whole: bool, say: Callable[[str], None]
) -> None:
    count = 1000 if whole else 100
    malformed = [json.dumps({"FromUserId": f"user{number}", "CallId": ""}) for number in range(count // 20)]
    calls = ringing(stack, count - len(malformed) - count // 20)
    twice = calls[: count // 20]
    valid = [form(request(call)) for form, call in zip(cycle(FORMS), calls + twice, strict=False)]
    messages = random.Random(count).sample(valid + malformed, count)  # noqa: S311 - a mixture, no secret
    assert len(messages) == count

    started = time.monotonic()
    send(stack, messages)
    until(
        lambda: len(stack.simulator.requests()) >= len(valid), 3 * count / SHARE, "not every valid request reached ZIM"
    )
    drained = time.monotonic() - started
    assert all_rejected(stack, calls)()

    found: list[tuple[str, str]] = []

    def all_dead() -> bool:
        found.extend(
            (letter["Body"], letter["MessageAttributes"]["Reason"]["StringValue"]) for letter in letters(stack)
        )
        return {body for body, _ in found} == set(malformed)

    until(all_dead, 30, "not every malformed message is with the dead letters")
    assert {why for _, why in found} == {"InvalidRequest: CallId breaks minLength"}
    most = most_at_zim(stack)
    assert most <= SHARE
    ratio = drained * SHARE / count
    say(f"{count} messages: drained in {drained:.1f} s, {ratio:.2f} x messages / share; at most {most} in a second")


def test_all_arrive_once_zim_recovers(stack: Stack, *, whole: bool, say: Callable[[str], None]) -> None:
    calls = ringing(stack, 100 if whole else 20)
    trouble = 10.0 if whole else 2.0
    send(stack, [request(call) for call in calls])
    for fault, members in (("code", {"code": 660300005}), ("code", {"code": 1}), ("hang", {}), ("cut_before", {})):
        stack.simulator.fault(fault, times=None, **members)  # type: ignore[arg-type]
        seen = len(stack.simulator.requests())
        passed = time.monotonic() + trouble
        until(
            lambda seen=seen, passed=passed: time.monotonic() > passed and len(stack.simulator.requests()) > seen,  # type: ignore[misc]
            BACK_SECONDS + trouble,
            f"nothing was tried while ZIM was in trouble: {fault}",
        )
        stack.simulator.clear_faults()
    longest = BACK_SECONDS + 2 * len(calls) / SHARE + 5
    recovered = until(all_rejected(stack, calls), longest, "not all arrived after ZIM recovered")
    records = stack.simulator.requests()
    assert most_at_zim(stack) <= SHARE
    assert next(iter(letters(stack)), None) is None
    say(f"{len(calls)} messages, {len(records)} tries: all arrived {recovered:.1f} s after ZIM recovered")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc to find the environments by")
def test_killed_environments_lose_nothing(stack: Stack, *, whole: bool, say: Callable[[str], None]) -> None:
    calls = ringing(stack, 300 if whole else 40)
    stack.simulator.settings(latency=0.3)  # so that a kill finds requests under way
    kills = 10 if whole else 2
    killed = 0
    send(stack, [request(call) for call in calls])
    for wave in range(kills):
        reached = (wave + 1) * len(calls) // (2 * kills)
        until(lambda reached=reached: len(stack.simulator.requests()) >= reached, 60, "the queue is not drained")  # type: ignore[misc]
        for pid in stack.environments("CallRejectQueueFunction"):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    assert killed >= kills
    longest = BACK_SECONDS + math.ceil(2 * len(calls) / SHARE) + 5
    recovered = until(all_rejected(stack, calls), longest, "a message was lost, or not tried again in time")
    assert next(iter(letters(stack)), None) is None
    say(f"{len(calls)} messages, {killed} environments killed: all done {recovered:.1f} s after the last kill")


def test_two_hundred_posts_at_the_same_moment_are_all_taken(
    stack: Stack, *, whole: bool, say: Callable[[str], None]
) -> None:
    """Once cold and once warm; only this is asserted, for two processors do not start 200 interpreters in a moment."""
    count = 200 if whole else 20

    def posted() -> tuple[list[str], list[tuple[int, float]]]:
        calls = ringing(stack, count)

        def post(call: str) -> tuple[int, float]:
            response = stack.request("POST", stack.call_reject_async_url, request(call), seconds=COLD_STARTS_SECONDS)
            return response.status_code, response.elapsed.total_seconds()

        with ThreadPoolExecutor(count) as clients:
            return calls, list(clients.map(post, calls))

    posted()
    calls, answers = posted()
    assert {status for status, _ in answers} == {202}
    until(all_rejected(stack, calls), 6 * count / SHARE, "not every call was rejected")
    assert most_at_zim(stack) <= SHARE
    times = sorted(seconds for _, seconds in answers)
    p50, p99 = times[len(times) // 2], times[math.ceil(len(times) * 0.99) - 1]
    say(f"{count} posts at once, to warm environments: all 202, p50 {p50:.2f} s, p99 {p99:.2f} s")
