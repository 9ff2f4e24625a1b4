"""The code, compared with the facts from ZIM's documentation in `tests/vendor_facts`."""

import re
import string

import pytest

from local.vendor_facts import FACTS
from local.zim_simulator.running import SimulatorClient
from tests.unit.template import TEMPLATE
from zim.connection import Connector
from zim.credentials import Credentials
from zim.errors import (
    CallNotFound,
    CallRejectError,
    InvalidRequest,
    InvitationClosed,
    RateLimited,
    UserNotRegistered,
    ZimConfigurationError,
    ZimRejectedRequest,
    ZimUnavailable,
)
from zim.request import EXTENDED_DATA_BYTES, SCHEMA, CallRejectRequest
from zim.return_codes import RETURN_CODES
from zim.server_api import ServerApi
from zim.settings import BASE_URL_PATTERN

ALLOWED: dict[str, set[type[CallRejectError] | None]] = {
    "success": {None},
    "retry": {RateLimited, ZimUnavailable, CallNotFound},
    "final": {InvalidRequest, InvitationClosed, UserNotRegistered, ZimRejectedRequest, ZimConfigurationError},
    "support": {ZimUnavailable, ZimConfigurationError},
}
"""The error classes that agree with the advice."""

EXCEPTIONS: dict[int, type[CallRejectError]] = {
    # To sign again helps only if the signature was made once. The server signs every request.
    **dict.fromkeys((100000004, 100000005, 100000008, 100000009, 100000013), ZimConfigurationError),
    # To try later helps only if the user registers in the meantime.
    660900003: UserNotRegistered,
}
ADVICE = [(code, advice) for advice, codes in FACTS["return_codes"].items() for code in codes]


def test_the_code_has_exactly_the_documented_return_codes() -> None:
    assert RETURN_CODES.keys() == dict(ADVICE).keys()


@pytest.mark.parametrize(("code", "advice"), ADVICE)
def test_the_error_of_a_return_code_agrees_with_the_advice(code: int, advice: str) -> None:
    error_class, meaning = RETURN_CODES[code]
    assert error_class in ({EXCEPTIONS[code]} if code in EXCEPTIONS else ALLOWED[advice])
    assert meaning


def test_the_documented_hosts_are_allowed() -> None:
    assert all(re.fullmatch(BASE_URL_PATTERN, f"https://{host}") for host in FACTS["hosts"])
    (regions,) = re.findall(r"zim-api\(-\(([a-z|]+)\)\)", BASE_URL_PATTERN)
    assert {f"zim-api-{region}.zego.im" for region in regions.split("|")} | {"zim-api.zego.im"} == set(FACTS["hosts"])


def test_the_default_rate_limit_is_that_of_zim() -> None:
    assert int(TEMPLATE["Parameters"]["ZimCallsPerSecondLimit"]["Default"]) == FACTS["calls_per_second"]


def test_the_schema_has_the_documented_limits() -> None:
    properties = SCHEMA["properties"]
    for name in ("FromUserId", "CallId", "ExtendedData"):
        assert properties[name]["maxLength"] == FACTS["parameters"][name]["max_length"]
        assert (name in SCHEMA["required"]) == FACTS["parameters"][name]["required"]
    assert FACTS["parameters"]["ExtendedData"]["max_length"] == EXTENDED_DATA_BYTES


def test_a_user_id_can_contain_exactly_the_documented_characters() -> None:
    allowed = {*string.ascii_letters, *string.digits, *FACTS["from_user_id_symbols"]}
    pattern = SCHEMA["properties"]["FromUserId"]["pattern"]
    assert {character for character in map(chr, range(1, 0x250)) if re.fullmatch(pattern, character)} == allowed


def test_a_call_has_exactly_the_documented_parameters(zim: SimulatorClient) -> None:
    request = CallRejectRequest("user0", "call-1", "text", expires_at=1)
    ServerApi(zim.url, Connector(zim.url)).call_reject(request, Credentials(1, "x" * 32), float("inf"))
    (record,) = zim.requests()
    assert record.parameters.keys() == FACTS["parameters"].keys()
    assert record.parameters["Action"] == FACTS["action"]
