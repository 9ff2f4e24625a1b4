"""The settings of a function that calls ZIM: its environment variables, read once and checked at start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

ZIM_API_BASE_URL = (
    r"^(https://zim-api(-(sha|hkg|fra|lax|bom|sgp))?\.zego\.im|https?://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?)/?$"
)
"""The vendor's hosts (ZEGOCLOUD's documentation, "Accessing Server APIs"), and loopback for a stack on one machine."""


class SettingsError(ValueError):
    """An environment variable that is missing or wrong; the message names it and says what it must be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the template tells a function.

    `calls_per_second` calls to ZIM in any second are shared by `reserved_concurrency` execution environments.
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
            at the first variable that is missing or wrong, and where the shares of all functions together are more than
            ZIM allows, which CloudFormation cannot add up.
        """
        calls, others, limit = (
            _positive(environment, name)
            for name in ("CALLS_PER_SECOND", "OTHER_CALLS_PER_SECOND", "ZIM_CALLS_PER_SECOND_LIMIT")
        )
        if calls + others > limit:
            raise SettingsError(
                f"CALLS_PER_SECOND {calls} and OTHER_CALLS_PER_SECOND {others} are together more than "
                f"ZIM_CALLS_PER_SECOND_LIMIT {limit}: lower the parameter ApiCallsPerSecond or QueueCallsPerSecond, or "
                "raise ZimCallsPerSecondLimit if ZEGOCLOUD has granted your AppId more."
            )
        return cls(
            secret_id=_matching(environment, "ZIM_SECRET_ID", r"^\S+$", "the ARN or name of a secret"),
            api_base_url=_matching(
                environment, "ZIM_API_BASE_URL", ZIM_API_BASE_URL, "a host of ZIM's over https, or a loopback address"
            ).rstrip("/"),
            calls_per_second=calls,
            reserved_concurrency=_positive(environment, "RESERVED_CONCURRENCY"),
        )


def _matching(environment: Mapping[str, str], name: str, pattern: str, what: str) -> str:
    value = environment.get(name, "")
    if not re.fullmatch(pattern, value):
        raise SettingsError(f"The environment variable {name} must be {what}; it is {value!r}.")
    return value


def _positive(environment: Mapping[str, str], name: str) -> int:
    return int(_matching(environment, name, r"0*[1-9][0-9]{0,8}", "a whole number from 1 up"))
