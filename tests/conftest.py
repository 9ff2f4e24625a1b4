"""The stack that SAM deployed, on free ports of this machine, for all tests that call it."""

from collections.abc import Iterator

import pytest

from local.processes import free_port
from local.stack import Stack, deployed


@pytest.fixture(scope="session")
def deployed_stack() -> Iterator[Stack]:
    with deployed(free_port(), free_port()) as stack:
        yield stack
