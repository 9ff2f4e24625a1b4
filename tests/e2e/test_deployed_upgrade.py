"""An update of the last release to the present state, with load and queued messages, as docs/upgrade.md describes."""

import io
import json
import os
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.dead_letters import dead_letters
from local.processes import free_port, run, until
from local.send import to_bus, to_queue, to_topic
from local.stack import SAM, Stack, deploy, deployed
from tests.e2e.conftest import WAIT_SECONDS
from tests.support.paths import DOCS, ROOT
from zim.errors import CallRejectError

FIRST_RELEASE = "768ac9a0232353fe9545a4a1ecb1604ef2e6d082"
"""The state of 1.0.0, which has no tag."""
AWS_CLI = ROOT / ".venv-aws" / "bin"
RING_SECONDS = 600.0
DOCUMENTED = {error.__name__: error.status for error in CallRejectError.__subclasses__()}


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S607 - from the PATH


def last_release() -> str:
    """Return the newest tag of a release before this commit, or the first release."""
    described = git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
    return described.stdout.decode().strip() or FIRST_RELEASE


@pytest.fixture(scope="module")
def released_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built template of the last release."""
    archive = git("archive", last_release())
    if archive.returncode:
        pytest.skip(f"The history of this clone does not contain the last release, {last_release()}.")
    folder = tmp_path_factory.mktemp("released")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "MAKEFLAGS": ""}
    command: list[str | Path] = [SAM, "build", "--base-dir", folder, "--template-file", folder / "template.yaml"]
    command += ["--build-dir", folder / "build", "--cache-dir", folder / "cache"]
    run(command, environment=environment, log=folder / "build.log")
    return folder / "build" / "template.yaml"


@dataclass
class Load:
    """A client that rejects one call after the other, and repeats a request as documented."""

    stack: Stack
    responses: list[tuple[int, Any]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests until the block ends."""
        threads = [threading.Thread(target=each) for each in (self._reject, self._accept)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def _reject(self) -> None:
        while not self._stopped.is_set():
            call_id = self.stack.simulator.ring("user0", timeout=RING_SECONDS)
            self.calls.append(call_id)
            while self._post(self.stack.call_reject_url, call_id) != 200:
                time.sleep(1)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            call_id = self.stack.simulator.ring("user1", timeout=RING_SECONDS)
            self.accepted.append(call_id)
            while self._post(self.stack.call_reject_async_url, call_id, "user1") != 202:
                time.sleep(1)
            time.sleep(0.5)

    def _post(self, url: str, call_id: str, user: str = "user0") -> int:
        response = self.stack.request("POST", url, body(call_id, user))
        self.responses.append((response.status_code, response.json()))
        return response.status_code


def body(call_id: str, user: str = "user0") -> str:
    return json.dumps({"FromUserId": user, "CallId": call_id})


@dataclass(frozen=True)
class Upgraded:
    """The stack after the update, and what it received before and during it."""

    stack: Stack
    old_outputs: dict[str, str]
    load: Load
    queued: list[str]
    dead_letter: str


@pytest.fixture(scope="module")
def upgraded(released_template: Path) -> Iterator[Upgraded]:
    """An updated stack. The calls of the queued messages start to ring only after the update."""
    with deployed(free_port(), free_port(), template=released_template) as stack:
        simulator = stack.simulator
        simulator.register("user0")
        queued = [f"queued-{sender.__name__}" for sender in (to_queue, to_bus, to_topic)]
        for call_id, sender in zip(queued, (to_queue, to_bus, to_topic), strict=True):
            sender(stack, body(call_id))
        dead_letter = body("call-1", "unknown")
        to_queue(stack, dead_letter)
        until(lambda: len(dead_letters(stack)) == 1, WAIT_SECONDS, "No dead letter")
        until(
            lambda: {*queued} <= {each.parameters.get("CallId") for each in simulator.requests()},
            WAIT_SECONDS,
            "The messages were not processed once",
        )
        old_outputs = dict(stack.outputs)
        load = Load(stack)
        with load.running():
            until(lambda: len(load.responses) > 5, WAIT_SECONDS, "No load")
            deploy(stack, {"ZimApiBaseUrl": stack.simulator_url})
            responses = len(load.responses)
            until(lambda: len(load.responses) > responses + 5, WAIT_SECONDS, "No load after the update")
        yield Upgraded(stack, old_outputs, load, queued, dead_letter)


def test_every_request_during_the_update_has_a_documented_response(upgraded: Upgraded) -> None:
    for status, response in upgraded.load.responses:
        if status not in {200, 202}:
            outcome = response.get("type", "").rpartition(":")[2]
            assert DOCUMENTED.get(outcome) == status or (status, outcome) == (500, ""), response
            assert response.get("retryable", True), response
    assert {upgraded.stack.simulator.call(call_id).state for call_id in upgraded.load.calls} == {"rejected"}


def test_no_message_is_lost_and_old_messages_are_processed_after_the_move(upgraded: Upgraded) -> None:
    stack = upgraded.stack
    old, new = upgraded.old_outputs["QueueUrl"], stack.outputs["QueueUrl"]
    for call_id in upgraded.queued:
        stack.simulator.ring("user0", call_id=call_id, timeout=RING_SECONDS)
    if old != new:
        move_messages(stack, old, new)
        assert stack.queue_depth(old) == (0, 0)
    expected = [*upgraded.queued, *upgraded.load.accepted]
    until(
        lambda: {stack.simulator.call(call_id).state for call_id in expected} == {"rejected"},
        WAIT_SECONDS,
        "A message was lost",
    )


def move_messages(stack: Stack, old: str, new: str) -> None:
    """Run the commands of docs/upgrade.md once all messages of the old queue are visible."""
    until(lambda: stack.queue_depth(old)[1] == 0, WAIT_SECONDS, "Messages of the old queue are not visible")
    section = (DOCS / "upgrade.md").read_text().partition("\n## Move messages\n")[2]
    commands = section.partition("```bash\n")[2].partition("```")[0].replace("<old queue>", old).replace("<queue>", new)
    environment = stack.environment()
    environment["PATH"] = f"{AWS_CLI}:{environment['PATH']}"
    # Version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for SQS.
    wrapper = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }'
    run(["bash", "-euc", f"{wrapper}\n{commands}"], environment=environment, log=Path(stack.log) / "move.log")


def test_dead_letters_of_the_old_version_are_kept_with_their_reason(upgraded: Upgraded) -> None:
    (letter,) = dead_letters(upgraded.stack)
    assert json.dumps(letter.request) == upgraded.dead_letter
    assert letter.outcome == "UserNotRegistered"
    assert upgraded.old_outputs["DeadLetterQueueUrl"] == upgraded.stack.outputs["DeadLetterQueueUrl"]


def test_the_urls_for_callers_stay_the_same(upgraded: Upgraded) -> None:
    changed = {name for name, value in upgraded.stack.outputs.items() if upgraded.old_outputs.get(name) != value}
    assert changed <= {"QueueUrl", "QueueArn"}
