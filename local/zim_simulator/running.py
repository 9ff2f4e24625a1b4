"""Start a simulator from Python, and direct one that runs, here or elsewhere, through its control routes."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import quote

import requests

from local.zim_simulator.calls import DEFAULT_TIMEOUT_SECONDS, State
from local.zim_simulator.faults import Fault, Kind
from local.zim_simulator.server import listening
from local.zim_simulator.state import Record, Simulator
from local.zim_simulator.zim import APP_ID, SERVER_SECRET, Settings

CONTROL_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class CallSeen:
    """A call as it stood when asked about; `extended_data` holds what came with each invitee's rejection."""

    call_id: str
    caller: str
    timeout: float
    state: State
    seconds_left: float
    invitees: dict[str, State]
    extended_data: dict[str, str]


class SimulatorClient:
    """Directs the simulator at `url`. Raises ValueError, with the simulator's reason, where it refuses an input."""

    def __init__(self, url: str, https_url: str | None = None, ca_file: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self.https_url = https_url
        self.ca_file = ca_file
        self._session = requests.Session()
        self._session.trust_env = False  # A proxy of the environment's must not come between.

    def register(self, *user_ids: str) -> None:
        """Make users known to ZIM."""
        self._ask("POST", "users", {"UserIds": user_ids})

    def users(self) -> list[str]:
        """List the users known to ZIM, sorted."""
        users: list[str] = self._ask("GET", "users")
        return users

    def ring(
        self,
        *invitees: str,
        caller: str = "caller",
        call_id: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> str:
        """Start a call that rings for `timeout` seconds, and give its id. Whoever takes part is registered."""
        call = {"Caller": caller, "Invitees": invitees, "Timeout": timeout}
        return _seen(self._ask("POST", "calls", call if call_id is None else {**call, "CallId": call_id})).call_id

    def call(self, call_id: str) -> CallSeen:
        """Show one call."""
        return _seen(self._ask("GET", f"calls/{quote(call_id, safe='')}"))

    def calls(self) -> list[CallSeen]:
        """Show all calls, the oldest first."""
        return [_seen(call) for call in self._ask("GET", "calls")]

    def end(self, call_id: str) -> None:
        """End a call, as its caller would by hanging up."""
        self._ask("POST", f"calls/{quote(call_id, safe='')}/end")

    def fault(self, kind: Kind, *, times: int | None = 1, **members: float | str) -> None:
        """Let the next `times` requests (None: all, until cleared) meet a fault; for the other members see `Fault`."""
        self._ask("POST", "faults", {"kind": kind, "times": times, **members})

    def faults(self) -> list[Fault]:
        """List the faults to come."""
        return [Fault(**fault) for fault in self._ask("GET", "faults")]

    def clear_faults(self) -> None:
        """Forget the faults to come; the requests that hang are answered."""
        self._ask("DELETE", "faults")

    def requests(self) -> list[Record]:
        """List the requests to the API in the order of their arrival."""
        return [Record(**record) for record in self._ask("GET", "requests")]

    def clear_requests(self) -> None:
        """Forget the requests to the API."""
        self._ask("DELETE", "requests")

    def settings(self, **changes: float) -> Settings:
        """Change some of `Settings`, or none, and give them all."""
        return Settings(**self._ask("PATCH", "settings", changes))

    def rotate(self, server_secret: str | None = None, *, app_id: int = APP_ID) -> str:
        """Give the app another secret (made up if not given) that holds from now on, and return it; adds a new app."""
        server_secret = server_secret or secrets.token_hex(16)
        self._ask("PUT", "app", {"AppId": app_id, "ServerSecret": server_secret})
        return server_secret

    def reset(self) -> None:
        """Go back to the start: its app, no users, calls, faults or requests, the settings as they were."""
        self._ask("POST", "reset")

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self.url}/simulator/{path}"
        response = self._session.request(method, url, json=body, timeout=CONTROL_TIMEOUT_SECONDS)
        if response.status_code in {400, 404}:
            raise ValueError(response.text)
        response.raise_for_status()
        return response.json() if response.content else None


@contextmanager
def simulator(
    *, app_id: int = APP_ID, server_secret: str = SERVER_SECRET, https: bool = True
) -> Iterator[SimulatorClient]:
    """Run a simulator on free ports, in a thread of its own, while the context lasts."""
    loop = asyncio.new_event_loop()
    with TemporaryDirectory() as directory:
        ca_file = Path(directory) / "ca.pem"
        server = listening(Simulator(app_id, server_secret), 0, 0 if https else None, ca_file)
        addresses = loop.run_until_complete(server.__aenter__())
        thread = Thread(target=loop.run_forever, name="ZIM simulator", daemon=True)
        thread.start()
        try:
            yield SimulatorClient(addresses.url, addresses.https_url, ca_file if https else None)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(server.__aexit__(None, None, None))
            loop.run_until_complete(_end_requests(loop))
            loop.close()


async def _end_requests(loop: asyncio.AbstractEventLoop) -> None:
    """End the requests that still hang, their connections being gone."""
    hanging = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


def _seen(call: dict[str, Any]) -> CallSeen:
    return CallSeen(
        call_id=call["CallId"],
        caller=call["Caller"],
        timeout=call["Timeout"],
        state=State(call["State"]),
        seconds_left=call["SecondsLeft"],
        invitees={user: State(state) for user, state in call["Invitees"].items()},
        extended_data=call["ExtendedData"],
    )
