"""The return codes that the simulated server gives by itself, and the document it gives them in."""

import json
import random
from enum import IntEnum

_random = random.SystemRandom()


class Code(IntEnum):
    """ZIM's documentation, Call invitation / CallReject and the global return codes. The name is the Message, too."""

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


def answer(code: int) -> bytes:
    """Give the JSON document that answers with `code`, which may be any number."""
    message = Code(code).name.lower().replace("_", " ") if code in Code else "simulated"
    return json.dumps({"Code": int(code), "Message": message, "RequestId": random_digits()}).encode()


def random_digits() -> str:
    """Make up an id of 18 digits, the form of ZIM's RequestId."""
    return str(_random.randrange(10**17, 10**18))
