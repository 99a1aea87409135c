"""The promise of the control plane's state: one ordered sequence of commands, one state, followed by everybody.

Knows that state changes only by `core.cluster.apply`. Must not know where the sequence is kept
(a local journal now, Raft later). A reader's state is at most one second behind the last acknowledged command.
"""

from typing import Protocol

from app.core.cluster import ClusterState, Command, Outcome


class Cluster(Protocol):
    """`state` is cheap and never blocks; `submit` returns after the command is durable."""

    def state(self) -> ClusterState:
        """The newest state known here."""

    def submit(self, command: Command) -> Outcome:
        """Apply a command durably; the outcome says whether it was accepted and why not. Unavailable when this process
        only follows, or cannot write. A command id seen before gives the outcome it gave then."""

    def close(self) -> None: ...
