"""A session of requests that uses connections opened in advance."""

import functools
import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError

from zim.connection import CONNECT_TIMEOUT_SECONDS, Connector


class Session(requests.Session):
    """A session whose connections a `Connector` opens, without proxies, .netrc, cookies and redirects."""

    def __init__(self, connector: Connector) -> None:
        super().__init__()
        self.trust_env = False
        # ZIM's API needs no cookies. They would accumulate, and each request would send them.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(connector))

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature of requests
        """Ignore redirects.

        Even with `allow_redirects=False`, requests reads the whole body of a redirect, without a limit of time or size,
        and raises ValueError if the Location is malformed.
        """
        return


class _Adapter(HTTPAdapter):
    def __init__(self, connector: Connector) -> None:
        super().__init__()
        self._connector = connector

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = functools.partial(_Connection, self._connector)
        return pool


class _Connection(HTTPSConnection):
    """A connection with or without TLS, as the connector opens it."""

    def __init__(self, connector: Connector, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connector = connector

    def connect(self) -> None:
        try:
            self.sock = self._connector.connect(float(self.timeout or CONNECT_TIMEOUT_SECONDS))
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "timeout") from error
        except ssl.SSLError:
            raise
        except OSError as error:
            raise NewConnectionError(self, type(error).__name__) from error
        self.is_verified = True  # the connector verifies every certificate

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except ssl.SSLError as error:
            # requests reports it like a failed handshake, before which nothing was sent.
            raise ProtocolError("Connection aborted.", error) from error
