"""The promise of the replicated log: commands in one order on a majority of managers, applied alike by each.

Knows that an entry is bytes, and that the machine that applies them never fails. Must not know what they mean, nor how
managers agree (adapters/cluster/raft).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.core.cluster import ClusterState
from app.core.errors import Unavailable


class NotLeader(Unavailable):
    """The manager asked does not lead. `leader`: the node id of the one it hears, "" when it hears none."""

    def __init__(self, leader: str) -> None:
        super().__init__(f"{leader} leads" if leader else "no leader is known: no majority of the managers is together")
        self.leader = leader


class Undecided(Unavailable):
    """It is not known whether the entry will be applied: propose it again, under the same command id."""


@dataclass(frozen=True, slots=True)
class LogStatus:
    """`leader`: "" while none is heard. `behind`: committed entries not applied here. `members`: Raft addresses by node
    id, this manager's own among them."""

    leader: str
    term: int
    behind: int
    members: Mapping[str, str] = field(default_factory=dict)


class Machine(Protocol):
    """What the log drives, always from one thread. The same entries give the same bytes on every manager."""

    def apply(self, entry: bytes) -> bytes:
        """The result of an entry, handed to its proposer. Never raises."""
        ...

    def snapshot(self) -> bytes:
        """Everything the entries so far have made."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot, whatever was before. Raises Corrupt."""


class Book(Protocol):
    """What the machine's entries have made, for those who read. Every call may come from any thread."""

    def state(self) -> ClusterState:
        """As of the newest entry applied here."""
        ...

    def document(self) -> tuple[int, bytes]:
        """Version and document of the whole state."""
        ...

    def since(self, version: int) -> list[tuple[int, bytes]] | None:
        """Versions after this one with the entries that made them; None when they are not kept, or it is not ours."""
        ...


class ReplicatedLog(Protocol):
    """Every call may come from any thread."""

    def propose(self, entry: bytes, timeout_s: float) -> bytes:
        """The machine's result, after the entry is durable on a majority. NotLeader (nothing happened), Undecided."""
        ...

    def read_barrier(self, timeout_s: float) -> None:
        """Return when everything acknowledged before the call has been applied here. Unavailable when no majority
        confirms it in time."""

    def status(self) -> LogStatus: ...

    def add_member(self, node_id: str, address: str, timeout_s: float) -> None:
        """Durable on a majority of the larger membership. One change at a time; a member as it is already is no error.
        NotLeader, Undecided, Conflict while another change is under way."""

    def remove_member(self, node_id: str, timeout_s: float) -> None:
        """As `add_member`; one that is none is no error. Conflict also when no majority of those left would answer."""

    def close(self) -> None: ...
