"""ZIM's return codes: what each one means, and the error that it raises.

The table contains all documented codes. CallReject documents a few of them; for the others, the error follows ZIM's
advice: try again later, contact support, or change the request. See
https://www.zegocloud.com/docs/zim-server/return-codes and
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
    ZimRejectedRequest,
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
    50014: (ZimRejectedRequest, "user name too long"),
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
    660000011: (ZimRejectedRequest, "too many users"),
    660000012: (InvalidRequest, "user id longer than 32 bytes"),
    660000022: (ZimRejectedRequest, "message not found"),
    660000023: (ZimRejectedRequest, "message already revoked"),
    660000024: (ZimRejectedRequest, "too late to revoke the message"),
    660000025: (ZimRejectedRequest, "message content is not Base64"),
    660000026: (ZimRejectedRequest, "FromUserId did not send the message"),
    660000027: (ZimRejectedRequest, "message storage not enabled"),
    660000028: (ZimConfigurationError, "not available to projects of the free edition"),
    660200001: (UserNotRegistered, "user does not exist, is logged out, or has never logged in"),
    660300001: (ZimRejectedRequest, "room does not exist"),
    660300002: (ZimRejectedRequest, "user not in the room"),
    660300005: (RateLimited, "call rate exceeds the limit of the AppId"),
    660300006: (RateLimited, "call rate exceeds the limit of the group or room"),
    660300007: (ZimUnavailable, "failed to get the room"),
    660300008: (ZimRejectedRequest, "room has no users"),
    660300012: (ZimRejectedRequest, "user not in the room"),
    660300014: (ZimRejectedRequest, "room already exists"),
    660300015: (ZimRejectedRequest, "too many rooms"),
    660300019: (ZimUnavailable, "group attributes too long"),
    660400001: (ZimRejectedRequest, "message too large"),
    660500002: (UserNotRegistered, "FromUserId is not registered with ZIM"),
    660500003: (RateLimited, "call rate exceeds the limit of SendMessageToAllUsers"),
    660500004: (ZimUnavailable, "text moderation failed"),
    660500005: (ZimRejectedRequest, "text did not pass moderation"),
    660500006: (ZimUnavailable, "image moderation failed"),
    660500007: (ZimRejectedRequest, "image did not pass moderation"),
    660500009: (ZimRejectedRequest, "message sent silently by decision of the app's server"),
    660500010: (ZimRejectedRequest, "message rejected by the app's server"),
    660600001: (ZimRejectedRequest, "group does not exist"),
    660600003: (ZimUnavailable, "failed to query the group members"),
    660600004: (RateLimited, "call rate exceeds the limit of QueryGroupMemberList"),
    660600005: (RateLimited, "call rate exceeds the limit of KickoutGroupUser"),
    660600006: (ZimUnavailable, "failed to query the groups"),
    660600007: (RateLimited, "call rate exceeds the limit of QueryAppGroupList"),
    660600008: (ZimRejectedRequest, "user not in the group"),
    660600009: (ZimRejectedRequest, "failed to get the group"),
    660600010: (RateLimited, "call rate exceeds the limit of CreateGroup"),
    660600011: (ZimRejectedRequest, "group already exists"),
    660600012: (ZimRejectedRequest, "too many groups"),
    660600013: (ZimRejectedRequest, "group owner does not exist"),
    660600014: (ZimUnavailable, "failed to change the group owner"),
    660600015: (ZimUnavailable, "database error"),
    660600016: (ZimRejectedRequest, "too many group members"),
    660600017: (ZimUnavailable, "failed to add users to the new group"),
    660600019: (ZimRejectedRequest, "too many group attributes"),
    660600020: (ZimRejectedRequest, "group attribute has a wrong length"),
    660600021: (ZimRejectedRequest, "invalid message parameter"),
    660600022: (ZimUnavailable, "failed to get the redirect address"),
    660600023: (ZimRejectedRequest, "message too long"),
    660600024: (ZimRejectedRequest, "user not in the group"),
    660600028: (ZimUnavailable, "failed to change the group profile"),
    660600029: (ZimRejectedRequest, "role cannot be 1"),
    660600030: (ZimRejectedRequest, "FromUserId equals ToUserId"),
    660600032: (ZimRejectedRequest, "FromUserId is neither owner nor administrator of the group"),
    660600033: (ZimRejectedRequest, "operation failed for all users"),
    660700001: (RateLimited, "call rate exceeds the limit of UserRegister"),
    660700002: (ZimRejectedRequest, "user already exists"),
    660700006: (ZimRejectedRequest, "user name too long"),
    660700007: (ZimRejectedRequest, "avatar address too long"),
    660700008: (UserNotRegistered, "failed to get the user's information: wrong user id"),
    660700012: (UserNotRegistered, "user does not exist"),
    660700013: (ZimUnavailable, "failed to query the user's information"),
    660700015: (UserNotRegistered, "user not registered"),
    660700016: (ZimUnavailable, "failed to synchronize the user's information"),
    660700017: (ZimUnavailable, "failed to update the user's information"),
    660800001: (ZimRejectedRequest, "user of the conversation not registered"),
    660800002: (ZimRejectedRequest, "conversation not found"),
    660800019: (ZimRejectedRequest, "too many operations in one batch"),
    660800020: (ZimRejectedRequest, "user cannot be their own friend"),
    660800021: (ZimRejectedRequest, "friend alias or wording too long"),
    660800022: (ZimRejectedRequest, "duplicate user ids"),
    660800023: (ZimRejectedRequest, "attribute key is not one of k0 to k4"),
    660800024: (ZimRejectedRequest, "attributes too long"),
    660800025: (ZimRejectedRequest, "friends not registered"),
    660800026: (ZimRejectedRequest, "invalid friend attribute"),
    660800027: (ZimRejectedRequest, "already a friend"),
    660800028: (ZimRejectedRequest, "too many friends"),
    660800030: (ZimRejectedRequest, "Do Not Disturb list too long"),
    660800032: (ZimRejectedRequest, "duplicate attribute keys"),
    660800033: (ZimRejectedRequest, "UserIds contains FromUserId"),
    660800034: (ZimRejectedRequest, "not a friend"),
    660800037: (ZimRejectedRequest, "user already blocked"),
    660800038: (ZimRejectedRequest, "user cannot block themselves"),
    660800039: (ZimRejectedRequest, "too many users"),
    660800040: (ZimRejectedRequest, "block list full"),
    660800041: (ZimRejectedRequest, "failed to block all users"),
    660800042: (ZimRejectedRequest, "failed to unblock all users"),
    660800043: (ZimRejectedRequest, "user already unblocked"),
    660800044: (ZimRejectedRequest, "user not blocked"),
    660800045: (ZimRejectedRequest, "sender is blocked by the receiver"),
    660800046: (ZimRejectedRequest, "timestamp in the future"),
    660800048: (ZimRejectedRequest, "too many pinned conversations"),
    660800051: (ZimRejectedRequest, "conversation already muted"),
    660800052: (ZimRejectedRequest, "conversation already unmuted"),
    660800053: (ZimUnavailable, "failed to query the conversations"),
    660900003: (UserNotRegistered, "called users not registered"),
    660900004: (CallNotFound, "failed to get the call's information: check that CallId is ZIM's id of the invitation"),
    660900005: (InvitationClosed, "the call has ended"),
    660900006: (InvitationClosed, "the invitation has timed out"),
    660900007: (ZimRejectedRequest, "too many called users"),
    660900008: (InvitationClosed, "the user is not invited to the call"),
    661000001: (ZimRejectedRequest, "too late to edit the message"),
    661000005: (ZimUnavailable, "failed to edit the message"),
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
    """Raise the error for the code of a response, or nothing for success.

    Raises
    ------
    CallRejectError
        the subclass in `RETURN_CODES`, with the response.
    """
    error_class, meaning = look_up(response.code)
    if error_class is not None:
        raise error_class(f"ZIM returned {response.code}: {meaning}.", response=response)
