"""AppId and ServerSecret from Secrets Manager: cached, and read anew on demand."""

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

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
        self._secrets = SecretsProvider(boto3_client=client)
        self._cached_is_good = False

    def get(self, *, anew: bool = False) -> Credentials:
        """Return the credentials, read within the last `MAX_AGE` seconds, or just now if `anew`.

        Raises
        ------
        Failed
            with SECRET_UNREADABLE; the next call reads the secret again.
        """
        try:
            secret = self._secrets.get(self._secret_id, max_age=MAX_AGE, force_fetch=anew or not self._cached_is_good)
        except GetParameterError as error:
            raise _unreadable(f"the secret cannot be read: {error}") from None
        self._cached_is_good = False
        credentials = _parsed(secret)
        self._cached_is_good = True
        return credentials


def _parsed(secret: Any) -> Credentials:
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
