"""The deployed stack under load: a short form in CI, the whole with SOAK=1 (`make test-soak`), which prints figures."""

import os
from collections.abc import Callable, Iterator

import pytest

from local.processes import free_port
from local.stack import Stack, deployed

WHOLE = os.environ.get("SOAK") == "1"


@pytest.fixture
def stack(deployed_stack: Stack) -> Stack:
    """The deployed stack, with empty queues and a simulator in which nothing has happened yet."""
    for output in ("QueueUrl", "DeadLetterQueueUrl"):
        deployed_stack.client("sqs").purge_queue(QueueUrl=deployed_stack.outputs[output])
    deployed_stack.simulator.reset()
    return deployed_stack


@pytest.fixture
def whole() -> bool:
    """Whether the long form is asked for."""
    return WHOLE


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure past pytest's capture."""

    def said(figure: str) -> None:
        with capsys.disabled():
            print(f"\n{figure}")

    return said


@pytest.fixture(scope="session")
def open_wide() -> Iterator[Stack]:
    """A stack whose window lets everything through at once."""
    wide = {"ZimCallsPerSecondLimit": "20000", "ApiCallsPerSecond": "10000", "ApiConcurrency": "2"}
    with deployed(free_port(), free_port(), wide) as stack:
        stack.simulator.settings(calls_per_second=100_000)
        stack.simulator.register("user0")
        yield stack
