"""The managers' replicated log: pysyncobj, pinned and hardened (docs/design/raft.md).

Knows members, a log and a machine that is handed bytes. Must not know what the bytes mean, HTTP, gRPC or settings.
For an unpatched process of its own: a thread that is kept from running for 0.3 s costs an election.
"""

from app.adapters.cluster.raft.contract import (
    Corrupt,
    Machine,
    MachineFault,
    MembersRefused,
    NotBootstrapped,
    NotLeader,
    PeerStatus,
    RaftConfig,
    RaftError,
    RaftStatus,
    Role,
    Start,
    StartRefused,
    Unavailable,
    Unknown,
    WrongLibrary,
)
from app.adapters.cluster.raft.node import RaftNode

__all__ = [
    "Corrupt",
    "Machine",
    "MachineFault",
    "MembersRefused",
    "NotBootstrapped",
    "NotLeader",
    "PeerStatus",
    "RaftConfig",
    "RaftError",
    "RaftNode",
    "RaftStatus",
    "Role",
    "Start",
    "StartRefused",
    "Unavailable",
    "Unknown",
    "WrongLibrary",
]
