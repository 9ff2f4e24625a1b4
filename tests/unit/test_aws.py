"""The clients for AWS services: `zim.aws`."""

import logging
import os
import subprocess
import sys

import pytest

from tests.support.http_server import Response, serve
from tests.support.paths import ROOT
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


def test_proxy_settings_in_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def queues(_: object) -> Response:
        return Response.json({"QueueUrls": ["queue"]})

    with serve(queues) as sqs, serve(lambda _: None) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs.url)
        assert client("sqs").list_queues()["QueueUrls"] == ["queue"]
        assert proxy.requests == []


@pytest.mark.parametrize(("library", "level"), [("botocore", logging.WARNING), ("urllib3", logging.ERROR)])
def test_the_libraries_log_no_responses_before_the_first_client_exists(library: str, level: int) -> None:
    code = (
        f"import logging; logging.root.setLevel('DEBUG'); import zim.aws; print(logging.getLogger({library!r}).level)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "layers" / "zim")}
    output = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(output.stdout) == level
