"""The one room that knows private names of pysyncobj 0.3.17: they leave it under names of ours.

Knows which fields and methods of the library mean what. Must not decide anything. A method of the library that is
replaced calls one of ours without underscores; what consensus.py does not replace is the library's: the tick, the
election and its votes, the commit rule, stepping down.
"""

from collections.abc import Mapping
from typing import Any

from app.adapters.cluster.raft import pinned  # isort: skip - it verifies what the next lines import

import pysyncobj.syncobj as library
from pysyncobj.config import SyncObjConf
from pysyncobj.node import Node
from pysyncobj.pipe_notifier import PipeNotifier
from pysyncobj.transport import Transport as LibraryTransport

pinned.shut_pickle()

__all__ = ["CANDIDATE", "FOLLOWER", "LEADER", "Innards", "LibraryTransport", "Peer", "configuration", "now"]

FOLLOWER, CANDIDATE, LEADER = 0, 1, 2
Peer = Node
"""A member by its id; equal ids are equal peers."""


def now() -> float:
    """Seconds of the library's monotonic clock, which the simulator replaces."""
    return float(library.monotonicTime())


def configuration(election_s: float) -> Any:
    """The library's settings for a least silence of a leader, seconds."""
    return SyncObjConf(
        autoTick=False,
        raftMinTimeout=election_s,
        raftMaxTimeout=2 * election_s,
        appendEntriesPeriod=election_s / 5,
        leaderFallbackTimeout=1.5 * election_s,
        connectionTimeout=10 * election_s,
        connectionRetryTime=election_s / 3,
        appendEntriesUseBatch=True,
        commandsWaitLeader=False,
        dynamicMembershipChange=False,
        journalFile=None,
        fullDumpFile=None,
        useFork=False,
    )


class Innards(library.SyncObj):  # type: ignore[misc]
    """pysyncobj with its fields named, and its faulty methods leading to methods of ours."""

    _SyncObj__newAppendEntriesTime = 0.0  # the library looks through its own fields before it made this one

    def __init__(self, node_id: str, journal: Any, transport: Any, conf: Any) -> None:
        create = library.createJournal
        library.createJournal = lambda _: journal
        try:
            super().__init__(Peer(node_id), [], conf, nodeClass=Peer, transport=transport)
        finally:
            library.createJournal = create

    # --- fields

    log: Any = property(lambda self: self._SyncObj__raftLog)
    me: Any = property(lambda self: self._SyncObj__selfNode)
    others: Any = property(lambda self: self._SyncObj__otherNodes)
    connected: Any = property(lambda self: self._SyncObj__connectedNodes)
    role: Any = property(lambda self: self._SyncObj__raftState)
    term: Any = property(lambda self: self._SyncObj__raftCurrentTerm)
    next_index: Any = property(lambda self: self._SyncObj__raftNextIndex)
    match_index: Any = property(lambda self: self._SyncObj__raftMatchIndex)
    answered: Any = property(lambda self: self._SyncObj__lastResponseTime)
    no_op_index: Any = property(lambda self: self._SyncObj__noopIDx)
    settings: Any = property(lambda self: self._SyncObj__conf)
    random_timeout: Any = property(lambda self: self._SyncObj__generateRaftTimeout)

    def _field(name: str) -> Any:  # noqa: N805 - a function of the class body
        key = f"_SyncObj__{name}"
        return property(lambda self: getattr(self, key), lambda self, value: setattr(self, key, value))

    leader: Any = _field("raftLeader")
    commit: Any = _field("raftCommitIndex")
    applied: Any = _field("raftLastApplied")
    election_at: Any = _field("raftElectionDeadline")
    leader_commit: Any = _field("leaderCommitIndex")
    transferring: Any = _field("transferInProgress")
    heartbeat_at: Any = _field("newAppendEntriesTime")
    del _field

    # --- methods of the library that ours call

    def set_term(self, term: int, voted_for: str | None) -> None:
        """Durable on return."""
        self._SyncObj__setCurrentTerm(term, voted_for)

    def set_role(self, role: int) -> None:
        """Tells `on_role` of the settings."""
        self._SyncObj__setState(role)

    def set_others(self, node_ids: set[str]) -> None:
        """The voting members but this one."""
        peers = {Peer(node_id) for node_id in node_ids}
        for gone in self.others - peers:
            self.match_index.pop(gone, None)
            self.next_index.pop(gone, None)
        for new in peers - self.others:
            self.next_index.setdefault(new, self.log.last + 1)
            self.match_index.setdefault(new, 0)
            self.answered[new] = now()
        self._SyncObj__otherNodes = peers

    def notifier(self) -> Any:
        """A pipe that ends the poll of a tick."""
        return PipeNotifier(self._poller)

    def library_vote(self, peer: Any, message: Mapping[str, Any]) -> None:
        """Hand a request for, or a grant of, a vote to the library."""
        super()._SyncObj__onMessageReceived(peer, message)

    def library_lead(self) -> None:
        """Become leader: the library's bookkeeping, a no-op entry, the first heartbeat."""
        super()._SyncObj__onBecomeLeader()

    # --- methods of the library that are replaced

    def _SyncObj__onMessageReceived(self, peer: Any, message: Any) -> None:  # noqa: N802
        self.received(peer, message)

    def _SyncObj__onBecomeLeader(self) -> None:  # noqa: N802
        self.became_leader()

    def _SyncObj__sendAppendEntries(self) -> None:  # noqa: N802
        self.heartbeat_at = now() + self.settings.appendEntriesPeriod
        self.replicate()

    def _SyncObj__applyLogEntries(self) -> bool:  # noqa: N802
        self.apply_committed()
        return False

    def _SyncObj__tryLogCompaction(self) -> None:  # noqa: N802
        self.compact()

    def _SyncObj__onNodeConnected(self, peer: Any) -> None:  # noqa: N802
        self.connected.add(peer)
        self.peer_connected(peer)

    def _checkCommandsToApply(self) -> None:  # noqa: N802
        self.take_proposals()
