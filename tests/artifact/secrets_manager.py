"""AWS Secrets Manager for functions: it counts requests, and returns errors or hangs on demand."""

import contextlib
import json
from collections.abc import Iterator
from threading import Event
from typing import Any

from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from tests.support.http_server import Request, Response, Server, serve

CREDENTIALS = {"AppId": APP_ID, "ServerSecret": SERVER_SECRET}
"""Credentials that ZIM accepts."""


class SecretsManager:
    """A running Secrets Manager with the secret `zim`.

    It returns the error `error`, if there is one, and does not respond until `responds` is set.
    """

    def __init__(self) -> None:
        self.server: Server
        self.error: str | None = None
        self.responds = Event()
        self.responds.set()
        self._secrets = {"zim": json.dumps(CREDENTIALS)}

    @property
    def url(self) -> str:
        """The URL for functions."""
        return self.server.url

    @property
    def reads(self) -> int:
        """The number of requests from functions."""
        return len(self.server.requests)

    def put(self, name: str, secret: dict[str, Any]) -> None:
        """Create or update a secret."""
        self._secrets[name] = json.dumps(secret)

    def respond(self, request: Request) -> Response:
        """Respond to GetSecretValue."""
        self.responds.wait(60)
        if self.error:
            return Response.json({"__type": self.error, "Message": "returned on demand"}, status=400)
        return Response.json({"SecretString": self._secrets[request.json()["SecretId"]]})


@contextlib.contextmanager
def secrets_manager_server() -> Iterator[SecretsManager]:
    """Run Secrets Manager on a free port until the block ends."""
    secrets_manager = SecretsManager()
    with serve(secrets_manager.respond) as secrets_manager.server:
        yield secrets_manager
        secrets_manager.responds.set()
