"""The promise of the control plane's state: one ordered sequence of commands, one state, followed by everybody.

Knows that state changes only by `core.cluster.apply`. Must not know where the sequence is kept
(a local journal now, Raft later). A reader's state is at most one second behind the last acknowledged command.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from app.core.cluster import ClusterState, Command, Outcome
from app.core.layout.reports import NodeHealth, NodeReport


class Cluster(Protocol):
    """`state` is cheap and never blocks; `submit` returns after the command is durable."""

    def state(self) -> ClusterState:
        """The newest state known here."""

    def submit(self, command: Command) -> Outcome:
        """Apply a command durably; the outcome says whether it was accepted and why not. Unavailable when this process
        only follows, or cannot write. A command id seen before gives the outcome it gave then."""

    def close(self) -> None: ...


class Beats(Protocol):
    """Heartbeats to the managers and what they answer. Nothing here is durable."""

    def beat(self, report: NodeReport) -> None:
        """Tell the managers how this node is. Unavailable when none answers; the next beat tries again."""

    def health(self) -> Mapping[str, NodeHealth]:
        """By node id, as the managers last told; {} before they did. A node that is not there was never heard of."""
        ...


@dataclass(frozen=True, slots=True)
class ManagerSeat:
    """A manager as the others know it. `grpc_address` is "" of one that votes and is not announced yet, `raft_address`
    of one that votes no more and is announced still: a change that was cut short, to be made again."""

    node_id: str
    grpc_address: str
    raft_address: str


@dataclass(frozen=True, slots=True)
class ManagersStatus:
    """How the managers stand, as one of them sees it. `leader`: a node id, "" when that one hears none."""

    told_by: str
    leader: str
    version: int
    term: int
    behind: int
    seats: tuple[ManagerSeat, ...]
    cluster_id: str


class ManagerSeats(Protocol):
    """Who the managers are. A change that was cut short is made again: each step of it may be repeated."""

    def managers(self) -> ManagersStatus:
        """As one manager that answers sees it. Unavailable when none does."""
        ...

    def add_manager(self, seat: ManagerSeat) -> ManagersStatus:
        """Let a manager vote, once it has caught up, and be found. As it is already is no error. Conflict,
        Unavailable."""
        ...

    def remove_manager(self, node_id: str) -> ManagersStatus:
        """Take a manager's vote and let nobody look for it any more. None of that name is no error. Conflict,
        Unavailable."""
        ...
