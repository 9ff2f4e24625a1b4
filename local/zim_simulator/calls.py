"""Calls: a caller, the invited users, and the state of each invitation."""

from dataclasses import dataclass, field
from enum import StrEnum

# See https://www.zegocloud.com/docs/zim-server/call-invitation/reject-a-call-invitation.
DEFAULT_TIMEOUT_SECONDS = 90
MAX_TIMEOUT_SECONDS = 600


class Mode(StrEnum):
    """A normal call ends when all invited users have answered. An advanced call continues until it is ended."""

    NORMAL = "normal"
    ADVANCED = "advanced"


class State(StrEnum):
    """The state of an invitation or a call. A call has the first state in this list that any of its invitations has.

    Only an advanced call can be in progress: no invitation rings, and users can be invited again.
    """

    RINGING = "ringing"
    IN_PROGRESS = "in progress"
    TIMED_OUT = "timed out"
    ENDED = "ended"
    REJECTED = "rejected"


@dataclass
class Invitation:
    """The latest invitation of a user. Times are in seconds of the monotonic clock."""

    invited_at: float
    rings_until: float
    state: State = State.RINGING
    rejected_at: float | None = None

    @property
    def rejected_after(self) -> float | None:
        """Seconds from the invitation to the rejection."""
        return None if self.rejected_at is None else self.rejected_at - self.invited_at

    def reject(self, now: float) -> None:
        """Reject the invitation at `now`."""
        self.state, self.rejected_at = State.REJECTED, now


@dataclass
class Call:
    """A call. `extended_data` has the ExtendedData of the latest rejection by each user."""

    call_id: str
    caller: str
    mode: Mode
    invitations: dict[str, Invitation] = field(default_factory=dict)
    extended_data: dict[str, str] = field(default_factory=dict)
    is_ended: bool = False

    @property
    def state(self) -> State:
        """Ringing while any invitation rings, rejected when all are rejected."""
        states = [invitation.state for invitation in self.invitations.values()]
        if self.mode is Mode.ADVANCED and not self.is_ended:
            states.append(State.IN_PROGRESS)
        return min(states, key=list(State).index)

    def invite(self, users: list[str], now: float, timeout: float) -> None:
        """Invite users for `timeout` seconds, for the first time or again."""
        self.invitations.update({user: Invitation(now, now + timeout) for user in users})

    def expire(self, now: float) -> None:
        """Set the state of the invitations that rang until `now` or earlier."""
        for invitation in self.invitations.values():
            if invitation.state is State.RINGING and now >= invitation.rings_until:
                invitation.state = State.TIMED_OUT

    def end(self) -> None:
        """End the call, as its caller does by hanging up."""
        self.is_ended = True
        for invitation in self.invitations.values():
            if invitation.state is State.RINGING:
                invitation.state = State.ENDED
