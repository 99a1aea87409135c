"""Which directory each member's name stands for, so that a member whose disk was lost cannot vote a second time.

Knows names and the random numbers directories were given when they were new. Must not know sockets. The first number
seen beside a member's name is believed and kept; none is ever forgotten, because the old directory may have voted.
"""

import json
from collections.abc import Callable

from app.adapters.cluster.raft.contract import Corrupt
from app.adapters.cluster.raft.disk import Disk
from app.adapters.cluster.raft.snapshots import REMEDY
from app.core import cluster_limits

_OWN = "incarnation"
_SEEN = "incarnations"
_BYTES = 16


class Incarnations:
    """Of the tick thread. `own`: this directory's, durable before anything else is in it. Raises OSError, Corrupt."""

    def __init__(self, disk: Disk, entropy: Callable[[int], bytes]) -> None:
        self._disk = disk
        own = disk.read(_OWN)
        if own is None:
            own = entropy(_BYTES).hex().encode()
            disk.replace(_OWN, own)
        self.own = own.decode("ascii", "replace")
        try:
            self._seen: dict[str, str] = json.loads(disk.read(_SEEN) or b"{}")
        except ValueError as error:
            raise Corrupt(f"the file {_SEEN} of the Raft directory is damaged; {REMEDY}") from error

    def of(self, node_id: str) -> str:
        """What this node knows of another's; "" when it never saw it."""
        return self._seen.get(node_id, "")

    def believes(self, node_id: str, incarnation: str) -> bool:
        """Whether the name stands for that directory, as far as is known."""
        return self._seen.get(node_id, incarnation) == incarnation

    def learn(self, node_id: str, incarnation: str) -> None:
        """Keep what a member said when it was first met; durable on return. Raises OSError."""
        if node_id in self._seen or len(self._seen) >= cluster_limits.RAFT_INCARNATIONS_MAX:
            return
        seen = {**self._seen, node_id: incarnation}
        self._disk.replace(_SEEN, json.dumps(seen).encode())
        self._seen = seen
