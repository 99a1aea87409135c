"""What a user of the replicated log sees: its configuration, its machine, its status and its refusals.

Knows values only. Must not know pysyncobj, sockets or files. Build a node of it with `RaftNode` (node.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from app.core import cluster_limits


class Machine(Protocol):
    """The replicated state machine. All three are called by the node's own thread, one at a time."""

    def apply(self, command: bytes) -> bytes:
        """Apply one command; the same on every node: no clock, no chance, no I/O. Total: it never raises (an exception
        is a bug: it counts as a command without effect, and its proposer gets MachineFault)."""

    def snapshot(self) -> bytes:
        """The whole state, at most cluster_limits.RAFT_SNAPSHOT_BYTES_MAX. Called between two applies."""

    def restore(self, state: bytes) -> None:
        """Replace the whole state by what `snapshot` gave, perhaps on another node."""


class Start(StrEnum):
    """What a node may do that finds an empty directory. With a log there, all three only resume it."""

    RESUME = "resume"  # refuse: NotBootstrapped
    BOOTSTRAP = "bootstrap"  # begin a cluster whose members are RaftConfig.peers (and this node)
    JOIN = "join"  # wait, without a vote, until a leader adds this node


@dataclass(frozen=True, slots=True)
class RaftConfig:
    """One node. Addresses are "host:port"; times are milliseconds.

    `peers` is read only by BOOTSTRAP (every node that bootstraps must be given the same ones) and by JOIN (whom to
    tell where we are); afterwards the members are what the log says. `secret` keys the mutual TLS between members; None
    is for tests on loopback. A node id whose directory was lost must never be used again: join under a new one.
    """

    node_id: str
    bind: str
    directory: Path
    secret: bytes | None = field(repr=False)
    peers: Mapping[str, str] = field(default_factory=dict)
    advertise: str | None = None  # where others reach this node; `bind` when None
    start: Start = Start.RESUME
    election_ms: int = cluster_limits.RAFT_ELECTION_MS  # the least silence of a leader; at most twice that is waited
    compact_entries: int = cluster_limits.RAFT_COMPACT_ENTRIES

    @property
    def address(self) -> str:
        """Where others reach this node."""
        return self.advertise or self.bind


class Role(StrEnum):
    LEADER = "leader"
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    WAITING = "waiting"  # joining, or removed: without a vote


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """Another member as this node sees it. `match` and `lag` (entries) are known to a leader only."""

    node_id: str
    address: str
    connected: bool
    match: int | None
    lag: int | None


@dataclass(frozen=True, slots=True)
class RaftStatus:
    """A consistent picture, at most one tick old."""

    node_id: str
    role: Role
    term: int
    leader_id: str | None
    commit: int
    applied: int
    members: Mapping[str, str]  # id -> address, this node included
    peers: tuple[PeerStatus, ...]
    has_quorum: bool  # a leader that a majority answers, or a follower that hears its leader
    why_not: str | None  # the reason, for an operator, when there is no quorum


class RaftError(Exception):
    """Every refusal of this room."""


class NotLeader(RaftError):
    """The command certainly did not and will not happen here; ask `leader_id`, or wait for an election when None."""

    def __init__(self, leader_id: str | None, reason: str = "") -> None:
        super().__init__(reason or (f"the leader is {leader_id}" if leader_id else "no leader is known"))
        self.leader_id = leader_id


class Unknown(RaftError):
    """The command may or may not have happened, or may still happen: try again with the same request id."""


class Unavailable(RaftError):
    """It certainly did not happen, and there is no better node known: too many waiting, too large, closed."""


class MembersRefused(RaftError):
    """The change of members breaks a rule; the text says which."""


class MachineFault(RaftError):
    """The machine raised while it applied the command: a bug. The command counts as applied without effect."""


class StartRefused(RaftError):
    """The node must not start; the text says why, and what to do."""


class NotBootstrapped(StartRefused):
    """The directory is empty and neither BOOTSTRAP nor JOIN was asked for."""


class Corrupt(StartRefused):
    """A file of this node is damaged in a way a crash cannot explain: starting could lose acknowledged commands."""


class WrongLibrary(StartRefused):
    """The installed pysyncobj is not the one that was proved."""
