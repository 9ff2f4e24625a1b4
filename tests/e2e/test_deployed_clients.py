"""The JavaScript of docs/clients.md, run by Node.js against the deployed stack, through a door that sees each try."""

import json
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.issuer import AUDIENCE, Issuer, issuer
from local.processes import HOST, free_port, until
from local.stack import ROOT, Stack, deployed

CLIENTS = ROOT / "docs" / "clients"
NODE = Path(sysconfig.get_path("scripts")) / "node"
RUN_SECONDS = 60.0
RINGS_SECONDS = 20.0

CALL_REJECT = f"""
import {{ callReject, UIKIT_DECLINE }} from {json.dumps((CLIENTS / "call_reject.mjs").as_uri())};
const given = JSON.parse(process.argv[1]);
const request = {{ CallId: given.CallId, ExtendedData: UIKIT_DECLINE }};
const ringsUntil = new Date(Date.now() + given.seconds * 1000);
console.log(await callReject(given.url, async () => given.token, request, ringsUntil));
"""

SERVICE_WORKER = f"""
const given = JSON.parse(process.argv[1]);
const listeners = {{}}, shown = [], network = globalThis.fetch;
globalThis.self = {{
  addEventListener: (name, listener) => (listeners[name] = listener),
  registration: {{ showNotification: async (title, options) => shown.push(options) }},
}};
globalThis.fetch = async (url, options) =>
  url === "/token" ? new Response(given.token) : network(given.door + new URL(url).pathname, options);
await import({json.dumps((CLIENTS / "service_worker.mjs").as_uri())});
const happens = async (name, event) => {{
  const waited = [];
  listeners[name]({{ ...event, waitUntil: (promise) => waited.push(promise) }});
  return Promise.all(waited);
}};
await happens("push", {{ data: {{ json: () => ({{ CallId: given.CallId, title: "caller0 is calling" }}) }} }});
let closed = 0;
const notification = {{ data: shown[0].data, close: () => closed++ }};
const done = await happens("notificationclick", {{ action: given.action, notification }});
console.log(JSON.stringify({{ actions: shown[0].actions.map((action) => action.action), closed, done }}));
"""


@dataclass
class Door:
    """A server between Node.js and the stack: Node.js need not resolve the API's host, and a test sees what comes."""

    stack: Stack
    url: str = ""
    broken: int = 0
    """So many connections to come are cut before any answer."""
    instead: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Statuses and bodies that the next tries get in place of the stack's, as API Gateway would answer by itself."""
    tries: list[float] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def answer(self, path: str, body: bytes, authorization: str) -> tuple[int, dict[str, str], bytes]:
        if self.instead:
            status, message = self.instead.pop(0)
            return status, {"Content-Type": "application/json"}, json.dumps(message).encode()
        route = {"/call-reject": self.stack.call_reject_url, "/call-reject/async": self.stack.call_reject_async_url}
        headers = {"Authorization": authorization}
        response = self.stack.request("POST", route[path], body, headers, signed=False)
        passed = ("Content-Type", "Retry-After")
        return (
            response.status_code,
            {name: response.headers[name] for name in passed if name in response.headers},
            (response.content),
        )


@contextmanager
def opened(stack: Stack) -> Iterator[Door]:
    door = Door(stack)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            door.tries.append(time.monotonic())
            if door.broken:
                door.broken -= 1
                self.close_connection = True
                return
            status, headers, answer = door.answer(self.path, body, self.headers["Authorization"])
            door.answers.append(status)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        door.url = f"http://{HOST}:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield door
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[Stack, Issuer]]:
    """A stack that asks for tokens, as apps have them."""
    with (
        issuer() as oidc,
        deployed(free_port(), free_port(), {"JwtIssuer": oidc.url, "JwtAudience": AUDIENCE}) as stack,
    ):
        yield stack, oidc


@pytest.fixture
def stack(guarded: tuple[Stack, Issuer]) -> Stack:
    guarded[0].simulator.reset()
    return guarded[0]


@pytest.fixture
def token(guarded: tuple[Stack, Issuer]) -> str:
    return guarded[1].token("user0")


@pytest.fixture
def door(stack: Stack) -> Iterator[Door]:
    with opened(stack) as door:
        yield door


def node(script: str, **given: Any) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [NODE, "--input-type=module", "--eval", script, "--", json.dumps(given)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=RUN_SECONDS)


def call_reject(door: Door, path: str, token: str, call: str, seconds: float = RINGS_SECONDS) -> tuple[bool, str]:
    """Run callReject of call_reject.mjs; return what it gives, and what it writes for the developer."""
    run = node(CALL_REJECT, url=door.url + path, token=token, CallId=call, seconds=seconds)
    return {"true": True, "false": False}[run.stdout.strip()], run.stderr


def test_a_call_is_rejected_with_what_the_uikit_expects(stack: Stack, door: Door, token: str) -> None:
    call = stack.simulator.ring("user0")
    assert call_reject(door, "/call-reject", token, call) == (True, "")
    assert door.answers == [200]
    sent = json.loads(stack.simulator.call(call).extended_data["user0"])
    assert sent == {"invitation_id": "", "reason": "decline", "custom_data": "", "v": "f1.0"}


def test_a_call_that_is_taken_for_later_is_rejected_soon(stack: Stack, door: Door, token: str) -> None:
    call = stack.simulator.ring("user0")
    assert call_reject(door, "/call-reject/async", token, call) == (True, "")
    assert door.answers == [202]
    until(lambda: stack.simulator.call(call).state == "rejected", 30, "The call was not rejected")


def test_a_call_that_is_over_needs_nothing(stack: Stack, door: Door, token: str) -> None:
    call = stack.simulator.ring("user0")
    stack.simulator.end(call)
    assert call_reject(door, "/call-reject", token, call) == (True, "")
    assert door.answers == [409]


@pytest.mark.parametrize(("code", "status", "retry_after"), [(660300005, 429, 1), (1, 503, 5)])
def test_the_next_try_waits_for_retry_after(
    stack: Stack, door: Door, token: str, code: int, status: int, retry_after: int
) -> None:
    call = stack.simulator.ring("user0")
    stack.simulator.fault("code", code=code)
    assert call_reject(door, "/call-reject", token, call)[0]
    assert door.answers == [status, 200]
    assert retry_after <= door.tries[1] - door.tries[0] < retry_after + 3


def test_without_retry_after_the_pauses_grow(stack: Stack, door: Door, token: str) -> None:
    call = stack.simulator.ring("user0")
    door.instead = [(429, {"message": "Too Many Requests"}), (500, {"message": "Internal Server Error"})]
    assert call_reject(door, "/call-reject", token, call)[0]
    assert door.answers == [429, 500, 200]
    assert 1 <= door.tries[1] - door.tries[0] < 2 <= door.tries[2] - door.tries[1]


def test_a_connection_that_breaks_is_tried_again(stack: Stack, door: Door, token: str) -> None:
    call = stack.simulator.ring("user0")
    door.broken = 1
    done, said = call_reject(door, "/call-reject", token, call)
    assert done
    assert "no answer" in said
    assert door.answers == [200]


def test_a_failure_that_is_not_retryable_ends_it_whatever_the_status(stack: Stack, door: Door, token: str) -> None:
    stack.simulator.fault("code", code=100000005)
    done, said = call_reject(door, "/call-reject", token, stack.simulator.ring("user0"))
    assert not done
    assert door.answers == [502]
    assert "502 urn:problem-type:call-reject:ZimRefusesUs" in said


def test_a_call_that_zim_cannot_find_yet_is_tried_again(stack: Stack, door: Door, token: str) -> None:
    call = stack.simulator.ring("user0")
    stack.simulator.fault("code", code=660900004)
    assert call_reject(door, "/call-reject", token, call)[0]
    assert door.answers == [404, 200]


def test_a_bad_request_ends_it(stack: Stack, door: Door, token: str) -> None:
    done, said = call_reject(door, "/call-reject", token, "c" * 33)
    assert not done
    assert door.answers == [400]
    assert "400 urn:problem-type:call-reject:InvalidRequest" in said


def test_a_token_that_is_not_good_ends_it(stack: Stack, door: Door) -> None:
    done, said = call_reject(door, "/call-reject", "no.token.at-all", stack.simulator.ring("user0"))
    assert not done
    assert door.answers == [401]
    assert "401 Unauthorized" in said


def test_no_try_begins_after_the_invitation_stopped_ringing(stack: Stack, door: Door, token: str) -> None:
    stack.simulator.fault("code", code=660300005, times=None)
    assert not call_reject(door, "/call-reject", token, stack.simulator.ring("user0"), seconds=2.5)[0]
    stack.simulator.clear_faults()
    assert len(door.tries) >= 2
    assert door.tries[-1] - door.tries[0] < 2.5


def test_decline_in_a_browsers_notification_rejects_the_call(stack: Stack, door: Door, token: str) -> None:
    """The handlers run as they are, in Node.js with stand-ins for the browser's `self`; no browser takes part."""
    call = stack.simulator.ring("user0")
    run = node(SERVICE_WORKER, door=door.url, token=token, CallId=call, action="decline")
    assert json.loads(run.stdout) == {"actions": ["decline"], "closed": 1, "done": [True]}
    assert door.answers == [202]
    until(lambda: stack.simulator.call(call).state == "rejected", 30, "The call was not rejected")


def test_a_click_elsewhere_on_a_browsers_notification_rejects_nothing(stack: Stack, door: Door, token: str) -> None:
    run = node(SERVICE_WORKER, door=door.url, token=token, CallId=stack.simulator.ring("user0"), action="")
    assert json.loads(run.stdout) == {"actions": ["decline"], "closed": 0, "done": []}
    assert door.tries == []
