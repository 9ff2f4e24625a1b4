"""ZIM's server API over HTTPS: signs a request, sends it, reads the answer. Knows HTTP, and nothing of Lambda.

Facts: ZEGOCLOUD's documentation, In-app Chat, Server APIs, "Accessing Server APIs" and "Reject a call invitation".
"""

import hashlib
import json
import secrets
import time
from urllib.parse import quote, urlencode

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from zim.credentials import Credentials
from zim.outcome import UNEXPECTED_ANSWER, ZIM_TIMEOUT, ZIM_UNREACHABLE, Answer, Failed
from zim.request import CallRejectRequest

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
ANSWER_BYTES = 64 * 1024
"""More than this is no answer of ZIM's, whose three members take some hundred bytes."""

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "keep-alive"}
"""No compression: an answer's size is then known before it is unpacked."""


class ConnectionDiedError(Failed):
    """The connection was there, and ended before a byte of an answer: worth another try on a new one."""

    def __init__(self) -> None:
        detail = "The connection to ZIM was cut; the call may be rejected all the same."
        super().__init__(ZIM_UNREACHABLE, detail, "the connection died before an answer")


def signature(credentials: Credentials, nonce: str, timestamp: int) -> str:
    """Return the signature of version 2.0, 32 lower-case hexadecimal characters, for a Unix time in seconds."""
    signed = f"{credentials.app_id}{nonce}{credentials.server_secret}{timestamp}"
    return hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()


class ServerApi:
    """One connection to ZIM, kept for the environment's life."""

    def __init__(self, base_url: str, verify: bool | str = True) -> None:  # noqa: FBT001, FBT002 - as requests calls it
        self._verify = verify
        # The adapter and no session: nothing of the environment (proxies, .netrc), no cookies, no redirects.
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
        # All but the query is the same each time, and preparing it anew is a sixth of what a warm request costs.
        self._prepared = requests.Request("GET", f"{base_url}/", HEADERS).prepare()

    def disconnect(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._adapter.close()

    def call_reject(self, request: CallRejectRequest, credentials: Credentials, deadline: float) -> Answer:
        """Send one CallReject, and return ZIM's answer, whatever its code.

        `deadline` is in seconds of `time.monotonic`.

        Raises
        ------
        ConnectionDiedError
            if the connection ended before an answer.
        Failed
            with ZIM_UNREACHABLE, ZIM_TIMEOUT or UNEXPECTED_ANSWER.
        """
        started = time.monotonic()
        left = deadline - started
        if left <= 0:
            raise _timeout("no time was left to send the request")
        prepared = self._prepared.copy()
        prepared.url = f"{self._prepared.url}?{_query(request, credentials)}"
        try:
            with self._adapter.send(
                prepared,
                timeout=(min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
                verify=self._verify,
                stream=True,
            ) as response:
                return _answer(
                    response.status_code, _read(response, started + min(CONNECT_SECONDS + READ_SECONDS, left))
                )
        # Only the names of these errors are told: their messages quote the URL, with the signature in it.
        except (requests.ReadTimeout, ReadTimeoutError):
            raise _timeout(f"no answer within {min(READ_SECONDS, left):.1f} s") from None
        except requests.ConnectionError as error:
            if error.args and isinstance(error.args[0], ProtocolError):
                raise ConnectionDiedError from None
            detail = "ZIM could not be reached; the call was not rejected."
            raise Failed(ZIM_UNREACHABLE, detail, f"{type(error).__name__} while connecting") from None
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
        "Signature": signature(credentials, nonce, timestamp),
        **request.members(),
    }
    # Not requests' own `params`: it writes a space as `+`, which is a space in a form but a plus in a URL.
    return urlencode(parameters, safe="", quote_via=quote)


def _read(response: requests.Response, deadline: float) -> bytes:
    """Read the answer as it comes: `requests` bounds the wait for each part of it, but neither the sum nor the size."""
    body = bytearray()
    while part := _part(response, deadline - time.monotonic()):
        body += part
        if len(body) > ANSWER_BYTES:
            raise _unexpected(f"more than {ANSWER_BYTES} bytes")
    return bytes(body)


def _part(response: requests.Response, left: float) -> bytes:
    connection = response.raw.connection
    if connection is not None:  # as long as there is more to come
        if left <= 0:
            raise _timeout("the answer was not complete in time")
        if connection.sock is not None:  # it is not the connection's any more once the server said that it will close
            connection.sock.settimeout(left)
    part: bytes = response.raw.read1(ANSWER_BYTES)
    return part


def _answer(status: int, body: bytes) -> Answer:
    if status != requests.codes.ok:
        raise _unexpected(f"HTTP status {status}")
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        raise _unexpected("not JSON") from None
    code = members.get("Code") if isinstance(members, dict) else None
    if type(code) is not int:
        raise _unexpected("no Code")
    return Answer(code, str(members.get("Message", "")), str(members.get("RequestId", "")))


def _timeout(cause: str) -> Failed:
    return Failed(ZIM_TIMEOUT, "ZIM did not answer in time; the call may be rejected all the same.", cause)


def _unexpected(cause: str) -> Failed:
    return Failed(UNEXPECTED_ANSWER, "What came back is no answer of ZIM's; the call may be rejected.", cause)
