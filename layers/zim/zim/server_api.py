"""ZIM's server API: sign a request, send it over HTTPS, read the response.

See https://www.zegocloud.com/docs/zim-server/accessing-server-apis and
https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation.
"""

import errno
import hashlib
import json
import secrets
import time
from urllib.parse import quote, urlencode

import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from zim.connection import CONNECT_TIMEOUT_SECONDS, Connector
from zim.credentials import Credentials
from zim.errors import UnexpectedZimResponse, ZimTimeout, ZimUnreachable
from zim.request import CallRejectRequest
from zim.response import ZimResponse
from zim.session import Session

READ_TIMEOUT_SECONDS = 5.0
MAX_RESPONSE_BYTES = 64 * 1024
"""ZIM's responses take a few hundred bytes."""
MAX_TEXT_CHARACTERS = 256
"""Message and RequestId are cut after this."""

_CODES = range(-(2**63), 2**63)

HEADERS = {
    "Accept": "application/json",
    # Without compression, the size is known before the body is unpacked.
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
}


def sign(credentials: Credentials, nonce: str, timestamp: int) -> str:
    """Return the signature (version 2.0), 32 lower-case hexadecimal characters.

    Parameters
    ----------
    credentials
        AppId and ServerSecret.
    nonce
        The SignatureNonce, 16 hexadecimal characters.
    timestamp
        Unix time in seconds.
    """
    text = f"{credentials.app_id}{nonce}{credentials.server_secret}{timestamp}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class ServerApi:
    """A client that keeps its connection to ZIM open."""

    def __init__(self, base_url: str, connector: Connector) -> None:
        self._url = f"{base_url}/"
        self._connector = connector
        self._session = Session(connector)
        self._session.headers = requests.structures.CaseInsensitiveDict(HEADERS)

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._connector.discard()
        self._session.close()

    def call_reject(self, request: CallRejectRequest, credentials: Credentials, deadline: float) -> ZimResponse:
        """Send one CallReject and return ZIM's response, whatever its code.

        Parameters
        ----------
        request
            The request to send.
        credentials
            AppId and ServerSecret to sign it with.
        deadline
            The latest time for the response, in seconds of `time.monotonic`.

        Raises
        ------
        ZimUnreachable
            if there is no connection, or it closes before a response.
        ZimTimeout
            if the response is not complete in time.
        UnexpectedZimResponse
            if the response is not ZIM's.
        """
        started = time.monotonic()
        remaining = deadline - started
        if remaining <= 0:
            raise _timeout("no time left to send the request")
        try:
            with self._session.get(
                f"{self._url}?{_query(request, credentials)}",
                timeout=Timeout(  # type: ignore[arg-type] # requests accepts it, to limit the sum of both, too
                    connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS, total=remaining
                ),
                stream=True,
            ) as response:
                body = _read(response, min(started + CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS, deadline))
                return _parse(response.status_code, body)
        # Log only the names of these errors: their messages quote the URL, which contains the signature.
        except (requests.ReadTimeout, ReadTimeoutError) as error:
            if _is_unacknowledged(error):
                raise _connection_lost() from None
            raise _timeout(f"no response within {min(READ_TIMEOUT_SECONDS, remaining):.1f} s") from None
        except requests.ConnectionError as error:
            if error.args and isinstance(error.args[0], ProtocolError):
                reason = error.args[0].args[-1]
                if isinstance(reason, OSError):
                    raise _connection_lost() from None
                raise _unexpected(f"{type(reason).__name__} while reading") from None
            raise ZimUnreachable(
                "Cannot connect to ZIM. The call was not rejected.", cause=f"{type(error).__name__} while connecting"
            ) from None
        except (requests.RequestException, HTTPError) as error:
            raise _unexpected(f"{type(error).__name__} while reading") from None


def _query(request: CallRejectRequest, credentials: Credentials) -> str:
    nonce, timestamp = secrets.token_hex(8), int(time.time())
    parameters = {
        "Action": "CallReject",
        "AppId": credentials.app_id,
        "SignatureNonce": nonce,
        "Timestamp": timestamp,
        "SignatureVersion": "2.0",
        "Signature": sign(credentials, nonce, timestamp),
        "FromUserId": request.from_user_id,
        "CallId": request.call_id,
    }
    if request.extended_data is not None:
        parameters["ExtendedData"] = request.extended_data
    # Not the `params` of requests, which encodes a space as `+`. That is a space in a form, but a plus sign in a URL.
    return urlencode(parameters, quote_via=quote)


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read the body in parts: requests limits the wait for each part, but not the total time or size."""
    body = bytearray()
    while part := _read_part(response, deadline - time.monotonic()):
        body += part
        if len(body) > MAX_RESPONSE_BYTES:
            raise _unexpected(f"more than {MAX_RESPONSE_BYTES} bytes")
    return bytes(body)


def _read_part(response: requests.Response, remaining: float) -> bytes:
    connection = response.raw.connection
    if connection is not None:  # None once the body is complete
        if remaining <= 0:
            raise _timeout("the response was not complete in time")
        if connection.sock is not None:  # None if the server announced that it closes the connection
            connection.sock.settimeout(remaining)
    part: bytes = response.raw.read1(MAX_RESPONSE_BYTES)
    return part


def _parse(status: int, body: bytes) -> ZimResponse:
    if status != requests.codes.ok:
        raise _unexpected(f"HTTP status {status}")
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        raise _unexpected("not JSON") from None
    code = members.get("Code") if isinstance(members, dict) else None
    if type(code) is not int or code not in _CODES:
        raise _unexpected("no Code")
    return ZimResponse(code, _clean(members.get("Message", "")), _clean(members.get("RequestId", "")))


def _clean(text: object) -> str:
    """Return the first characters of a text that goes to callers and logs, without unpaired surrogates."""
    return str(text)[:MAX_TEXT_CHARACTERS].encode(errors="replace").decode()


def _is_unacknowledged(error: Exception) -> bool:
    """Return whether the kernel gave up on sent data (`TCP_USER_TIMEOUT`), which urllib3 reports as a read timeout."""
    timeout = error.args[0] if isinstance(error, requests.ReadTimeout) else error
    return getattr(timeout.__cause__, "errno", None) == errno.ETIMEDOUT


def _connection_lost() -> ZimUnreachable:
    return ZimUnreachable(
        "The connection to ZIM closed before a response. The call may have been rejected.",
        cause="the connection closed before a response",
        connection_lost=True,
    )


def _timeout(cause: str) -> ZimTimeout:
    return ZimTimeout("ZIM did not respond in time. The call may have been rejected.", cause=cause)


def _unexpected(cause: str) -> UnexpectedZimResponse:
    return UnexpectedZimResponse(
        "ZIM's response was not understood. The call may have been rejected.", cause=f"unexpected response: {cause}"
    )
