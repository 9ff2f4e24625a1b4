"""The outcome of a return code: `zim.return_codes`.

`test_vendor_facts.py` compares the whole table with ZIM's documentation. The status, retry rule and queue action of
each outcome are in `test_errors.py`.
"""

import pytest

from zim.errors import CallRejectError
from zim.response import ZimResponse
from zim.return_codes import raise_for_code

# The codes that CallReject can meet, and codes that nothing documents. tests/unit/test_vendor_facts.py covers the rest.
OUTCOMES = {
    1: "ZimUnavailable",
    2: "InvalidRequest",
    3: "ZimConfigurationError",
    7: "RateLimited",
    51102: "UserNotRegistered",
    105001: "ZimUnavailable",
    100000004: "ZimConfigurationError",
    100000005: "ZimConfigurationError",
    100000010: "ZimUnavailable",
    100000011: "ZimUnavailable",
    100000012: "ZimUnavailable",
    100000015: "ZimUnavailable",
    100000016: "ZimConfigurationError",
    100000017: "ZimConfigurationError",
    660000001: "ZimUnavailable",
    660000002: "InvalidRequest",
    660000003: "ZimUnavailable",
    660000012: "InvalidRequest",
    660000028: "ZimConfigurationError",
    660200001: "UserNotRegistered",
    660300005: "RateLimited",
    660300006: "RateLimited",
    660500002: "UserNotRegistered",
    660600001: "ZimRejectedRequest",
    660700012: "UserNotRegistered",
    660700015: "UserNotRegistered",
    660900004: "CallNotFound",
    660900005: "InvitationClosed",
    660900006: "InvitationClosed",
    660900007: "ZimRejectedRequest",
    660900008: "InvitationClosed",
    661000005: "ZimUnavailable",
    -1: "UnexpectedZimResponse",
    4: "UnexpectedZimResponse",
    99999999: "UnexpectedZimResponse",
    100000000: "ZimConfigurationError",
    100000018: "ZimConfigurationError",
    100000099: "ZimConfigurationError",
    100000100: "UnexpectedZimResponse",
    660900009: "UnexpectedZimResponse",
}


def test_success_raises_nothing() -> None:
    raise_for_code(ZimResponse(0, "success", "1"))


@pytest.mark.parametrize(("code", "outcome"), OUTCOMES.items())
def test_a_return_code_raises_its_outcome_with_zims_response(code: int, outcome: str) -> None:
    response = ZimResponse(code, "message", "1")
    with pytest.raises(CallRejectError) as raised:
        raise_for_code(response)
    assert raised.value.name == outcome
    assert raised.value.response == response
    assert str(code) in raised.value.detail
    assert str(code) in raised.value.cause


def test_a_response_is_returned_under_zims_own_names() -> None:
    assert ZimResponse(7, "text", "1").to_dict() == {"Code": 7, "Message": "text", "RequestId": "1"}
