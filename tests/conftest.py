"""All tests: a test run leaves nothing behind."""

from tests.support.clean_run import pytest_configure

__all__ = ["pytest_configure"]
