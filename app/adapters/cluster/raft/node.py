"""One member of the replicated log, for callers of any thread.

Knows the tick thread and how callers wait for it. Must not know how entries are agreed on (consensus.py).
"""

from collections.abc import Callable, Mapping

from app.adapters.cluster.raft.contract import Machine, RaftConfig, RaftStatus


class RaftNode:
    """Starts with its constructor (StartRefused when it must not), serves until `close`. Never fork after that."""

    def __init__(self, config: RaftConfig, machine: Machine) -> None:
        raise NotImplementedError

    def propose(self, command: bytes, timeout_s: float) -> bytes:
        """What the machine answered, once a majority holds the command durably and it was applied here.

        Raises NotLeader, Unavailable (both: it did not happen), Unknown (it may have) and MachineFault."""
        raise NotImplementedError

    def read_barrier(self, timeout_s: float) -> int:
        """Return once this node's machine holds every command acknowledged anywhere before the call: a leader's, proved
        by a majority (ReadIndex). The applied index. Raises NotLeader, Unavailable."""
        raise NotImplementedError

    def change_members(self, members: Mapping[str, str], timeout_s: float) -> None:
        """Make `members` (id -> address) the members: one added, one removed or one moved to another address at a time.

        One that is added catches up first. To replace one: add, then remove. The leader cannot remove itself: call
        `transfer_leadership` first. Raises MembersRefused, NotLeader, Unavailable, Unknown."""
        raise NotImplementedError

    def transfer_leadership(self, timeout_s: float) -> None:
        """Make another member lead: the one that holds the most. Raises NotLeader, Unavailable (none took it)."""
        raise NotImplementedError

    def status(self) -> RaftStatus:
        """What this node knows; never blocks."""
        raise NotImplementedError

    def subscribe(self, callback: Callable[[int], None]) -> Callable[[], None]:
        """Have `callback(applied index)` called by the tick thread after every batch of applied commands; it must be
        short and must not raise. Returns what ends it."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop; what was acknowledged is durable. Safe to call twice."""
        raise NotImplementedError
