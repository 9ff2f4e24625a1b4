"""Fixtures for all tests that call a deployed stack."""

from collections.abc import Iterator

import pytest

from local.processes import free_port
from local.stack import Stack, deployed


@pytest.fixture(scope="session")
def deployed_stack() -> Iterator[Stack]:
    """The stack, deployed by SAM to an emulator on free ports of this machine."""
    with deployed(free_port(), free_port()) as stack:
        yield stack
