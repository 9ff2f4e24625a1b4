"""ZIM's return codes: what each one means, and the error that it raises.

See https://www.zegocloud.com/docs/zim-server/return-codes and
https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation.
"""

from zim.errors import (
    CallNotFound,
    CallRejectError,
    InvalidRequest,
    InvitationClosed,
    RateLimited,
    UnexpectedZimResponse,
    UserNotRegistered,
    ZimConfigurationError,
    ZimUnavailable,
)
from zim.response import ZimResponse

SUCCESS = 0
SIGNATURE_REJECTED = 100000005

RETURN_CODES: dict[int, tuple[type[CallRejectError] | None, str]] = {
    SUCCESS: (None, "success"),
    1: (ZimUnavailable, "request failed, servers busy"),
    2: (InvalidRequest, "invalid parameter"),
    3: (ZimConfigurationError, "authentication failed"),
    7: (RateLimited, "request rate exceeds the system limit"),
    51102: (UserNotRegistered, "user not registered"),
    105001: (ZimUnavailable, "database error"),
    100000000: (ZimConfigurationError, "wrong Host"),
    100000001: (ZimConfigurationError, "malformed AppId"),
    100000002: (ZimConfigurationError, "empty Timestamp"),
    100000003: (ZimConfigurationError, "malformed Timestamp"),
    100000004: (ZimConfigurationError, "signature expired: the server's clock or ZIM's is wrong"),
    SIGNATURE_REJECTED: (ZimConfigurationError, "wrong signature: AppId and ServerSecret do not match"),
    100000006: (ZimConfigurationError, "empty Action"),
    100000007: (ZimConfigurationError, "unsupported Action"),
    100000008: (ZimConfigurationError, "empty SignatureNonce"),
    100000009: (ZimConfigurationError, "empty Signature"),
    100000010: (ZimUnavailable, "failed to get the app's ServerSecret"),
    100000011: (ZimUnavailable, "failed to get the app's configuration"),
    100000012: (ZimUnavailable, "failed to read the request"),
    100000013: (ZimConfigurationError, "empty SignatureVersion"),
    100000014: (ZimConfigurationError, "unsupported SignatureVersion"),
    100000015: (ZimUnavailable, "gateway error"),
    100000016: (ZimConfigurationError, "app not configured for production"),
    100000017: (ZimConfigurationError, "app not enabled for this service"),
    660000001: (ZimUnavailable, "business error on the server"),
    660000002: (InvalidRequest, "invalid parameter"),
    660000003: (ZimUnavailable, "logic error on the server"),
    660000012: (InvalidRequest, "user id longer than 32 bytes"),
    660000028: (ZimConfigurationError, "not available to projects of the free edition"),
    660300005: (RateLimited, "call rate exceeds the limit of the AppId"),
    660500002: (UserNotRegistered, "FromUserId is not registered with ZIM"),
    660900004: (CallNotFound, "failed to get the call's information: check that CallId is ZIM's id of the invitation"),
    660900005: (InvitationClosed, "the call has ended"),
    660900006: (InvitationClosed, "the invitation has timed out"),
    660900008: (InvitationClosed, "the user is not invited to the call"),
}

_GATEWAY_CODES = range(100000000, 100000100)


def look_up(code: int) -> tuple[type[CallRejectError] | None, str]:
    """Return the error class for a return code, None for success, and the meaning of the code."""
    if code in RETURN_CODES:
        return RETURN_CODES[code]
    if code in _GATEWAY_CODES:
        return ZimConfigurationError, "ZIM's gateway rejected the AppId, the signature or the project"
    return UnexpectedZimResponse, "undocumented return code"


def raise_for_code(response: ZimResponse) -> None:
    """Raise the error that the code of a response stands for, and nothing for success.

    Raises
    ------
    CallRejectError
        the subclass in `RETURN_CODES`, with the response.
    """
    error_class, meaning = look_up(response.code)
    if error_class is not None:
        raise error_class(f"ZIM returned {response.code}: {meaning}.", response=response)
