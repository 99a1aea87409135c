"""Who the members are, at every entry of the log, and how they change: one at a time.

Knows that a change counts from the moment it is in the log, committed or not, and is undone with its entry (Ongaro's
thesis, 4.1); that a change waits for the one before, and for an entry of the leader's own term
(https://groups.google.com/g/raft-dev/c/t4xj6dJTP6E); that one that joins catches up before it counts.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.adapters.cluster.raft.codec import members_command, members_of
from app.adapters.cluster.raft.contract import MembersRefused, NotLeader
from app.adapters.cluster.raft.innards import LEADER, Peer, now
from app.adapters.cluster.raft.snapshots import Snapshot
from app.adapters.cluster.raft.waiters import Waiter, answer, fail
from app.core import cluster_limits

if TYPE_CHECKING:
    from app.adapters.cluster.raft.consensus import Consensus


class Membership:
    """`learners`: peers a leader sends everything to, and whose votes do not count yet."""

    def __init__(self, core: "Consensus", node_id: str, snapshot: Snapshot | None) -> None:
        self._core = core
        self._node_id = node_id
        self._floor: tuple[int, Mapping[str, str]] = (snapshot.index, snapshot.members) if snapshot else (0, {})
        self._history: list[tuple[int, Mapping[str, str]]] = []
        self._joining: tuple[Any, str, Waiter] | None = None
        self.learners: set[Any] = set()

    @property
    def current(self) -> Mapping[str, str]:
        """Members by the newest entry: id -> address."""
        return self._history[-1][1]

    @property
    def blank(self) -> bool:
        """Whether this node was never told who the members are: it joins, and holds nothing."""
        return not self.current

    @property
    def eligible(self) -> bool:
        """Whether this node has a vote."""
        return self._node_id in self.current

    def at(self, index: int) -> Mapping[str, str]:
        """The members as of an entry."""
        return next((members for at, members in reversed(self._history) if at <= index), {})

    @staticmethod
    def changes(command: bytes) -> bool:
        """Whether an entry is a change of members."""
        return members_of(command) is not None

    def compacted(self, snapshot: Snapshot) -> None:
        """A snapshot is durable, own or a leader's: the entries that named the members before it may go."""
        self._floor = (snapshot.index, snapshot.members)
        self.refresh()

    def refresh(self) -> None:
        """Read the members from the log: after every entry that names them, and after every cut."""
        core = self._core
        self._history = [self._floor]
        for command, index, _ in core.log[:]:
            members = members_of(command)
            if members is not None and index > self._floor[0]:
                self._history.append((index, members))
        core.set_others(set(self.current) - {self._node_id})
        self._tell_network()

    def _tell_network(self) -> None:
        addresses = dict(self.current)
        if self._joining is not None:
            addresses[self._joining[0].id] = self._joining[1]
        addresses.pop(self._node_id, None)
        self._core.network.know(addresses)

    # --- the leader

    def ask(self, members: Mapping[str, str], waiter: Waiter) -> None:
        """Begin a change; refuse one that breaks a rule."""
        added = set(members) - set(self.current)
        refusal = self._refusal(members, added)
        if refusal is not None:
            fail(waiter, MembersRefused(refusal))
        elif dict(members) == dict(self.current):
            answer(waiter, b"")
        elif added:
            self._let_join(next(iter(added)), members, waiter)
        else:
            self._append(members, waiter)

    def _refusal(self, members: Mapping[str, str], added: set[str]) -> str | None:
        core = self._core
        gone = set(self.current) - set(members)
        moved = {name for name in members if name in self.current and members[name] != self.current[name]}
        if core.commit < core.no_op_index:
            return "this leader is new and not confirmed yet; try again"
        if self._history[-1][0] > core.commit or self._joining is not None:
            return "another change of members is under way; try again"
        if len(added) + len(gone) + len(moved) > 1:
            return "members change one at a time: one added, one removed or one moved"
        if self._node_id in gone:
            return "the leader cannot remove itself: hand leadership over first"
        if len(members) > cluster_limits.RAFT_MEMBERS_MAX:
            return f"there may be at most {cluster_limits.RAFT_MEMBERS_MAX} members"
        if any(not 0 < len(name) <= cluster_limits.RAFT_NODE_ID_CHARS_MAX for name in added):
            return f"a node id has 1 to {cluster_limits.RAFT_NODE_ID_CHARS_MAX} characters"
        return None

    def _let_join(self, name: str, members: Mapping[str, str], waiter: Waiter) -> None:
        core = self._core
        peer = Peer(name)
        self._joining = (peer, members[name], waiter)
        self.learners = {peer}
        core.next_index[peer], core.match_index[peer], core.answered[peer] = 1, 0, now()
        self._tell_network()

    def tick(self) -> None:
        """Count a peer that caught up; let go of one whose caller gave up."""
        if self._joining is None or self._core.role != LEADER:
            return
        peer, address, waiter = self._joining
        core = self._core
        if waiter.done():
            self._forget_joining()
        elif core.match_index[peer] >= core.commit > 0:
            self._joining = None
            self._append({**self.current, peer.id: address}, waiter)
            self.learners = set()

    def _append(self, members: Mapping[str, str], waiter: Waiter) -> None:
        core = self._core
        core.append(members_command(members), waiter)
        # Before it counts, so that one that is removed hears of it too.
        core.replicate()
        self.refresh()
        core.replicate()
        core.log.sync()
        core.wake()

    def stopped_leading(self) -> None:
        """Whoever leads now decides about the one that wanted to join."""
        if self._joining is not None:
            waiter = self._joining[2]
            self._forget_joining()
            if not waiter.done():
                fail(waiter, NotLeader(self._core.leader_id))

    def _forget_joining(self) -> None:
        core = self._core
        for peer in self.learners - core.others:
            core.next_index.pop(peer, None)
            core.match_index.pop(peer, None)
        self.learners = set()
        self._joining = None
        self._tell_network()
