"""The JavaScript in docs/clients, run by Node.js against the deployed stack."""

import json
import secrets
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import JwtStack, wait_until_rejected
from tests.support.http_server import Request, Response, Server, serve
from tests.support.paths import DOCS

CLIENTS = DOCS / "clients"
NODE = Path(sysconfig.get_path("scripts")) / "node"
RUN_SECONDS = 60.0
RINGING_SECONDS = 20.0

CALL_REJECT = f"""
import {{ callReject }} from {json.dumps((CLIENTS / "call_reject.mjs").as_uri())};
const given = JSON.parse(process.argv[1]);
const ExpiresAt = Math.ceil(Date.now() / 1000 + given.seconds);
const request = {{ CallId: given.CallId, Reason: "decline", ExpiresAt }};
console.log(await callReject(given.url, async () => given.token, request));
"""

SERVICE_WORKER = f"""
const given = JSON.parse(process.argv[1]);
const listeners = {{}}, shown = [], network = globalThis.fetch;
globalThis.self = {{
  addEventListener: (name, listener) => (listeners[name] = listener),
  registration: {{ showNotification: async (title, options) => shown.push(options) }},
}};
globalThis.fetch = async (url, options) =>
  url === "/token" ? new Response(given.token) : network(given.url + new URL(url).pathname, options);
await import({json.dumps((CLIENTS / "service_worker.mjs").as_uri())});
const dispatch = async (name, event) => {{
  const promises = [];
  listeners[name]({{ ...event, waitUntil: (promise) => promises.push(promise) }});
  return Promise.all(promises);
}};
const ExpiresAt = Math.ceil(Date.now() / 1000 + 90);
const content = {{ CallId: given.CallId, ExpiresAt, title: "caller0 is calling" }};
await dispatch("push", {{ data: {{ json: () => content }} }});
let closed = 0;
const notification = {{ data: shown[0].data, close: () => closed++ }};
const results = await dispatch("notificationclick", {{ action: given.action, notification }});
console.log(JSON.stringify({{ actions: shown[0].actions.map((action) => action.action), closed, results }}));
"""


@dataclass
class Proxy:
    """A server between Node.js and the stack. Node.js does not resolve the API's host name on every system."""

    jwt_stack: JwtStack
    user: str
    server: Server | None = None
    planned: list[Response | None] = field(default_factory=list)
    """What the next requests get instead of the stack's response; None closes the connection."""
    statuses: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The base URL."""
        assert self.server
        return self.server.url

    def seconds(self) -> list[float]:
        """Return the time between each request and the one before."""
        assert self.server
        times = [request.received_at for request in self.server.requests]
        return [later - earlier for earlier, later in pairwise(times)]

    def respond(self, request: Request) -> Response | None:
        """Forward a request, unless another response is planned."""
        response = self.planned.pop(0) if self.planned else self._forward(request)
        if response:
            self.statuses.append(response.status)
        return response

    def _forward(self, request: Request) -> Response:
        stack = self.jwt_stack.stack
        urls = {"/call-reject": stack.call_reject_url, "/call-reject/async": stack.call_reject_async_url}
        headers = {"Authorization": request.headers["Authorization"]}
        response = stack.request("POST", urls[request.path], request.body, headers, signed=False)
        kept = ("Content-Type", "Retry-After")
        headers = {name: response.headers[name] for name in kept if name in response.headers}
        return Response(response.status_code, response.content, headers)

    def call_reject(
        self, call_id: str, path: str = "/call-reject", token: str | None = None, seconds: float = RINGING_SECONDS
    ) -> tuple[bool, str]:
        """Run callReject of call_reject.mjs for the user; return its result and what it logs to the console."""
        token = token or self.jwt_stack.issuer.token(self.user)
        completed = run_node(CALL_REJECT, url=self.url + path, token=token, CallId=call_id, seconds=seconds)
        return json.loads(completed.stdout), completed.stderr

    def click(self, call_id: str, action: str) -> Any:
        """Run the handlers of service_worker.mjs, with stand-ins for the browser, and return what they did."""
        token = self.jwt_stack.issuer.token(self.user)
        completed = run_node(SERVICE_WORKER, url=self.url, token=token, CallId=call_id, action=action)
        return json.loads(completed.stdout)


def run_node(script: str, **given: Any) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [NODE, "--input-type=module", "--eval", script, "--", json.dumps(given)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=RUN_SECONDS)


@pytest.fixture
def proxy(jwt_stack: JwtStack) -> Iterator[Proxy]:
    """A proxy for another user in each test, because the API limits the requests of one user."""
    proxy = Proxy(jwt_stack, user=f"user-{secrets.token_hex(4)}")
    jwt_stack.stack.simulator.register(proxy.user)
    with serve(proxy.respond) as proxy.server:
        yield proxy


@pytest.fixture
def call_id(jwt_stack: JwtStack, proxy: Proxy) -> str:
    """A call that rings for the user."""
    return jwt_stack.stack.simulator.ring(proxy.user)


def test_a_call_is_rejected_with_the_extended_data_of_the_uikit(
    jwt_stack: JwtStack, proxy: Proxy, call_id: str
) -> None:
    assert proxy.call_reject(call_id) == (True, "")
    assert proxy.statuses == [200]
    sent = json.loads(jwt_stack.stack.simulator.call(call_id).extended_data[proxy.user])
    assert sent == {"invitation_id": "", "reason": "decline", "custom_data": "", "v": "f1.0"}


def test_a_queued_request_is_a_success(jwt_stack: JwtStack, proxy: Proxy, call_id: str) -> None:
    assert proxy.call_reject(call_id, "/call-reject/async") == (True, "")
    assert proxy.statuses == [202]
    wait_until_rejected(jwt_stack.stack, call_id)


def test_a_closed_invitation_is_a_success(jwt_stack: JwtStack, proxy: Proxy, call_id: str) -> None:
    jwt_stack.stack.simulator.end(call_id)
    assert proxy.call_reject(call_id) == (True, "")
    assert proxy.statuses == [409]


def test_a_retryable_error_is_retried_after_retry_after(jwt_stack: JwtStack, proxy: Proxy, call_id: str) -> None:
    jwt_stack.stack.simulator.fault("code", code=1)
    assert proxy.call_reject(call_id)[0]
    assert proxy.statuses == [503, 200]
    (pause,) = proxy.seconds()
    assert 5 <= pause < 8


def test_without_retry_after_the_pauses_grow(proxy: Proxy, call_id: str) -> None:
    proxy.planned = [None, Response.json({"message": "Internal Server Error"}, status=500)]
    done, log = proxy.call_reject(call_id)
    assert done
    assert log
    assert proxy.statuses == [500, 200]
    first, second = proxy.seconds()
    assert 1 <= first < 2 <= second


def test_an_error_that_is_not_retryable_is_logged_and_not_retried(
    jwt_stack: JwtStack, proxy: Proxy, call_id: str
) -> None:
    jwt_stack.stack.simulator.fault("code", code=100000005)
    done, log = proxy.call_reject(call_id)
    assert not done
    assert proxy.statuses == [502]
    assert "502 urn:problem-type:call-reject:ZimConfigurationError" in log


def test_an_invalid_token_is_logged_and_not_retried(proxy: Proxy, call_id: str) -> None:
    done, log = proxy.call_reject(call_id, token="invalid")
    assert not done
    assert proxy.statuses == [401]
    assert "401" in log


def test_no_retry_starts_after_the_invitation_has_timed_out(proxy: Proxy, call_id: str) -> None:
    throttled = Response.json({"message": "Too Many Requests"}, status=429, headers={"Retry-After": "1"})
    proxy.planned = [throttled] * 5
    assert not proxy.call_reject(call_id, seconds=1.9)[0]
    assert len(proxy.statuses) in {2, 3}  # ExpiresAt is in whole seconds


def test_decline_in_a_notification_of_a_browser_rejects_the_call(
    jwt_stack: JwtStack, proxy: Proxy, call_id: str
) -> None:
    assert proxy.click(call_id, "decline") == {"actions": ["decline"], "closed": 1, "results": [True]}
    assert proxy.statuses == [202]
    wait_until_rejected(jwt_stack.stack, call_id)


def test_a_click_elsewhere_on_the_notification_sends_no_request(proxy: Proxy, call_id: str) -> None:
    assert proxy.click(call_id, "") == {"actions": ["decline"], "closed": 0, "results": []}
    assert proxy.statuses == []
