"""ZIM, Secrets Manager and SQS as one server on 127.0.0.1 that responds immediately and checks nothing.

The simulator checks every request, which takes longer than the code that is measured.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from local.processes import HOST
from local.zim_simulator.zim import APP_ID, SERVER_SECRET

ZIM_RESPONSE = {"Code": 0, "Message": "success", "RequestId": "343649807833778782"}
SECRET = {"Name": "zim", "SecretString": json.dumps({"AppId": APP_ID, "ServerSecret": SERVER_SECRET})}


@contextlib.contextmanager
def serve(round_trip: float = 0.0) -> Iterator[str]:
    """Serve at the yielded URL; ZIM takes `round_trip` seconds to respond."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            time.sleep(round_trip)
            self._send(ZIM_RESPONSE)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["X-Amz-Target"].startswith("AmazonSQS."):
                digest = hashlib.md5(json.loads(body)["MessageBody"].encode(), usedforsecurity=False).hexdigest()
                self._send({"MessageId": "1", "MD5OfMessageBody": digest})
            else:
                self._send(SECRET)

        def _send(self, document: Mapping[str, object]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
