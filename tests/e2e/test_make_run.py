"""`make run` and the other make targets for a running stack, as in a terminal."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from local.dead_letters import dead_letters
from local.processes import HOST, free_port, until
from local.send import to_queue
from local.stack import STATE_FILE, running
from tests.support.make_run import STOP_SECONDS, environment, make_run
from tests.support.paths import ROOT

READY_SECONDS = 90.0
COMMAND_SECONDS = 60.0
HTTP_SECONDS = 10.0


@dataclass
class Terminal:
    """A running `make run` that is ready."""

    process: subprocess.Popen[bytes]
    output: str
    emulator_port: int
    simulator_port: int


def run_command(command: list[str], ports: tuple[int, int] | None = None) -> subprocess.CompletedProcess[str]:
    variables = environment(*ports) if ports else None
    return subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    log = tmp_path_factory.mktemp("make-run") / "output"
    ports = free_port(), free_port()
    with make_run(ports, log) as process:
        deadline = time.monotonic() + READY_SECONDS
        while "\nReady." not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield Terminal(process, log.read_text(), *ports)


def test_a_call_is_rejected(terminal: Terminal) -> None:
    assert re.search(r"ringing\b.*\b200 OK\b.*\brejected", terminal.output, re.DOTALL)


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
    completed = run_command(["bash", "-c", "\n".join(lines[start : start + 3])])
    assert "HTTP/1.1 200" in completed.stdout
    assert '"Code": 0' in completed.stdout


def test_make_invoke_sends_a_sample_event(terminal: Terminal) -> None:
    completed = run_command(["make", "invoke", "EVENT=events/CallRejectFunction/direct.json"])
    assert '"Code":0' in completed.stdout.replace(" ", "")


def test_dead_letters_are_listed_each_time_until_they_are_moved_back(terminal: Terminal) -> None:
    stack = running()
    call_id = stack.simulator.ring("user0")
    stack.simulator.fault("code", code=660500002)
    to_queue(stack, json.dumps({"FromUserId": "user0", "CallId": call_id}))
    until(lambda: bool(dead_letters(stack)), COMMAND_SECONDS, "The message is not in the dead-letter queue")
    first = run_command(["make", "dead-letters"]).stdout
    assert "UserNotRegistered: " in first
    assert f'"CallId": "{call_id}"' in first
    assert "Dead letters: 1." in first
    assert run_command(["make", "dead-letters"]).stdout == first
    assert run_command(["make", "redrive"]).stdout == "Messages moved back to the queue: 1\n"
    assert run_command(["make", "dead-letters"]).stdout == "Dead letters: 0\n"


def test_a_port_in_use_is_an_error_that_names_the_port_and_the_setting(terminal: Terminal) -> None:
    completed = run_command(["make", "run"], (terminal.emulator_port, free_port()))
    assert completed.returncode != 0
    assert str(terminal.emulator_port) in completed.stderr
    assert "EMULATOR_PORT" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_ctrl_c_stops_all_processes_and_removes_the_state_file(terminal: Terminal) -> None:
    assert STATE_FILE.exists()
    os.killpg(terminal.process.pid, signal.SIGINT)
    terminal.process.wait(STOP_SECONDS)
    for port in (terminal.emulator_port, terminal.simulator_port):
        with socket.socket() as client:
            assert client.connect_ex((HOST, port)) != 0
    assert not STATE_FILE.exists()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert not [line for line in processes.splitlines() if str(terminal.simulator_port) in line]
