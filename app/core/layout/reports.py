"""What a node tells of itself with every heartbeat, and what the managers make of all heartbeats together.

Knows shapes only. Nothing here is in the Raft log: it is as old as its heartbeat, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """`status`: up, failing (errors above the budget, not asked for a while) or down. `errors`: since the start."""

    number: int
    status: str
    bytes_total: int
    bytes_free: int
    fragments: int
    errors: int = 0


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """Of the groups this node leads, for one profile: how many blobs are at what redundancy.

    full: every fragment at its home; reduced: readable with fragments to spare; critical: exactly as many as needed;
    lost: fewer. `unswept`: groups led and not compared since the last change of theirs. `verified_ms`: the oldest time
    at which a group of these had the checksums of all its fragments verified (0: one never had).
    """

    full: int = 0
    reduced: int = 0
    critical: int = 0
    lost: int = 0
    unswept: int = 0
    verified_ms: int = 0


@dataclass(frozen=True, slots=True)
class WorkReport:
    """Progress of one kind of healing (repair, rebalance, scrub) on a node: done, waiting, bytes a second lately."""

    kind: str
    done: int
    waiting: int
    bytes_per_s: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One heartbeat. `role`: file or metadata. `ledger`: by the profile's number, as text."""

    node_id: str
    role: str
    sent_ms: int
    epoch: int = 0
    address: str = ""
    devices: tuple[DeviceReport, ...] = ()
    ledger: Mapping[str, LedgerReport] = field(default_factory=dict)
    work: tuple[WorkReport, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What the leader makes of a node's heartbeats. `up`: one came within HEARTBEAT_SECONDS_MAX."""

    node_id: str
    up: bool
    seen_ms: int
    report: NodeReport | None = None
