"""Run a simulator in a thread, and a client for the control routes of any running simulator."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import quote

import requests

from local.access import HEADER
from local.zim_simulator.callbacks import RETRY_DELAYS, Delivery
from local.zim_simulator.calls import DEFAULT_TIMEOUT_SECONDS, Mode
from local.zim_simulator.faults import Fault, Kind
from local.zim_simulator.server import Addresses, listening
from local.zim_simulator.state import Record
from local.zim_simulator.zim import APP_ID, Settings

CONTROL_TIMEOUT_SECONDS = 10
START_SECONDS = 10


@dataclass(frozen=True)
class CallView:
    """A call at the time of the request, with the state of each invitation and the ExtendedData of each rejection.

    `rejected_after` has the seconds from each invitation to its rejection, or None.
    """

    call_id: str
    state: str
    invitees: dict[str, str]
    extended_data: dict[str, str]
    rejected_after: dict[str, float | None]


class SimulatorClient:
    """A client of the simulator at `url`. Raises ValueError with the simulator's message if it rejects a request."""

    def __init__(self, url: str, https_url: str | None = None, ca_file: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self.https_url = https_url
        self.ca_file = ca_file
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy from the environment
        self._session.headers[HEADER] = "1"

    def register(self, *user_ids: str) -> None:
        """Register users with ZIM."""
        self._request("POST", "users", {"UserIds": user_ids})

    def ring(
        self,
        *invitees: str,
        caller: str = "caller",
        call_id: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        mode: Mode = Mode.NORMAL,
    ) -> str:
        """Start a call that rings for `timeout` seconds, register its users, and return its id."""
        call = {"Caller": caller, "Invitees": invitees, "Timeout": timeout, "Mode": mode}
        return _call_view(
            self._request("POST", "calls", call if call_id is None else {**call, "CallId": call_id})
        ).call_id

    def call(self, call_id: str) -> CallView:
        """Return a call."""
        return _call_view(self._request("GET", f"calls/{quote(call_id, safe='')}"))

    def calls(self) -> list[CallView]:
        """Return all calls, oldest first."""
        return [_call_view(call) for call in self._request("GET", "calls")]

    def end(self, call_id: str) -> None:
        """End a call, as its caller does by hanging up."""
        self._request("POST", f"calls/{quote(call_id, safe='')}/end")

    def invite(self, call_id: str, *invitees: str, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        """Invite users to an advanced call, for the first time or again."""
        body = {"Invitees": invitees, "Timeout": timeout}
        self._request("POST", f"calls/{quote(call_id, safe='')}/invite", body)

    def send_callbacks(self, url: str, secret: str, *, retry_delays: Sequence[float] = RETRY_DELAYS) -> None:
        """Send callbacks of invitations to a URL until the next reset."""
        body = {"Url": url, "CallbackSecret": secret, "RetryDelays": list(retry_delays)}
        self._request("PUT", "callback", body)

    def callbacks(self) -> list[Delivery]:
        """Return the callbacks that were sent, oldest first."""
        return [Delivery(**delivery) for delivery in self._request("GET", "callbacks")]

    def fault(self, kind: Kind, *, times: int | None = 1, **members: float | str) -> None:
        """Add a fault for the next `times` requests (None: until cleared). See `Fault` for the other members."""
        self._request("POST", "faults", {"kind": kind, "times": times, **members})

    def faults(self) -> list[Fault]:
        """Return the faults to come."""
        return [Fault(**fault) for fault in self._request("GET", "faults")]

    def clear_faults(self) -> None:
        """Remove all faults. Requests that hang get their response."""
        self._request("DELETE", "faults")

    def requests(self) -> list[Record]:
        """Return the requests to the API in the order of arrival."""
        return [Record(**record) for record in self._request("GET", "requests")]

    def clear_requests(self) -> None:
        """Remove the recorded requests."""
        self._request("DELETE", "requests")

    def settings(self, **changes: float | str) -> Settings:
        """Change some settings and return all."""
        return Settings(**self._request("PATCH", "settings", changes))

    def rotate(self) -> str:
        """Replace the secret of the app by a random one, and return it."""
        server_secret = secrets.token_hex(16)
        self._request("PUT", "app", {"AppId": APP_ID, "ServerSecret": server_secret})
        return server_secret

    def reset(self) -> None:
        """Return to the initial state: one app, default settings, no users, calls, faults or requests."""
        self._request("POST", "reset")

    def _request(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self.url}/simulator/{path}"
        response = self._session.request(method, url, json=body, timeout=CONTROL_TIMEOUT_SECONDS)
        if response.status_code in {400, 404}:
            raise ValueError(response.text)
        response.raise_for_status()
        return response.json() if response.content else None


@contextmanager
def simulator(*, https: bool = True) -> Iterator[SimulatorClient]:
    """Run a simulator on free ports, in a thread, until the block ends."""
    started: Future[tuple[Addresses, Callable[[], object]]] = Future()

    async def serve(ca_file: Path) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        async with listening(0, 0 if https else None, ca_file) as addresses:
            started.set_result((addresses, lambda: loop.call_soon_threadsafe(stopped.set)))
            await stopped.wait()

    with TemporaryDirectory() as directory:
        ca_file = Path(directory) / "ca.pem"
        thread = Thread(target=lambda: asyncio.run(serve(ca_file)), name="ZIM simulator", daemon=True)
        thread.start()
        addresses, stop = started.result(START_SECONDS)
        try:
            yield SimulatorClient(addresses.url, addresses.https_url, ca_file if https else None)
        finally:
            stop()
            thread.join()


def _call_view(call: dict[str, Any]) -> CallView:
    return CallView(call["CallId"], call["State"], call["Invitees"], call["ExtendedData"], call["RejectedAfter"])
