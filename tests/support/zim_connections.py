"""A ZIM whose open connections a test can break."""

import contextlib
import ctypes
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from select import select
from threading import Event, Thread

from local.processes import HOST, until

_RESPONSE = b'{"Code": 0, "Message": "success", "RequestId": "1"}'
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds
_SO_ATTACH_FILTER = 26  # Linux
_DROP_EVERYTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0
_POLL_SECONDS = 0.01
_ACCEPT_SECONDS = 10.0


class Break(Enum):
    """The end of a connection."""

    CLOSE = auto()
    """The server closes it (FIN)."""
    RESET = auto()
    """The server resets it (RST)."""
    SILENCE = auto()
    """The kernel of the server drops all packets of the client: the connection is half-open. Linux only."""


@dataclass
class ZimConnections:
    """Connections that were accepted, and for each request the index of its connection."""

    url: str
    accepted: int = 0
    requests: list[int] = field(default_factory=list)
    _break: Break | None = None
    _broken: list[Event] = field(default_factory=list)
    _ended: bool = False

    def has_accepted(self, number: int) -> bool:
        """Wait for this number of connections, and return whether no more were accepted."""
        until(lambda: self.accepted >= number, _ACCEPT_SECONDS, "The connections were not accepted")
        return self.accepted == number

    def break_all(self, how: Break) -> None:
        """Break all open connections, but accept new ones."""
        self._break = how
        for broken in self._broken:
            assert broken.wait(10)
        self._broken.clear()
        self._break = None

    def serve(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Accept connections until the listener closes."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                broken = Event()
                self._broken.append(broken)
                Thread(target=self._serve, args=(connection, tls, self.accepted, broken), daemon=True).start()
                self.accepted += 1

    def end(self) -> None:
        """Close silent connections."""
        self._ended = True

    def _serve(self, connection: socket.socket, tls: ssl.SSLContext | None, number: int, broken: Event) -> None:
        with contextlib.suppress(OSError), connection:
            stream = tls.wrap_socket(connection, server_side=True) if tls else connection
            with stream:
                while self._break is None:
                    if select([stream], [], [], _POLL_SECONDS)[0]:
                        if not stream.recv(65536):
                            break
                        self.requests.append(number)
                        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_RESPONSE), _RESPONSE))
                if self._break is Break.RESET:
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                elif self._break is Break.SILENCE:
                    program = struct.pack("HL", 1, ctypes.addressof(_DROP_EVERYTHING))
                    stream.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
                    broken.set()
                    while not self._ended:
                        select([], [], [], _POLL_SECONDS)
        broken.set()


@contextmanager
def zim_connections(tls: ssl.SSLContext | None = None) -> Iterator[ZimConnections]:
    """Run the server until the block ends, with HTTPS if a TLS context is given."""
    with socket.create_server((HOST, 0)) as listener:
        scheme = "https" if tls else "http"
        zim = ZimConnections(f"{scheme}://localhost:{listener.getsockname()[1]}")
        thread = Thread(target=zim.serve, args=(listener, tls), daemon=True)
        thread.start()
        try:
            yield zim
        finally:
            zim.end()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
