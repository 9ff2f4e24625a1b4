"""The one table of ZIM's return codes: what each means, and which kind of outcome it is.

Source: ZEGOCLOUD's documentation, In-app Chat, Server APIs, "Return codes" and "Reject a call invitation".
"""

from zim.outcome import (
    CALL_NOT_FOUND,
    INVALID_REQUEST,
    NOTHING_TO_REJECT,
    RATE_LIMITED,
    REJECTED,
    UNEXPECTED_ANSWER,
    USER_NOT_REGISTERED,
    ZIM_IN_TROUBLE,
    ZIM_REFUSES_US,
    Kind,
)

SIGNATURE_WRONG = 100000005

RETURN_CODES: dict[int, tuple[Kind, str]] = {
    0: (REJECTED, "done"),
    1: (ZIM_IN_TROUBLE, "the request failed, its servers are busy"),
    2: (INVALID_REQUEST, "a parameter is wrong"),
    3: (ZIM_REFUSES_US, "authentication failed"),
    7: (RATE_LIMITED, "more requests a second than the system allows"),
    51102: (USER_NOT_REGISTERED, "the user is not registered"),
    105001: (ZIM_IN_TROUBLE, "its database failed"),
    100000000: (ZIM_REFUSES_US, "wrong Host"),
    100000001: (ZIM_REFUSES_US, "AppId malformed"),
    100000002: (ZIM_REFUSES_US, "Timestamp empty"),
    100000003: (ZIM_REFUSES_US, "Timestamp malformed"),
    100000004: (ZIM_REFUSES_US, "the signature has expired, so one of the two clocks is wrong"),
    SIGNATURE_WRONG: (ZIM_REFUSES_US, "the signature is wrong, so AppId and ServerSecret do not belong together"),
    100000006: (ZIM_REFUSES_US, "Action empty"),
    100000007: (ZIM_REFUSES_US, "Action unsupported"),
    100000008: (ZIM_REFUSES_US, "SignatureNonce empty"),
    100000009: (ZIM_REFUSES_US, "Signature empty"),
    100000010: (ZIM_IN_TROUBLE, "it could not look up the app's ServerSecret"),
    100000011: (ZIM_IN_TROUBLE, "it could not look up the app's configuration"),
    100000012: (ZIM_IN_TROUBLE, "it could not read the request"),
    100000013: (ZIM_REFUSES_US, "SignatureVersion empty"),
    100000014: (ZIM_REFUSES_US, "SignatureVersion unsupported"),
    100000015: (ZIM_IN_TROUBLE, "its gateway failed"),
    100000016: (ZIM_REFUSES_US, "the app is not configured for production"),
    100000017: (ZIM_REFUSES_US, "the app is not enabled for this service"),
    660000001: (ZIM_IN_TROUBLE, "business error on the server"),
    660000002: (INVALID_REQUEST, "a parameter is wrong"),
    660000003: (ZIM_IN_TROUBLE, "logic error on the server"),
    660000012: (INVALID_REQUEST, "the user id is longer than 32 bytes"),
    660000028: (ZIM_REFUSES_US, "not offered to projects of the free edition"),
    660300005: (RATE_LIMITED, "more calls a second than the AppId is allowed"),
    660500002: (USER_NOT_REGISTERED, "FromUserId is not registered with ZIM"),
    660900004: (CALL_NOT_FOUND, "it could not get the call's information; CallId must be ZIM's id of the invitation"),
    660900005: (NOTHING_TO_REJECT, "the call has ended"),
    660900006: (NOTHING_TO_REJECT, "the invitation has timed out"),
    660900008: (NOTHING_TO_REJECT, "this user is not invited to the call"),
}

_GATEWAY_CODES = range(100000000, 100000100)


def meaning_of(code: int) -> tuple[Kind, str]:
    """Return the kind of outcome that a return code of ZIM's is, and what it means; no code is without an answer."""
    if code in RETURN_CODES:
        return RETURN_CODES[code]
    if code in _GATEWAY_CODES:
        return ZIM_REFUSES_US, "its gateway refuses our AppId, signature or project"
    return UNEXPECTED_ANSWER, "a return code that its documentation does not have"
