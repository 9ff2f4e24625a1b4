"""ZIM's response to a server API call."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ZimResponse:
    """The three members of every response.

    See https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation, "Response parameters".
    """

    code: int
    message: str
    request_id: str

    def to_dict(self) -> dict[str, Any]:
        """Return the members under ZIM's own names."""
        return {"Code": self.code, "Message": self.message, "RequestId": self.request_id}
