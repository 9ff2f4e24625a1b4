"""The settings of a function that calls ZIM: its environment variables, read and checked once, at start."""

import re
from collections.abc import Mapping
from typing import NamedTuple

BASE_URL_PATTERN = (
    r"^(https://zim-api(-(sha|hkg|fra|lax|bom|sgp))?\.zego\.im|https?://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?)/?$"
)
"""ZIM's hosts, and loopback addresses for a local stack.

See https://www.zegocloud.com/docs/zim-server/accessing-server-apis.
"""


class SettingsError(ValueError):
    """An environment variable is missing or invalid; the message names it and says what it must be."""


class Settings(NamedTuple):
    """The settings that the template passes to a function.

    The `reserved_concurrency` execution environments of the function share `calls_per_second` calls in any second.
    Not a dataclass, because importing dataclasses delays the connection to ZIM by 8 ms (`zim.startup`).
    """

    secret_id: str
    api_base_url: str
    calls_per_second: int
    reserved_concurrency: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings in these environment variables.

        Raises
        ------
        SettingsError
            if a variable is missing or invalid, or if the shares of all functions add up to more than ZIM allows, which
            CloudFormation cannot validate.
        """
        calls, others, limit = (
            _positive_number(environment, name)
            for name in ("CALLS_PER_SECOND", "OTHER_CALLS_PER_SECOND", "ZIM_CALLS_PER_SECOND_LIMIT")
        )
        if calls + others > limit:
            raise SettingsError(
                f"CALLS_PER_SECOND ({calls}) plus OTHER_CALLS_PER_SECOND ({others}) exceeds ZIM_CALLS_PER_SECOND_LIMIT "
                f"({limit}). Lower the parameter ApiCallsPerSecond or QueueCallsPerSecond. Raise "
                "ZimCallsPerSecondLimit only if ZEGOCLOUD has granted your AppId a higher limit."
            )
        return cls(
            secret_id=_secret_id(environment),
            api_base_url=_match(
                environment, "ZIM_API_BASE_URL", BASE_URL_PATTERN, "the https URL of a ZIM host, or a loopback address"
            ).rstrip("/"),
            calls_per_second=calls,
            reserved_concurrency=_positive_number(environment, "RESERVED_CONCURRENCY"),
        )


def _secret_id(environment: Mapping[str, str]) -> str:
    secret_id = _match(environment, "ZIM_SECRET_ID", r"^\S+$", "the ARN or name of a secret")
    region = environment.get("AWS_REGION")
    if secret_id.startswith("arn:") and secret_id.split(":")[3:4] != [region]:
        raise SettingsError(
            f"ZIM_SECRET_ID must be a secret in the region of this function, {region}. It is {secret_id!r}. "
            "Replicate the secret to this region, and set the parameter ZimSecretArn to the ARN of the replica."
        )
    return secret_id


def _match(environment: Mapping[str, str], name: str, pattern: str, what: str) -> str:
    value = environment.get(name, "")
    if not re.fullmatch(pattern, value):
        raise SettingsError(f"The environment variable {name} must be {what}. It is {value!r}.")
    return value


def _positive_number(environment: Mapping[str, str], name: str) -> int:
    return int(_match(environment, name, r"0*[1-9][0-9]{0,8}", "a positive whole number"))
