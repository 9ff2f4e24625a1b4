"""ZIM, Secrets Manager and SQS as one server on this machine that answers at once, so that what is measured is ours.

The answers are right; nothing is checked. The simulator, which checks everything, takes longer than what is measured.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from local.processes import HOST
from local.zim_simulator.return_codes import Code, answer
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

_SECRET = json.dumps(
    {
        "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:zim-AbCdEf",
        "Name": "zim",
        "SecretString": json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET}),
    }
).encode()


@contextlib.contextmanager
def serving(round_trip: float = 0.0) -> Iterator[str]:
    """Answer at the URL given until the block ends; ZIM's answers take `round_trip` seconds."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            time.sleep(round_trip)
            self._send(answer(Code.SUCCESS))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.headers["X-Amz-Target"].startswith("AmazonSQS."):
                self._send(_SECRET)
                return
            digest = hashlib.md5(json.loads(body)["MessageBody"].encode(), usedforsecurity=False).hexdigest()
            self._send(json.dumps({"MessageId": "1", "MD5OfMessageBody": digest}).encode())

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep still."""

    with ThreadingHTTPServer((HOST, 0), Answers) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
