"""The clients for AWS services: `zim.aws`."""

import pytest

from zim.aws import client


def test_a_client_gives_up_after_seven_seconds_and_one_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")  # the environment does not change it
    config = client("sqs").meta.config
    assert config.retries["mode"] == "standard"
    longest_pause = 1  # before the first retry in standard mode
    attempts = config.retries["total_max_attempts"]
    assert attempts == 2
    assert config.connect_timeout >= 1
    assert config.read_timeout >= 2
    assert attempts * (config.connect_timeout + config.read_timeout) + longest_pause <= 7
