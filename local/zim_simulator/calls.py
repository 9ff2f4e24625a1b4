"""A call invitation: who is asked, and how it stands with each of them."""

from dataclasses import dataclass, field
from enum import StrEnum

# ZIM's documentation, Call invitation / CallReject: how long an invitation rings, and how long at the most.
DEFAULT_TIMEOUT_SECONDS = 90
MAX_TIMEOUT_SECONDS = 600


class State(StrEnum):
    """How it stands with an invitee; a call stands where that of its invitees stands who comes first in this list."""

    RINGING = "ringing"
    TIMED_OUT = "timed out"
    ENDED = "ended"
    REJECTED = "rejected"


@dataclass
class Call:
    """An invitation. `rings_until` is monotonic seconds; `extended_data` holds what came with each rejection."""

    call_id: str
    caller: str
    timeout: float
    rings_until: float
    invitees: dict[str, State]
    extended_data: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Ringing as long as anyone is, rejected only when all have rejected."""
        return min(self.invitees.values(), key=list(State).index)

    def stop_ringing(self, state: State) -> None:
        """Give `state` to whoever has not answered."""
        self.invitees.update({user: state for user, was in self.invitees.items() if was is State.RINGING})
