"""Servers for tests: `serve` for HTTP, `serve_bytes` for what a correct HTTP server cannot send."""

import socket
import socketserver
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from local.http_server import Handler, Request, Response, Server, running_in_thread, serve
from local.processes import HOST

__all__ = ["Handler", "Request", "Response", "Server", "serve", "serve_bytes"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds


@contextmanager
def serve_bytes(response: bytes, *, seconds_per_byte: float = 0.0, reset: bool = False) -> Iterator[str]:
    """Send these bytes in response to the first request of each connection, then close the connection.

    Parameters
    ----------
    response
        the bytes to send, headers included; with none, the connection closes without a response.
    seconds_per_byte
        if given, send byte by byte with this pause after each.
    reset
        if true, end the connection with a TCP reset instead of closing it.

    Yields
    ------
    the base URL of the server.
    """

    class ConnectionHandler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            with suppress(OSError):  # the client closed the connection
                if seconds_per_byte:
                    for byte in response:
                        self.request.sendall(bytes([byte]))
                        time.sleep(seconds_per_byte)
                else:
                    self.request.sendall(response)
            if reset:
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                self.request.close()

    with socketserver.ThreadingTCPServer((HOST, 0), ConnectionHandler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        with running_in_thread(server):
            yield f"http://{HOST}:{server.server_address[1]}"
