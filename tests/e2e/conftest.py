"""The deployed stack, as each end-to-end test finds it."""

import pytest

from local.stack import Stack


@pytest.fixture
def stack(deployed_stack: Stack) -> Stack:
    """The deployed stack, with a simulator in which nothing has happened yet."""
    deployed_stack.simulator.reset()
    return deployed_stack
