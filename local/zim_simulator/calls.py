"""Calls: a caller, the invited users, and the state of each invitation."""

from dataclasses import dataclass, field
from enum import StrEnum

# See https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation.
DEFAULT_TIMEOUT_SECONDS = 90
MAX_TIMEOUT_SECONDS = 600


class State(StrEnum):
    """The state of an invitation. A call has the first state in this list that any of its invitations has."""

    RINGING = "ringing"
    TIMED_OUT = "timed out"
    ENDED = "ended"
    REJECTED = "rejected"


@dataclass
class Call:
    """A call.

    `rings_until` is in seconds of the monotonic clock. `extended_data` has the ExtendedData of each rejection by user.
    """

    call_id: str
    caller: str
    timeout: float
    rings_until: float
    invitees: dict[str, State]
    extended_data: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Ringing while any invitation rings, rejected when all are rejected."""
        return min(self.invitees.values(), key=list(State).index)

    def stop_ringing(self, state: State) -> None:
        """Set the state of the invitations that still ring."""
        for user, current in self.invitees.items():
            if current is State.RINGING:
                self.invitees[user] = state
