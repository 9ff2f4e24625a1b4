"""The return codes that the simulator uses, and the response body for a return code."""

import json
import secrets
from enum import IntEnum


class Code(IntEnum):
    """ZIM's return codes. The name is also the simulator's Message.

    See https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation.
    """

    SUCCESS = 0
    INVALID_PARAMETER = 660000002
    USER_ID_TOO_LONG = 660000012
    RATE_LIMIT_EXCEEDED = 660300005
    USER_NOT_REGISTERED = 660500002
    CALL_NOT_FOUND = 660900004
    CALL_ENDED = 660900005
    INVITATION_TIMED_OUT = 660900006
    USER_NOT_INVITED = 660900008
    APP_ID_MALFORMED = 100000001
    TIMESTAMP_EMPTY = 100000002
    TIMESTAMP_MALFORMED = 100000003
    SIGNATURE_EXPIRED = 100000004
    SIGNATURE_WRONG = 100000005
    ACTION_EMPTY = 100000006
    ACTION_UNSUPPORTED = 100000007
    SIGNATURE_NONCE_EMPTY = 100000008
    SIGNATURE_EMPTY = 100000009
    SIGNATURE_VERSION_EMPTY = 100000013
    SIGNATURE_VERSION_UNSUPPORTED = 100000014


def response_body(code: int) -> bytes:
    """Return ZIM's response body for a return code, known or not."""
    message = Code(code).name.lower().replace("_", " ") if code in Code else "simulated"
    return json.dumps({"Code": int(code), "Message": message, "RequestId": random_digits()}).encode()


def random_digits() -> str:
    """Return 18 random digits, the format of ZIM's RequestId."""
    return str(10**17 + secrets.randbelow(9 * 10**17))
