"""The commands that keep the list of managers others reach the control plane by.

Knows gRPC addresses only: who votes is the replicated log's own membership, changed before these are proposed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PutManagerAddress:
    """A manager is reached at `address` (HOST:PORT, gRPC); new, or moved."""

    command_id: str
    node_id: str
    address: str


@dataclass(frozen=True, slots=True)
class RemoveManagerAddress:
    """A manager is none any more; one that was none is no error. The last one stays (InvalidInput)."""

    command_id: str
    node_id: str


ManagerCommand = PutManagerAddress | RemoveManagerAddress
