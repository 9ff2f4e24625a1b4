"""`make invoke`: errors, and the events that it sends."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from local.invoke import sent_now
from tests.support.paths import EVENTS, ROOT

SECONDS = 60


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ("README.md", "The folder of README.md is not named after a function (CallRejectAsyncFunction, "),
        ("events/missing.json", "There is no file events/missing.json."),
        ("events", "There is no file events."),
        ("", "EVENT is missing."),
    ],
)
def test_what_is_not_a_sample_event_is_an_error_in_a_line(event: str, error: str) -> None:
    command = ["make", "invoke", f"EVENT={event}"]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)
    line, of_make = completed.stderr.splitlines()
    assert line.startswith(f"make invoke: {error}")
    assert line.endswith("Set EVENT to a sample event, for example EVENT=events/CallRejectFunction/direct.json.")
    assert of_make.startswith("make")
    assert completed.returncode == 2


def test_a_file_that_is_not_json_is_an_error_in_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "CallRejectFunction"
    folder.mkdir()
    (folder / "event.json").write_text("{")
    command = ["make", "invoke", f"EVENT={folder}/event.json"]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert completed.stderr.startswith(f"make invoke: {folder}/event.json is not JSON: ")
    assert "Traceback" not in completed.stderr


@pytest.mark.parametrize("file", sorted((EVENTS / "CallRejectQueueFunction").iterdir()), ids=lambda file: file.stem)
def test_messages_of_the_queue_are_sent_now(file: Path) -> None:
    event = json.loads(file.read_text())
    sent = sent_now(event)
    for before, after in zip(event["Records"], sent["Records"], strict=True):
        assert abs(int(after["attributes"]["SentTimestamp"]) / 1000 - time.time()) < 10
        assert int(after["attributes"]["ApproximateFirstReceiveTimestamp"]) / 1000 == pytest.approx(time.time(), abs=10)
        assert after | {"attributes": before["attributes"]} == before
