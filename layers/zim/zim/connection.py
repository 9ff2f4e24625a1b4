"""Connections to ZIM, the first of them opened while the function starts.

This module is imported first and imports little itself: DNS, TCP and TLS take two or three round trips, and the other
modules are imported meanwhile.
"""

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

CONNECT_TIMEOUT_SECONDS = 2.0

UNACKNOWLEDGED_MILLISECONDS = 800
"""If ZIM does not acknowledge data within this time, Linux closes the connection: the other end no longer exists."""


class Connector:
    """Opens connections to one host.

    Parameters
    ----------
    base_url
        `https://host` or `http://host:port`.
    ca_file
        The certificates to trust. The default is certifi's.
    """

    def __init__(self, base_url: str, ca_file: str | None = None) -> None:
        url = urlsplit(base_url)
        self._tls = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if self._tls else 80)
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._context_lock = threading.Lock()
        self._prepared: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def load_certificates(self) -> None:
        """Start a thread that loads the certificates. OpenSSL releases the GIL while it does."""
        if self._tls:
            threading.Thread(target=self._ssl_context, daemon=True).start()

    def prepare(self) -> None:
        """Start to open a connection in a thread. A failure has no effect: `connect` then opens one."""
        self._thread = threading.Thread(target=self._prepare, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until the prepared connection is open or has failed, at most this long."""
        if self._thread:
            self._thread.join(seconds)

    def discard(self) -> None:
        """Close the prepared connection."""
        if self._prepared:
            self._prepared.close()
            self._prepared = None

    def connect(self, timeout: float) -> socket.socket:
        """Return the prepared connection if it is still open, otherwise a new one.

        Parameters
        ----------
        timeout
            Seconds to wait for the prepared connection or a new one. DNS is not included.

        Raises
        ------
        OSError
            if there is no connection; TimeoutError if it is not open in time, ssl.SSLError if TLS fails.
        """
        deadline = time.monotonic() + timeout
        self.wait(timeout)
        prepared, self._prepared = self._prepared, None
        if prepared:
            if _is_open(prepared):
                prepared.settimeout(timeout)
                return prepared
            prepared.close()
        return self._open(max(deadline - time.monotonic(), 0.001))

    def _prepare(self) -> None:
        with contextlib.suppress(OSError):
            self._prepared = self._open(CONNECT_TIMEOUT_SECONDS)

    def _open(self, timeout: float) -> socket.socket:
        deadline = time.monotonic() + timeout
        connection = socket.create_connection((self._host, self._port), timeout)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS)
            if self._tls:
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                return self._ssl_context().wrap_socket(connection, server_hostname=self._host)
        except BaseException:
            connection.close()
            raise
        return connection

    def _ssl_context(self) -> "ssl.SSLContext":
        with self._context_lock:
            if self._context is None:
                # Imported here, while TCP connects: see the start of the module.
                import ssl  # noqa: PLC0415

                import certifi  # noqa: PLC0415

                self._context = ssl.create_default_context(cafile=self._ca_file or certifi.where())
            return self._context


def _is_open(connection: socket.socket) -> bool:
    """Return whether a connection without an outstanding request is still open.

    This also reads what TLS sends without a request, such as session tickets.
    """
    import ssl  # noqa: PLC0415

    connection.settimeout(0)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False
