"""The outcome of every return code: `zim.return_codes`.

The table is copied from ZIM's documentation, not from the code. See
https://www.zegocloud.com/docs/zim-server/return-codes. The status, retry rule and queue action of each outcome are in
`test_errors.py`.
"""

import pytest

from zim.errors import CallRejectError
from zim.response import ZimResponse
from zim.return_codes import RETURN_CODES, raise_for_code

OUTCOMES = {
    1: "ZimUnavailable",
    2: "InvalidRequest",
    3: "ZimConfigurationError",
    7: "RateLimited",
    51102: "UserNotRegistered",
    105001: "ZimUnavailable",
    100000000: "ZimConfigurationError",
    100000001: "ZimConfigurationError",
    100000002: "ZimConfigurationError",
    100000003: "ZimConfigurationError",
    100000004: "ZimConfigurationError",
    100000005: "ZimConfigurationError",
    100000006: "ZimConfigurationError",
    100000007: "ZimConfigurationError",
    100000008: "ZimConfigurationError",
    100000009: "ZimConfigurationError",
    100000010: "ZimUnavailable",
    100000011: "ZimUnavailable",
    100000012: "ZimUnavailable",
    100000013: "ZimConfigurationError",
    100000014: "ZimConfigurationError",
    100000015: "ZimUnavailable",
    100000016: "ZimConfigurationError",
    100000017: "ZimConfigurationError",
    660000001: "ZimUnavailable",
    660000002: "InvalidRequest",
    660000003: "ZimUnavailable",
    660000012: "InvalidRequest",
    660000028: "ZimConfigurationError",
    660300005: "RateLimited",
    660500002: "UserNotRegistered",
    660900004: "CallNotFound",
    660900005: "InvitationClosed",
    660900006: "InvitationClosed",
    660900008: "InvitationClosed",
}

UNDOCUMENTED = {
    -1: "UnexpectedZimResponse",
    4: "UnexpectedZimResponse",
    99999999: "UnexpectedZimResponse",
    100000018: "ZimConfigurationError",
    100000099: "ZimConfigurationError",
    100000100: "UnexpectedZimResponse",
    660900007: "UnexpectedZimResponse",
}


def test_success_raises_nothing() -> None:
    raise_for_code(ZimResponse(0, "success", "1"))


@pytest.mark.parametrize(("code", "outcome"), [*OUTCOMES.items(), *UNDOCUMENTED.items()])
def test_a_return_code_raises_its_outcome_with_zims_response(code: int, outcome: str) -> None:
    response = ZimResponse(code, "message", "1")
    with pytest.raises(CallRejectError) as raised:
        raise_for_code(response)
    assert raised.value.name == outcome
    assert raised.value.response == response
    assert str(code) in raised.value.detail
    assert str(code) in raised.value.cause


def test_every_code_in_the_table_of_the_code_is_documented() -> None:
    assert RETURN_CODES.keys() == {0, *OUTCOMES}


def test_a_response_is_returned_under_zims_own_names() -> None:
    assert ZimResponse(7, "text", "1").to_dict() == {"Code": 7, "Message": "text", "RequestId": "1"}
