"""No accepted request is lost: under load, while ZIM fails, and when execution environments are killed."""

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
from typing import Any

import pytest

from local.dead_letters import dead_letters
from local.processes import until
from local.stack import Stack
from local.zim_simulator.faults import Kind
from local.zim_simulator.state import most_in_a_second

CALLS_PER_SECOND = 10
"""The default of QueueCallsPerSecond."""

MAX_DELAY_SECONDS = 30
"""The visibility timeout of a message whose environment was killed, and the longest delay of a retry."""

COLD_STARTS_SECONDS = 240.0
"""How long 200 cold starts can take: the emulator starts one process for each."""


def bare(request: str) -> str:
    return request


def event(request: str) -> str:
    return json.dumps({"detail-type": "CallRejectRequested", "source": "app.example", "detail": json.loads(request)})


def notification(request: str) -> str:
    return json.dumps({"Type": "Notification", "Message": request})


def body(call_id: str) -> str:
    return json.dumps({"FromUserId": "user0", "CallId": call_id})


def send(stack: Stack, messages: list[str]) -> None:
    sqs, url = stack.client("sqs"), stack.outputs["QueueUrl"]
    for start in range(0, len(messages), 10):
        batch = messages[start : start + 10]
        entries = [{"Id": str(number), "MessageBody": message} for number, message in enumerate(batch)]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def ring(stack: Stack, count: int) -> list[str]:
    return [stack.simulator.ring("user0", timeout=600) for _ in range(count)]


def wait_until_rejected(stack: Stack, call_ids: list[str], seconds: float) -> float:
    """Wait until all calls are rejected, and return how long that took, in seconds."""
    expected = set(call_ids)
    return until(
        lambda: expected <= {call.call_id for call in stack.simulator.calls() if call.state == "rejected"},
        seconds,
        "The calls were not rejected",
    )


def wait_for_requests(stack: Stack, count: int, seconds: float) -> None:
    """Wait until ZIM has received this number of requests."""
    until(lambda: len(stack.simulator.requests()) >= count, seconds, "ZIM did not receive the requests")


def assert_rate_limit_is_kept(stack: Stack) -> None:
    arrivals = sorted(record.monotonic for record in stack.simulator.requests())
    assert most_in_a_second(arrivals) <= CALLS_PER_SECOND


def test_a_burst_is_processed_at_the_rate_limit_and_invalid_messages_are_dead_letters(
    stack: Stack, *, long_form: bool, report: Callable[[str], None]
) -> None:
    count = 1000 if long_form else 80
    invalid = [json.dumps({"FromUserId": f"user{number}", "CallId": ""}) for number in range(count // 20)]
    call_ids = ring(stack, count - len(invalid) - count // 20)
    repeated = call_ids[: count // 20]
    forms = cycle((bare, event, notification))
    valid = [form(body(call_id)) for form, call_id in zip(forms, call_ids + repeated, strict=False)]
    messages = random.Random(count).sample(valid + invalid, count)  # noqa: S311 - not a secret

    started = time.monotonic()
    send(stack, messages)
    wait_for_requests(stack, len(valid), 3 * count / CALLS_PER_SECOND)
    seconds = time.monotonic() - started
    wait_until_rejected(stack, call_ids, 5)
    assert_rate_limit_is_kept(stack)

    until(lambda: len(dead_letters(stack)) >= len(invalid), 30, "The invalid messages are not in the dead-letter queue")
    letters = dead_letters(stack)
    assert sorted(json.dumps(letter.request) for letter in letters) == sorted(invalid)
    assert {letter.outcome for letter in letters} == {"InvalidRequest"}
    report(f"{count} messages in {seconds:.1f} s; at the rate limit: {count / CALLS_PER_SECOND:.1f} s")


def test_all_calls_are_rejected_after_zim_recovers(
    stack: Stack, *, long_form: bool, report: Callable[[str], None]
) -> None:
    call_ids = ring(stack, 100 if long_form else 20)
    fault_seconds = 10.0 if long_form else 1.0
    send(stack, [body(call_id) for call_id in call_ids])
    faults: list[tuple[Kind, Any]] = [
        ("code", {"code": 660300005}),
        ("code", {"code": 1}),
        ("hang", {}),
        ("cut_before", {}),
    ]
    for kind, options in faults:
        count = len(stack.simulator.requests())
        stack.simulator.fault(kind, times=None, **options)
        time.sleep(fault_seconds)
        wait_for_requests(stack, count + 1, MAX_DELAY_SECONDS)
        stack.simulator.clear_faults()
    longest = MAX_DELAY_SECONDS + 2 * len(call_ids) / CALLS_PER_SECOND + 5
    seconds = wait_until_rejected(stack, call_ids, longest)
    assert_rate_limit_is_kept(stack)
    assert dead_letters(stack) == []
    attempts = len(stack.simulator.requests())
    report(f"{len(call_ids)} messages, {attempts} attempts: all rejected {seconds:.1f} s after ZIM recovered")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="requires /proc")
def test_killed_environments_lose_no_message(stack: Stack, *, long_form: bool, report: Callable[[str], None]) -> None:
    call_ids = ring(stack, 300 if long_form else 20)
    stack.simulator.settings(latency=0.3)  # so that environments are killed during requests
    kills = 10 if long_form else 1
    killed = 0
    send(stack, [body(call_id) for call_id in call_ids])
    for wave in range(1, kills + 1):
        wait_for_requests(stack, wave * len(call_ids) // (2 * kills), 60)
        for pid in stack.environments("CallRejectQueueFunction"):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    assert killed >= kills
    longest = MAX_DELAY_SECONDS + math.ceil(2 * len(call_ids) / CALLS_PER_SECOND) + 5
    seconds = wait_until_rejected(stack, call_ids, longest)
    assert dead_letters(stack) == []
    report(f"{len(call_ids)} messages, {killed} environments killed: all rejected {seconds:.1f} s after the last kill")


def test_simultaneous_requests_are_all_accepted(
    stack: Stack, *, long_form: bool, report: Callable[[str], None]
) -> None:
    """The first round includes the cold starts; the second is measured."""
    count = 200 if long_form else 10

    def post(call_id: str) -> tuple[int, float]:
        url = stack.call_reject_async_url
        response = stack.request("POST", url, body(call_id), seconds=COLD_STARTS_SECONDS)
        return response.status_code, response.elapsed.total_seconds()

    for _ in range(2):
        call_ids = ring(stack, count)
        with ThreadPoolExecutor(count) as clients:
            responses = list(clients.map(post, call_ids))
        assert {status for status, _ in responses} == {202}
        wait_until_rejected(stack, call_ids, COLD_STARTS_SECONDS)
    assert_rate_limit_is_kept(stack)
    times = sorted(seconds for _, seconds in responses)
    p50, p99 = times[len(times) // 2], times[math.ceil(len(times) * 0.99) - 1]
    report(f"{count} simultaneous requests, warm: p50 {p50:.2f} s, p99 {p99:.2f} s")
