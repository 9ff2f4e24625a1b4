"""The README's first promise: `make run` and what it prints, as somebody at a terminal uses it."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from local.processes import HOST, free_port
from local.stack import ROOT, STATE_FILE

READY_SECONDS = 60.0
END_SECONDS = 30.0
SECONDS = 10.0


@dataclass
class Terminal:
    """A `make run` that says that it is ready."""

    process: subprocess.Popen[bytes]
    output: Path
    ports: tuple[int, int]


def environment(ports: tuple[int, int]) -> dict[str, str]:
    return {**os.environ, "EMULATOR_PORT": str(ports[0]), "SIMULATOR_PORT": str(ports[1])}


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    output = tmp_path_factory.mktemp("make-run") / "output"
    ports = free_port(), free_port()
    with output.open("wb") as written:
        process = subprocess.Popen(
            ["make", "run"],  # noqa: S607 - whatever make the person has
            cwd=ROOT,
            env=environment(ports),
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while "Ready. Ctrl-C ends everything." not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        yield Terminal(process, output, ports)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(END_SECONDS)


def test_a_call_is_rejected_before_your_eyes(terminal: Terminal) -> None:
    said = terminal.output.read_text()
    assert "The call at ZIM: ringing" in said
    assert "POST http://" in said
    assert "200 OK" in said
    assert '"Code": 0' in said
    assert "The call at ZIM: rejected" in said


def test_the_address_of_the_page_is_printed_and_the_page_knows_the_stack(terminal: Terminal) -> None:
    address = f"http://{HOST}:{terminal.ports[1]}/"
    assert f"Try it in a browser: {address}\n" in terminal.output.read_text()
    assert "<title>CallReject" in requests.get(address, headers={"Accept": "text/html"}, timeout=SECONDS).text
    stack = requests.get(f"{address}page/overview", timeout=SECONDS).json()["stack"]
    assert requests.get(stack["QueuesUrl"], timeout=SECONDS).json()["queue"] == {"waiting": 0, "in_flight": 0}


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl on this machine")
def test_the_curl_line_works_as_pasted_and_more_than_once(terminal: Terminal) -> None:
    lines = terminal.output.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  TOKEN="))
    for _ in range(2):
        pasted = subprocess.run(
            ["bash", "-c", "\n".join(lines[start : start + 3])],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert "HTTP/1.1 200" in pasted.stdout
        assert '"Code": 0' in pasted.stdout
        time.sleep(1.1)  # the line's CALL is the second of the clock


def test_make_invoke_sends_a_sample_event(terminal: Terminal) -> None:
    invoked = subprocess.run(
        ["make", "invoke", "EVENT=events/CallRejectFunction/direct.json"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert '"Code":0' in invoked.stdout.replace(" ", "")


def test_a_port_in_use_is_one_sentence_and_a_failure(terminal: Terminal) -> None:
    ports = terminal.ports[0], free_port()
    second = subprocess.run(
        ["make", "run"],  # noqa: S607
        cwd=ROOT,
        env=environment(ports),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode != 0
    assert f"Port {ports[0]} is in use: end what listens there, or set EMULATOR_PORT to another." in second.stderr


def test_ctrl_c_ends_every_process_and_leaves_nothing_behind(terminal: Terminal) -> None:
    assert STATE_FILE.exists()
    os.killpg(terminal.process.pid, signal.SIGINT)
    terminal.process.wait(END_SECONDS)
    for port in terminal.ports:
        with socket.socket() as probe:
            assert probe.connect_ex((HOST, port)) != 0
    assert not STATE_FILE.exists()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert not [line for line in processes.splitlines() if str(terminal.ports[1]) in line]
