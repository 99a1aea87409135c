"""What a node says about itself, to operators and to those who must decide whom to ask.

Knows how to read a Consensus. One thread takes the picture, any thread looks at it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.adapters.cluster.raft.contract import PeerStatus, RaftStatus, Role
from app.adapters.cluster.raft.innards import CANDIDATE, LEADER, now

if TYPE_CHECKING:
    from app.adapters.cluster.raft.consensus import Consensus

_EVERY_S = 0.02


class Picture:
    """`status` is replaced as a whole, at most every 20 ms, and at once when the role, term or leader changes."""

    def __init__(self, core: "Consensus", node_id: str) -> None:
        self._core = core
        self._node_id = node_id
        self._key: tuple[object, ...] = ()
        self._due = 0.0
        self._watchers: list[Callable[[], None]] = []
        self.status = self._taken()

    def when_leader_changes(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback()` called by the tick thread when another node leads or none does. Returns what ends it."""
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback)

    def take(self) -> None:
        """Called after every tick."""
        core = self._core
        key = (core.role, core.term, core.leader)
        if key == self._key and now() < self._due:
            return
        changed = key != self._key
        self._key, self._due = key, now() + _EVERY_S
        self.status = self._taken()
        if changed:
            for watcher in list(self._watchers):
                watcher()

    def _taken(self) -> RaftStatus:
        core = self._core
        leading = core.role == LEADER
        peers = tuple(
            PeerStatus(
                peer.id,
                core.membership.current[peer.id],
                peer in core.connected,
                core.match_index.get(peer) if leading else None,
                core.log.last - core.match_index.get(peer, 0) if leading else None,
            )
            for peer in sorted(core.others, key=lambda peer: peer.id)
        )
        why_not = self._why_not()
        return RaftStatus(
            self._node_id,
            self._role(),
            core.term,
            core.leader_id,
            core.commit,
            core.applied,
            dict(core.membership.current),
            peers,
            why_not is None,
            why_not,
        )

    def _role(self) -> Role:
        core = self._core
        if core.role == LEADER:
            return Role.LEADER
        if not core.membership.eligible:
            return Role.WAITING
        return Role.CANDIDATE if core.role == CANDIDATE else Role.FOLLOWER

    def _why_not(self) -> str | None:
        core = self._core
        if core.membership.blank:
            return "this node waits to be added by a leader"
        if not core.membership.eligible:
            return "this node is not a member (any more)"
        if core.role == LEADER:
            since = now() - core.settings.leaderFallbackTimeout
            silent = sorted(peer.id for peer in core.others if core.answered.get(peer, 0.0) <= since)
            if 2 * (len(core.others) + 1 - len(silent)) > len(core.others) + 1:
                return None
            return f"no majority answers: {', '.join(silent)} silent"
        if core.leader is not None and core.campaign.hears_leader():
            return None
        away = sorted(peer.id for peer in core.others - core.connected)
        return "no leader is heard" + (f"; not connected: {', '.join(away)}" if away else "; an election is under way")
