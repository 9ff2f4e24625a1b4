"""AppId and ServerSecret from Secrets Manager, cached."""

import contextlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from zim.errors import SecretUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE_SECONDS = 300
"""The cached secret is read again after this time."""

_APP_IDS = range(1, 2**32)


@dataclass(frozen=True, slots=True)
class Credentials:
    """AppId (uint32) and ServerSecret (32 characters).

    See https://www.zegocloud.com/docs/zim-server/accessing-server-apis.
    """

    app_id: int
    server_secret: str = field(repr=False)


class CredentialsStore:
    """The credentials in one secret, `{"AppId": 1234567890, "ServerSecret": "32 characters"}`."""

    def __init__(self, secret_id: str, client: "SecretsManagerClient") -> None:
        self._secret_id = secret_id
        self._client = client
        self._cached: Credentials | None = None
        self._read_at = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def prefetch(self) -> None:
        """Start to read the secret in a thread. A failure has no effect: `get` then reads the secret again."""
        self._thread = threading.Thread(target=self._prefetch, daemon=True)
        self._thread.start()

    def _prefetch(self) -> None:
        with contextlib.suppress(SecretUnavailable):
            self.get()

    def wait(self, seconds: float) -> None:
        """Wait until the prefetch has ended, at most this long."""
        if self._thread:
            self._thread.join(seconds)

    def get(self, *, force_refresh: bool = False) -> Credentials:
        """Return the credentials, at most `MAX_AGE_SECONDS` old, or read now if `force_refresh` is set.

        Raises
        ------
        SecretUnavailable
            if the secret cannot be read or is malformed; the next call reads it again.
        """
        with self._lock:
            now = time.time()
            if self._cached is None or force_refresh or now - self._read_at >= MAX_AGE_SECONDS:
                self._cached = None
                self._cached = _parse(self._read())
                self._read_at = now
            return self._cached

    def clear(self) -> None:
        """Discard the cached credentials."""
        self._cached = None

    def _read(self) -> str | bytes:
        try:
            secret = self._client.get_secret_value(SecretId=self._secret_id)
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(f"cannot read the secret: {error}") from None
        return secret["SecretString"] if "SecretString" in secret else secret["SecretBinary"]


def _parse(secret: str | bytes) -> Credentials:
    try:
        members = json.loads(secret)
    except (ValueError, RecursionError):
        raise _unavailable("the secret is not JSON") from None
    if not isinstance(members, dict):
        raise _unavailable("the secret is not a JSON object")
    app_id, server_secret = members.get("AppId"), members.get("ServerSecret")
    if isinstance(app_id, str) and re.fullmatch("[0-9]{1,10}", app_id):
        app_id = int(app_id)
    if type(app_id) is not int or app_id not in _APP_IDS:
        raise _unavailable("AppId in the secret is missing or not a number from 1 to 4294967295")
    if not isinstance(server_secret, str) or not re.fullmatch(r"[!-~]{32}", server_secret):
        raise _unavailable("ServerSecret in the secret is missing or not 32 ASCII characters")
    return Credentials(app_id, server_secret)


def _unavailable(cause: str) -> SecretUnavailable:
    return SecretUnavailable(
        "The server cannot read its ZIM credentials. Contact its operator, who finds the cause in the log.", cause=cause
    )
