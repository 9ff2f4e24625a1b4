"""AWS Secrets Manager for the function: moto's, behind a door that counts who asks, and fails as moto cannot."""

import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import boto3
import requests
from moto.server import ThreadedMotoServer

from local.processes import HOST
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CREDENTIALS = {"AppId": APP_ID, "ServerSecret": SERVER_SECRET}
"""What ZIM accepts."""

REFUSALS = {
    "AccessDeniedException": "User: arn:aws:sts::123456789012:assumed-role/CallReject/call-reject is not authorized to "
    "perform: secretsmanager:GetSecretValue on resource: zim because no identity-based policy allows it",
    "ThrottlingException": "Rate exceeded",
}
HANG = "hang"


class SecretsManager:
    """The service at `url`: `readings` are the requests that came, `failure` is HANG or a name of REFUSALS."""

    def __init__(self, moto_url: str) -> None:
        self._moto_url = moto_url
        self._client: SecretsManagerClient = boto3.client(
            "secretsmanager",
            endpoint_url=moto_url,
            region_name="us-east-1",
            aws_access_key_id="made-up",
            aws_secret_access_key="made-up",
        )
        self._released = Event()
        self.url = ""
        self.readings = 0
        self.failure: str | None = None

    def put(self, name: str, secret: Any) -> None:
        """Let a secret, that may be missing or deleted, have this value: text as it is, anything else made JSON."""
        value = secret if isinstance(secret, str) else json.dumps(secret)
        try:
            self._client.create_secret(Name=name, SecretString=value)
        except self._client.exceptions.ResourceExistsException:
            self._client.restore_secret(SecretId=name)
            self._client.put_secret_value(SecretId=name, SecretString=value)

    def delete(self, name: str, *, at_once: bool = False) -> None:
        """Delete a secret: marked for deletion, or gone at once."""
        self._client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=at_once)

    def work(self) -> None:
        """Fail no longer, and let go of who hangs."""
        self.failure = None
        self._released.set()
        self._released = Event()

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes] | None:
        """Return the status and body with which a request is answered, None if it never is."""
        self.readings += 1
        if self.failure == HANG:
            self._released.wait()
            return None
        if self.failure:
            return 400, json.dumps({"__type": self.failure, "Message": REFUSALS[self.failure]}).encode()
        moto = requests.post(self._moto_url, data=body, headers=headers, timeout=10)
        return moto.status_code, moto.content


@contextlib.contextmanager
def serving() -> Iterator[SecretsManager]:
    """Run the service on free ports until the block ends."""
    moto = ThreadedMotoServer(ip_address=HOST, port=0)
    moto.start()
    service = SecretsManager(f"http://{HOST}:{moto.get_host_and_port()[1]}")

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = service.answer(dict(self.headers.items()), body)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: Any) -> None:
            """Keep still."""

    with ThreadingHTTPServer((HOST, 0), Door) as door:
        service.url = f"http://{HOST}:{door.server_port}"
        thread = Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.work()
            door.shutdown()
            thread.join()
            moto.stop()
