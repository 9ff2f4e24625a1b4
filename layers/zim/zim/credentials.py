"""AppId and ServerSecret from Secrets Manager: cached, and read anew on demand."""

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from zim.outcome import SECRET_UNREADABLE, Failed

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE = 300
"""Seconds that a secret is used before it is read again."""

_APP_IDS = range(1, 2**32)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A uint32 and 32 characters, from the vendor's console (ZEGOCLOUD's documentation, "Accessing Server APIs")."""

    app_id: int
    server_secret: str = field(repr=False)


class CredentialsStore:
    """The credentials in one secret, `{"AppId": 1234567890, "ServerSecret": "32 characters"}`."""

    def __init__(self, secret_id: str, client: "SecretsManagerClient") -> None:
        self._secret_id = secret_id
        self._client = client
        self._cached: Credentials | None = None
        self._read_at = 0.0

    def get(self, *, anew: bool = False) -> Credentials:
        """Return the credentials, read within the last `MAX_AGE` seconds, or just now if `anew`.

        Raises
        ------
        Failed
            with SECRET_UNREADABLE; the next call reads the secret again.
        """
        now = time.time()
        if self._cached is None or anew or now - self._read_at >= MAX_AGE:
            self._cached = None
            self._cached = _parsed(self._read())
            self._read_at = now
        return self._cached

    def forget(self) -> None:
        """Read the secret the next time it is asked for."""
        self._cached = None

    def _read(self) -> str | bytes:
        try:
            secret = self._client.get_secret_value(SecretId=self._secret_id)
        except (BotoCoreError, ClientError) as error:
            raise _unreadable(f"the secret cannot be read: {error}") from None
        return secret["SecretString"] if "SecretString" in secret else secret["SecretBinary"]


def _parsed(secret: str | bytes) -> Credentials:
    try:
        members = json.loads(secret)
    except (ValueError, RecursionError):
        raise _unreadable("the secret is not JSON") from None
    if not isinstance(members, dict):
        raise _unreadable("the secret is not a JSON object")
    app_id, server_secret = members.get("AppId"), members.get("ServerSecret")
    if isinstance(app_id, str) and app_id.isascii() and app_id.isdecimal() and len(app_id) <= len(str(_APP_IDS[-1])):
        app_id = int(app_id)
    if type(app_id) is not int or app_id not in _APP_IDS:
        raise _unreadable("AppId in the secret is missing or not a number from 1 to 4294967295")
    if not isinstance(server_secret, str) or not re.fullmatch(r"[!-~]{32}", server_secret):
        raise _unreadable("ServerSecret in the secret is missing or not 32 characters of ASCII")
    return Credentials(app_id, server_secret)


def _unreadable(cause: str) -> Failed:
    detail = "This server cannot read its ZIM credentials; its operators find the cause in the log."
    return Failed(SECRET_UNREADABLE, detail, cause)
