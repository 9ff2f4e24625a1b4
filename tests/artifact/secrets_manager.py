"""AWS Secrets Manager: moto behind a proxy that counts requests and returns errors on demand."""

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import requests
from moto.server import ThreadedMotoServer

from local.processes import HOST
from local.zim_simulator.zim import APP_ID, SERVER_SECRET
from tests.support.http_server import Request, Response, Server, serve

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CREDENTIALS = {"AppId": APP_ID, "ServerSecret": SERVER_SECRET}
"""Credentials that ZIM accepts."""


class SecretsManager:
    """A running Secrets Manager. `error` is the name of the error that it returns to functions, if any."""

    def __init__(self, moto_url: str, proxy: Server) -> None:
        self._client: SecretsManagerClient = boto3.client(
            "secretsmanager",
            endpoint_url=moto_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self._proxy = proxy
        self.error: str | None = None

    @property
    def url(self) -> str:
        """The URL for functions."""
        return self._proxy.url

    @property
    def requests(self) -> int:
        """The number of requests from functions."""
        return len(self._proxy.requests)

    def put(self, name: str, secret: Any) -> None:
        """Create or update a secret. A value that is not text is encoded as JSON."""
        value = secret if isinstance(secret, str) else json.dumps(secret)
        try:
            self._client.create_secret(Name=name, SecretString=value)
        except self._client.exceptions.ResourceExistsException:
            self._client.put_secret_value(SecretId=name, SecretString=value)


@contextlib.contextmanager
def secrets_manager_server() -> Iterator[SecretsManager]:
    """Run Secrets Manager on free ports until the block ends."""
    moto = ThreadedMotoServer(ip_address=HOST, port=0)
    moto.start()
    moto_url = f"http://{HOST}:{moto.get_host_and_port()[1]}"

    def respond(request: Request) -> Response:
        if secrets_manager.error:
            return Response.json({"__type": secrets_manager.error, "Message": "returned on demand"}, status=400)
        response = requests.post(moto_url, data=request.body, headers=dict(request.headers.items()), timeout=10)
        return Response(response.status_code, response.content)

    with serve(respond) as proxy:
        secrets_manager = SecretsManager(moto_url, proxy)
        try:
            yield secrets_manager
        finally:
            moto.stop()
