"""Standing for election: asking first whether one would win, so that nobody's absence disturbs the others.

Knows pre-votes (Ongaro's thesis, 9.6) and handing leadership over (3.10). The election itself, and who gets a vote, is
the library's.
"""

from typing import TYPE_CHECKING, Any

from app.adapters.cluster.raft.codec import Message
from app.adapters.cluster.raft.innards import CANDIDATE, LEADER, now
from app.adapters.cluster.raft.waiters import Waiter, answer

if TYPE_CHECKING:
    from app.adapters.cluster.raft.consensus import Consensus


class Campaign:
    """When this node stands, and what it answers those that would."""

    def __init__(self, core: "Consensus") -> None:
        self._core = core
        self._round = 0
        self._grants: set[Any] = set()
        self._won_for = 0
        self._votes: tuple[int, set[Any]] = (0, set())
        self._heard_at = -1e9

    def heard(self) -> None:
        """The leader was heard."""
        core = self._core
        self._heard_at = now()
        if not core.transferring:
            core.election_at = now() + core.random_timeout()

    def hears_leader(self) -> bool:
        """Whether a leader was heard within the least silence that starts an election."""
        core = self._core
        return core.leader is not None and now() - self._heard_at < core.settings.raftMinTimeout

    def tick(self) -> None:
        """Begin a round of pre-votes when the leader is silent; the library's election follows one that was won."""
        core = self._core
        if core.role == LEADER or core.transferring or core.election_at >= now():
            return
        if not core.membership.eligible:
            core.election_at = now() + core.random_timeout()
        elif core.others and self._won_for != core.term + 1:
            self._ask()

    def _ask(self) -> None:
        core = self._core
        self._round += 1
        self._grants.clear()
        core.election_at = now() + core.random_timeout()
        core.leader = None
        _, index, term = core.log[-1]
        message = {"term": core.term + 1, "round": self._round, "last_log_index": index, "last_log_term": term}
        for peer in core.others:
            core.network.send(peer, {"type": "pre_vote", **message})

    def asked(self, peer: Any, message: Message) -> None:
        """Would this node vote for a peer? Nothing is promised by the answer."""
        core = self._core
        if message["term"] <= core.term:
            core.network.send(peer, {"type": "newer_term", "term": core.term})
            return
        _, index, term = core.log[-1]
        up_to_date = (message["last_log_term"], message["last_log_index"]) >= (term, index)
        if up_to_date and not core.membership.blank and core.role != LEADER and not self.hears_leader():
            granted = {"type": "pre_vote_granted", "term": message["term"], "round": message["round"]}
            core.network.send(peer, granted)

    def granted(self, peer: Any, message: Message) -> None:
        """A peer would vote for this node."""
        core = self._core
        if peer not in core.others or message["round"] != self._round or message["term"] != core.term + 1:
            return
        self._grants.add(peer)
        if core.role != LEADER and 2 * (len(self._grants) + 1) > len(core.others) + 1 and not self.hears_leader():
            self._won_for = core.term + 1
            core.election_at = 0.0

    def vote_asked(self, peer: Any, message: Message) -> None:
        """Left to the library; a node that joins and holds nothing must not decide who holds enough."""
        core = self._core
        if message["term"] < core.term:
            core.network.send(peer, {"type": "newer_term", "term": core.term})
        elif not core.membership.blank:
            core.library_vote(peer, message)

    def vote_given(self, peer: Any, message: Message) -> None:
        """Left to the library, once for each member: it counts answers, and a repeated one would count twice."""
        core = self._core
        if peer not in core.others or core.role != CANDIDATE or message["term"] != core.term:
            return
        if self._votes[0] != core.term:
            self._votes = (core.term, set())
        if peer not in self._votes[1]:
            self._votes[1].add(peer)
            core.library_vote(peer, message)

    def told_to_stand(self, peer: Any, message: Message) -> None:
        """The leader hands over."""
        if self._core.membership.eligible:
            self._core.library_vote(peer, message)

    def hand_over(self, waiter: Waiter) -> None:
        """Tell the member that holds the most to stand; the waiter gets its id, or None when there is none."""
        core = self._core
        able = [peer for peer in core.others & core.connected if core.match_index[peer] >= core.commit]
        best = max(able, key=lambda peer: (core.match_index[peer], peer.id), default=None)
        if best is not None:
            core.network.send(best, {"type": "timeout_now", "term": core.term})
        answer(waiter, best.id if best is not None else None)
