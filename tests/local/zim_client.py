"""A client of the simulator that also sends CallReject requests."""

import hashlib
import secrets
import time
from typing import Any

import requests

from local.zim_simulator.running import SimulatorClient
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

TIMEOUT_SECONDS = 10


class Simulator(SimulatorClient):
    """A simulator that can also be called as ZIM."""

    def call_reject(self, *, timeout: float = TIMEOUT_SECONDS, **changes: Any) -> requests.Response:
        """Send a signed request for the call "call" of the user "bob"."""
        return requests.get(self.url, params=parameters(**changes), timeout=timeout, allow_redirects=False)

    def code(self, **changes: Any) -> int:
        """Send a request and return the Code of the response."""
        code: int = self.call_reject(**changes).json()["Code"]
        return code


def parameters(*, secret: str = SERVER_SECRET, **changes: Any) -> dict[str, str]:
    """Return signed parameters. `changes` replace the defaults; None removes a parameter."""
    values = {
        "Action": "CallReject",
        "AppId": str(APP_ID),
        "SignatureNonce": secrets.token_hex(8),
        "Timestamp": str(int(time.time())),
        "SignatureVersion": "2.0",
        "FromUserId": "bob",
        "CallId": "call",
    } | {name: value for name, value in changes.items() if value is not None}
    text = values["AppId"] + values["SignatureNonce"] + secret + values["Timestamp"]
    values = {"Signature": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()} | values
    return {name: value for name, value in values.items() if changes.get(name, value) is not None}
