"""ZIM's callbacks: signed requests to a URL, retried until it accepts them.

See https://www.zegocloud.com/docs/zim-server/callbacks/call-invitation-sent. ZIM does not document whether a retry has
a new signature; the simulator repeats the body.
"""

import asyncio
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from local.zim_simulator.calls import Call

RETRY_DELAYS = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds between the attempts."""
RESPONSE_SECONDS = 5.0
"""ZIM waits "some seconds" for a response."""
CONNECTIONS = 4
"""Callbacks in flight at the same time. The emulator starts a process for each."""


@dataclass(frozen=True)
class Destination:
    """Where callbacks go, and how they are signed and retried."""

    url: str
    secret: str = field(repr=False)
    retry_delays: tuple[float, ...] = RETRY_DELAYS


@dataclass
class Delivery:
    """A callback and the status of the response to each attempt. 0 is no response."""

    event: str
    call_id: str
    statuses: list[int] = field(default_factory=list)


class Callbacks:
    """Sends callbacks to `destination`, if there is one. Runs in an event loop."""

    def __init__(self, app_id: int) -> None:
        self.destination: Destination | None = None
        self.deliveries: list[Delivery] = []
        self._app_id = app_id
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = asyncio.Semaphore(CONNECTIONS)

    def call_created(self, call: Call, invitees: list[str], timeout: float) -> None:
        """Send `call_create`. The simulator takes all users as logged in."""
        times = {"create_time": int(time.time()), "timeout": round(timeout)}
        self._send({"event": "call_create", "caller": call.caller, "payload": "", **times}, call, invitees)

    def users_invited(self, call: Call, invitees: list[str]) -> None:
        """Send `call_invite`, which has no timeout and a time in milliseconds."""
        invited = {"inviter": call.caller, "invite_time": int(time.time() * 1000)}
        self._send({"event": "call_invite", **invited}, call, invitees)

    def cancel(self) -> None:
        """Stop all retries."""
        for task in self._tasks:
            task.cancel()

    def _send(self, members: dict[str, Any], call: Call, invitees: list[str]) -> None:
        if self.destination is None:
            return
        callback = {"appid": str(self._app_id), "call_id": call.call_id, "user_ids": invitees, **members}
        delivery = Delivery(callback["event"], call.call_id)
        self.deliveries.append(delivery)
        task = asyncio.create_task(self._deliver(callback, delivery, self.destination))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, callback: dict[str, Any], delivery: Delivery, destination: Destination) -> None:
        body = signed(callback, destination.secret)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(RESPONSE_SECONDS)) as session:
            for delay in (*destination.retry_delays, None):
                async with self._connections:
                    delivery.statuses.append(await _post(session, destination.url, body))
                if delivery.statuses[-1] // 100 == 2 or delay is None:  # noqa: PLR2004 - any 2xx
                    return
                await asyncio.sleep(delay)


def signed(callback: dict[str, Any], secret: str) -> dict[str, Any]:
    """Return a callback with a new nonce, the current time and the signature.

    See https://www.zegocloud.com/docs/zim-server/callbacks/authenticating-server-to-server-callbacks.
    """
    timestamp, nonce = int(time.time()), str(secrets.randbelow(10**12))
    text = "".join(sorted([secret, str(timestamp), nonce]))
    signature = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return {**callback, "timestamp": timestamp, "nonce": nonce, "signature": signature}


async def _post(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> int:
    try:
        async with session.post(url, json=body, allow_redirects=False) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError):
        return 0
