"""The JavaScript and the Python in docs/clients, run against the deployed stack at its printed address."""

import json
import secrets
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local.processes import HOST, free_port
from tests.e2e.conftest import JwtStack, wait_until_rejected
from tests.support.http_server import Request, Response, Server, serve
from tests.support.paths import DOCS

CLIENTS = DOCS / "clients"
NODE = Path(sysconfig.get_path("scripts")) / "node"
RUN_SECONDS = 60.0
RINGING_SECONDS = 20.0

JAVASCRIPT = f"""
import {{ callReject }} from {json.dumps((CLIENTS / "call_reject.mjs").as_uri())};
const given = JSON.parse(process.argv[1]);
const request = {{ CallId: given.CallId, Reason: "decline" }};
if (given.seconds) request.ExpiresAt = Math.ceil(Date.now() / 1000 + given.seconds);
const token = async () => {{
  if (given.failures-- > 0) throw new Error("the issuer is unreachable");
  return given.token;
}};
console.log(await callReject(given.url, token, request));
"""

PYTHON = f"""
import json, logging, math, runpy, sys, time
logging.basicConfig()
call_reject = runpy.run_path({str(CLIENTS / "call_reject.py")!r})["call_reject"]
given = json.loads(sys.argv[1])
request = {{"CallId": given["CallId"], "Reason": "decline"}}
if given["seconds"]:
    request["ExpiresAt"] = math.ceil(time.time() + given["seconds"])
def token():
    given["failures"] -= 1
    if given["failures"] >= 0:
        raise OSError("the issuer is unreachable")
    return given["token"]
print(json.dumps(call_reject(given["url"], token, request)))
"""

COMMANDS: dict[str, list[str | Path]] = {
    "JavaScript": [NODE, "--input-type=module", "--eval", JAVASCRIPT, "--"],
    "Python": [sys.executable, "-c", PYTHON],
}
"""Commands that call `callReject` or `call_reject` with the JSON object in their last argument."""

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
class Client:
    """A user of the deployed stack, and a language of the code that rejects the user's calls."""

    jwt_stack: JwtStack
    user: str
    language: str

    def call_reject(
        self,
        call_id: str,
        url: str | None = None,
        token: str | None = None,
        seconds: float = RINGING_SECONDS,
        failures: int = 0,
    ) -> tuple[bool, str]:
        """Run callReject, by default with `CallRejectUrl`; return its result and what it logs.

        `failures` is how often there is no token at first.
        """
        completed = run(
            COMMANDS[self.language],
            url=url or self.jwt_stack.stack.call_reject_url,
            token=token or self.jwt_stack.issuer.token(self.user),
            CallId=call_id,
            seconds=seconds,
            failures=failures,
        )
        return json.loads(completed.stdout), completed.stderr


@dataclass
class Proxy:
    """A server between the client and the stack, which can give responses of its own."""

    jwt_stack: JwtStack
    server: Server | None = None
    planned: list[Response | None] = field(default_factory=list)
    """What the next requests get instead of the stack's response; None closes the connection."""
    statuses: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL in place of `CallRejectUrl`."""
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
        headers = {"Authorization": request.headers["Authorization"]}
        response = stack.request("POST", stack.call_reject_url, request.body, headers, signed=False)
        kept = ("Content-Type", "Retry-After")
        headers = {name: response.headers[name] for name in kept if name in response.headers}
        return Response(response.status_code, response.content, headers)


def run(command: list[str | Path], **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, json.dumps(given)], capture_output=True, text=True, check=True, timeout=RUN_SECONDS
    )


@pytest.fixture
def user(jwt_stack: JwtStack) -> str:
    """Another user in each test, because the API limits the requests of one user."""
    user = f"user-{secrets.token_hex(4)}"
    jwt_stack.stack.simulator.register(user)
    return user


@pytest.fixture(params=COMMANDS)
def client(jwt_stack: JwtStack, user: str, request: pytest.FixtureRequest) -> Client:
    """The user with the client code of each language."""
    return Client(jwt_stack, user, request.param)


@pytest.fixture
def proxy(jwt_stack: JwtStack) -> Iterator[Proxy]:
    """A proxy in front of `CallRejectUrl`."""
    proxy = Proxy(jwt_stack)
    with serve(proxy.respond) as proxy.server:
        yield proxy


@pytest.fixture
def call_id(jwt_stack: JwtStack, user: str) -> str:
    """A call that rings for the user."""
    return jwt_stack.stack.simulator.ring(user)


def test_a_call_is_rejected_with_the_extended_data_of_the_uikit(client: Client, call_id: str) -> None:
    assert client.call_reject(call_id) == (True, "")
    sent = json.loads(client.jwt_stack.stack.simulator.call(call_id).extended_data[client.user])
    assert sent == {"invitation_id": "", "reason": "decline", "custom_data": "", "v": "f1.0"}


def test_a_queued_request_is_a_success(client: Client, call_id: str) -> None:
    assert client.call_reject(call_id, client.jwt_stack.stack.call_reject_async_url) == (True, "")
    wait_until_rejected(client.jwt_stack.stack, call_id)


def test_a_closed_invitation_is_a_success(client: Client, proxy: Proxy, call_id: str) -> None:
    client.jwt_stack.stack.simulator.end(call_id)
    assert client.call_reject(call_id, proxy.url) == (True, "")
    assert proxy.statuses == [409]


def test_a_retryable_error_is_logged_and_retried_after_retry_after(client: Client, proxy: Proxy, call_id: str) -> None:
    client.jwt_stack.stack.simulator.fault("code", code=1)
    done, log = client.call_reject(call_id, proxy.url)
    assert done
    assert "CallReject: 503 urn:problem-type:call-reject:ZimUnavailable" in log
    assert proxy.statuses == [503, 200]
    (pause,) = proxy.seconds()
    assert 5 <= pause < 8


def test_without_seconds_in_retry_after_the_pauses_grow(client: Client, proxy: Proxy, call_id: str) -> None:
    date = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}  # allowed by RFC 9110
    proxy.planned = [None, Response.json({"message": "Internal Server Error"}, status=500, headers=date)]
    done, log = client.call_reject(call_id, proxy.url)
    assert done
    assert "CallReject: no response, or no token: " in log
    assert proxy.statuses == [500, 200]
    first, second = proxy.seconds()
    assert 1 <= first < 2 <= second


def test_an_error_that_is_not_retryable_is_logged_and_not_retried(client: Client, call_id: str) -> None:
    client.jwt_stack.stack.simulator.fault("code", code=100000005)
    done, log = client.call_reject(call_id)
    assert not done
    assert "502 urn:problem-type:call-reject:ZimConfigurationError" in log
    assert len(client.jwt_stack.stack.simulator.requests()) == 1


def test_an_invalid_token_is_logged_and_not_retried(client: Client, proxy: Proxy, call_id: str) -> None:
    done, log = client.call_reject(call_id, proxy.url, token="invalid")
    assert not done
    assert proxy.statuses == [401]
    assert "401" in log


def test_a_redirect_is_logged_and_not_followed(client: Client, proxy: Proxy, call_id: str) -> None:
    proxy.planned = [Response(302, headers={"Location": "/login"}), Response(body=b"<title>Log in</title>")]
    done, log = client.call_reject(call_id, proxy.url)
    assert not done
    assert proxy.statuses == [302]
    assert "CallReject: 302" in log


def test_credentials_in_a_netrc_file_do_not_replace_the_token(
    client: Client, call_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login somebody password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    assert client.call_reject(call_id) == (True, "")


def test_a_request_without_expires_at_is_not_sent(client: Client, call_id: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        client.call_reject(call_id, seconds=0)
    assert "ExpiresAt" in failure.value.stderr
    assert client.jwt_stack.stack.simulator.requests() == []


def test_a_missing_token_is_logged_and_retried(client: Client, call_id: str) -> None:
    done, log = client.call_reject(call_id, failures=1)
    assert done
    assert "CallReject: no response, or no token: the issuer is unreachable" in log


def test_no_retry_starts_after_the_invitation_has_timed_out(client: Client, proxy: Proxy, call_id: str) -> None:
    throttled = Response.json({"message": "Too Many Requests"}, status=429, headers={"Retry-After": "1"})
    proxy.planned = [throttled] * 5
    assert not client.call_reject(call_id, proxy.url, seconds=1.9)[0]
    assert len(proxy.statuses) in {2, 3}  # ExpiresAt is in whole seconds


@pytest.mark.parametrize("language", COMMANDS)
def test_the_log_says_why_there_is_no_connection(jwt_stack: JwtStack, user: str, language: str, call_id: str) -> None:
    nowhere = f"http://{HOST}:{free_port()}/call-reject"
    done, log = Client(jwt_stack, user, language).call_reject(call_id, nowhere, seconds=0.5)
    assert not done
    assert "ECONNREFUSED" in log or "Connection refused" in log


def click(jwt_stack: JwtStack, user: str, call_id: str, action: str) -> Any:
    """Run the handlers of service_worker.mjs, with stand-ins for the browser, and return what they did."""
    stack, token = jwt_stack.stack, jwt_stack.issuer.token(user)
    url = stack.call_reject_url.removesuffix("/call-reject")
    command: list[str | Path] = [NODE, "--input-type=module", "--eval", SERVICE_WORKER, "--"]
    return json.loads(run(command, url=url, token=token, CallId=call_id, action=action).stdout)


def test_decline_in_a_notification_of_a_browser_rejects_the_call(jwt_stack: JwtStack, user: str, call_id: str) -> None:
    assert click(jwt_stack, user, call_id, "decline") == {"actions": ["decline"], "closed": 1, "results": [True]}
    wait_until_rejected(jwt_stack.stack, call_id)


def test_a_click_elsewhere_on_the_notification_sends_no_request(jwt_stack: JwtStack, user: str, call_id: str) -> None:
    assert click(jwt_stack, user, call_id, "") == {"actions": ["decline"], "closed": 0, "results": []}
    assert jwt_stack.stack.simulator.requests() == []
