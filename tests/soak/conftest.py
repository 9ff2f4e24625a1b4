"""The deployed stack under load: a short form in CI, or the long form with SOAK=1 (`make test-soak`)."""

import os
from collections.abc import Callable, Iterator

import pytest

from local.processes import free_port
from local.stack import Stack, deployed


@pytest.fixture(scope="session")
def deployed_stack() -> Iterator[Stack]:
    """A stack in which the rate limit slows the queue, but not the requests over HTTPS."""
    parameters = {"ZimCallsPerSecondLimit": "9999", "ApiCallsPerSecond": "9000", "ApiConcurrency": "2"}
    with deployed(free_port(), free_port(), parameters) as stack:
        yield stack


@pytest.fixture
def stack(deployed_stack: Stack) -> Stack:
    """The stack with empty queues, and a simulator in its initial state."""
    for output in ("QueueUrl", "DeadLetterQueueUrl"):
        deployed_stack.client("sqs").purge_queue(QueueUrl=deployed_stack.outputs[output])
    deployed_stack.simulator.reset()
    return deployed_stack


@pytest.fixture
def long_form() -> bool:
    """Whether the long form runs."""
    return os.environ.get("SOAK") == "1"


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a measured figure, although pytest captures the output."""

    def print_figure(figure: str) -> None:
        with capsys.disabled():
            print(f"\n{figure}")

    return print_figure
