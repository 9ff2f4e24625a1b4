"""`make run` and the other make targets for a running stack, as in a terminal."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from local.processes import HOST, free_port, until
from local.send import to_queue
from local.stack import Stack, logged
from tests.support.make_run import STOP_SECONDS, environment, make_run, stack_file
from tests.support.paths import DOCS, ROOT

READY_SECONDS = 90.0
COMMAND_SECONDS = 60.0
HTTP_SECONDS = 10.0


@dataclass
class Terminal:
    """A running `make run` that is ready."""

    process: subprocess.Popen[bytes]
    folder: Path
    emulator_port: int
    simulator_port: int

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    @property
    def stack(self) -> Stack:
        return Stack(**json.loads(stack_file(self.folder).read_text())["stack"])

    def run(self, *command: str, ports: tuple[int, int] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in a second terminal."""
        return run_command(command, ports or (self.emulator_port, self.simulator_port), self.folder)


def run_command(command: Sequence[str], ports: tuple[int, int], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(ports, folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("make-run")
    ports = free_port(), free_port()
    with make_run(ports, folder) as process:
        terminal = Terminal(process, folder, *ports)
        until(
            lambda: "\nReady." in terminal.output or process.poll() is not None, READY_SECONDS, "make run was not ready"
        )
        assert process.poll() is None, terminal.output
        yield terminal


def test_a_call_is_rejected(terminal: Terminal) -> None:
    assert re.search(r"ringing\b.*\b200 OK\b.*\brejected", terminal.output, re.DOTALL)
    assert not re.search("up to date|Nothing to be done", terminal.output)


def test_the_page_shows_the_stack(terminal: Terminal) -> None:
    address = f"http://{HOST}:{terminal.simulator_port}/"
    assert f" {address}\n" in terminal.output
    assert "<title>CallReject" in requests.get(address, headers={"Accept": "text/html"}, timeout=HTTP_SECONDS).text
    stack = requests.get(f"{address}page/overview", timeout=HTTP_SECONDS).json()["stack"]
    queue = requests.get(stack["QueuesUrl"], timeout=HTTP_SECONDS).json()["queue"]
    assert queue == {"waiting": 0, "in_flight": 0}


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_command_can_be_pasted(terminal: Terminal) -> None:
    lines = terminal.output.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  TOKEN="))
    completed = terminal.run("bash", "-c", "\n".join(lines[start : start + 3]))
    assert "HTTP/1.1 200" in completed.stdout
    assert '"Code": 0' in completed.stdout


def test_make_invoke_sends_a_sample_event(terminal: Terminal) -> None:
    completed = terminal.run("make", "invoke", "EVENT=events/CallRejectFunction/direct.json")
    assert '"Code":0' in completed.stdout.replace(" ", "")


def test_make_invoke_sends_messages_of_the_queue_with_the_current_time(terminal: Terminal) -> None:
    completed = terminal.run("make", "invoke", "EVENT=events/CallRejectQueueFunction/batch.json")
    assert '{"batchItemFailures": []}' in completed.stdout
    assert len(re.findall(r" Rejected +0 +\d+  call-batch-[12]\n", completed.stdout)) == 2
    assert "_aws" not in completed.stdout
    metrics = next(
        line for line in logged(terminal.stack, lambda lines: "MessageAge" in str(lines)) if "MessageAge" in line
    )
    assert all(0 <= age < COMMAND_SECONDS for age in json.loads(metrics)["MessageAge"])


@contextlib.contextmanager
def make_logs(terminal: Terminal, *variables: str) -> Iterator[Path]:
    """Run `make logs` until the block ends. Its output is in the file."""
    log = terminal.folder / "logs"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "logs", *variables],  # noqa: S607 - make from the PATH
            cwd=ROOT,
            env=environment((terminal.emulator_port, terminal.simulator_port), terminal.folder),
            stdout=output,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(STOP_SECONDS)


def test_make_logs_shows_a_line_for_each_request(terminal: Terminal) -> None:
    call_id = terminal.stack.simulator.ring("user0")
    with make_logs(terminal) as log:
        until(lambda: "What went wrong" in log.read_text(), COMMAND_SECONDS, "The logs were not shown")
        to_queue(terminal.stack, json.dumps({"FromUserId": "user0", "CallId": call_id}))
        until(lambda: call_id in log.read_text(), COMMAND_SECONDS, "The request was not shown")
    shown = log.read_text()
    assert re.search(rf"\n[0-9:.]{{12}}  CallRejectQueueFunction  Rejected +0 +\d+  {call_id}\n", shown)
    assert not re.search("_aws|RequestId: |Traceback", shown)


def test_make_logs_can_show_everything(terminal: Terminal) -> None:
    with make_logs(terminal, "RAW=1") as log:
        until(lambda: "REPORT RequestId: " in log.read_text(), COMMAND_SECONDS, "The logs were not shown")
        until(lambda: "_aws" in log.read_text(), COMMAND_SECONDS, "The metrics were not shown")


def test_make_do_not_disturb_deploys_the_example_rejects_a_call_and_switches_it_off(terminal: Terminal) -> None:
    completed = terminal.run("make", "do-not-disturb")
    assert re.search(r"ringing\n.*rejected, \d+\.\d\d s after the ring\n", completed.stdout), completed.stderr
    ringing = terminal.stack.simulator.ring("user0")
    callbacks = terminal.stack.simulator.callbacks
    until(lambda: callbacks()[-1].statuses == [200], COMMAND_SECONDS, "The callback was not accepted")
    assert terminal.stack.simulator.call(ringing).state == "ringing"


def test_dead_letters_are_listed_each_time_until_they_are_moved_back(terminal: Terminal) -> None:
    stack = terminal.stack
    stack.simulator.fault("code", code=660500002)
    failed = terminal.run("make", "send", "TO=queue")
    assert failed.returncode != 0
    assert "not rejected. To see why, run `make logs` and `make dead-letters`." in failed.stderr
    call_id = stack.simulator.calls()[-1].call_id
    first = terminal.run("make", "dead-letters").stdout
    assert "UserNotRegistered: " in first
    assert f'"CallId": "{call_id}"' in first
    assert "Dead letters: 1." in first
    assert terminal.run("make", "dead-letters").stdout == first
    assert terminal.run("make", "redrive").stdout == "Messages moved back to the queue: 1\n"
    assert terminal.run("make", "dead-letters").stdout == "Dead letters: 0\n"


def test_a_second_make_run_names_the_first_and_leaves_it_alone(terminal: Terminal) -> None:
    before = stack_file(terminal.folder).read_text()
    second = terminal.run("make", "run", ports=(free_port(), free_port()))
    assert second.returncode != 0
    assert "A stack is already running in this folder" in second.stderr
    for port in (terminal.emulator_port, terminal.simulator_port):
        assert f"http://{HOST}:{port}" in second.stderr
    (number,) = re.findall(r"`kill (\d+)`", second.stderr)
    arguments = subprocess.run(["ps", "-o", "args=", "-p", number], capture_output=True, text=True, check=True)  # noqa: S607
    assert "local.run" in arguments.stdout
    assert "Traceback" not in second.stderr
    assert stack_file(terminal.folder).read_text() == before
    assert terminal.run("make", "dead-letters").returncode == 0


def test_all_ports_in_use_are_named_with_their_settings_and_a_command_that_works(
    terminal: Terminal, tmp_path: Path
) -> None:
    completed = run_command(["make", "run"], (terminal.emulator_port, terminal.simulator_port), tmp_path)
    assert completed.returncode != 0
    assert f"port {terminal.emulator_port} (EMULATOR_PORT)" in completed.stderr
    assert f"port {terminal.simulator_port} (SIMULATOR_PORT)" in completed.stderr
    assert re.search(r"make run EMULATOR_PORT=\d+ SIMULATOR_PORT=\d+\n", completed.stderr)
    assert "Traceback" not in completed.stderr


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_commands_for_your_own_client_work_as_printed(terminal: Terminal) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (DOCS / "local-stack.md").read_text(), re.DOTALL)
    variables, ring, reject, look, fault, no_fault = blocks
    script = "\n".join([variables, ring, reject, look, fault, reject, no_fault, ring.replace("$CALL", "${CALL}b")])
    script = script.replace("http://127.0.0.1:8600", f"http://{HOST}:{terminal.simulator_port}")
    completed = terminal.run("bash", "-euc", script)
    assert completed.stderr == ""
    documents = [json.loads(line) for line in completed.stdout.splitlines() if line]
    assert [each.get("State", each.get("Code", each.get("kind"))) for each in documents] == [
        *("ringing", 0, "rejected", "code", 1, "ringing"),
    ]
    assert terminal.stack.simulator.faults() == []


@pytest.mark.parametrize(
    ("language", "file", "command", "done"),
    [
        ("python", "client.py", Path(sys.executable), "True\n"),
        ("javascript", "client.mjs", Path(sysconfig.get_path("scripts")) / "node", "true\n"),
    ],
    ids=["Python", "JavaScript"],
)
def test_the_client_examples_reject_a_call_as_printed(
    terminal: Terminal, tmp_path: Path, language: str, file: str, command: Path, done: str
) -> None:
    (code,) = re.findall(rf"```{language}\n(.*?)```", (DOCS / "local-stack.md").read_text(), re.DOTALL)
    (tmp_path / file).write_text(code)
    (tmp_path / "docs").symlink_to(DOCS)
    url, token = (terminal.run("make", "-s", *line).stdout.strip() for line in (["url"], ["token", "USER=alice"]))
    call_id = terminal.stack.simulator.ring("alice")
    completed = subprocess.run(
        [command, file, url, token, call_id],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    assert (completed.stdout, completed.stderr) == (done, "")
    assert terminal.stack.simulator.call(call_id).state == "rejected"


@pytest.mark.parametrize("value", ["abc", "80"])
def test_an_invalid_port_is_an_error_in_one_sentence(tmp_path: Path, value: str) -> None:
    completed = run_command(["make", "run", f"EMULATOR_PORT={value}"], (free_port(), free_port()), tmp_path)
    error = f"make run: EMULATOR_PORT={value} is not a port. Set it to a number from 1024 to 65535."
    assert error in completed.stderr.splitlines()
    assert "Traceback" not in completed.stderr


def test_the_other_targets_say_that_no_stack_is_running(tmp_path: Path) -> None:
    for target in ("dead-letters", "redrive", "logs", "send", "invoke", "url", "token"):
        command = ["make", target, "TO=bus", "EVENT=events/CallRejectFunction/direct.json"]
        completed = run_command(command, (free_port(), free_port()), tmp_path)
        assert f"make {target}: No stack is running. Start one with `make run`" in completed.stderr


def test_ctrl_c_stops_all_processes(terminal: Terminal) -> None:
    os.killpg(terminal.process.pid, signal.SIGINT)
    terminal.process.wait(STOP_SECONDS)
    assert "Stopped. Nothing is left running." in terminal.output
    for port in (terminal.emulator_port, terminal.simulator_port):
        with socket.socket() as client:
            assert client.connect_ex((HOST, port)) != 0
    assert "No stack is running." in terminal.run("make", "dead-letters").stderr
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert not [line for line in processes.splitlines() if str(terminal.simulator_port) in line]
