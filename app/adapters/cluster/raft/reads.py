"""Linearizable reads without writing: a leader proves that it still is one (ReadIndex; Ongaro's thesis, 6.4).

Knows which messages must be answered before a read may be. One round of heartbeats serves all reads that wait.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.adapters.cluster.raft.contract import NotLeader
from app.adapters.cluster.raft.innards import LEADER
from app.adapters.cluster.raft.waiters import Waiter, answer, fail

if TYPE_CHECKING:
    from app.adapters.cluster.raft.consensus import Consensus


@dataclass(frozen=True, slots=True)
class _Round:
    term: int
    index: int
    numbers: dict[Any, int]
    waiters: list[Waiter]


class Reads:
    """Reads that wait for a majority's answer."""

    def __init__(self, core: "Consensus") -> None:
        self._core = core
        self._asked: list[Waiter] = []
        self._rounds: list[_Round] = []

    def ask(self, waiter: Waiter) -> None:
        """A read of a leader: it may be answered when a majority answered a message sent from now on."""
        self._asked.append(waiter)

    def fail(self) -> None:
        """No reads can be proved any more: another node leads, or none."""
        waiters = [waiter for one in self._rounds for waiter in one.waiters] + self._asked
        self._rounds, self._asked = [], []
        for waiter in waiters:
            if not waiter.done():
                fail(waiter, NotLeader(self._core.leader_id, "this node stopped leading during the read"))

    def tick(self) -> None:
        """Answer what can be, and begin a round for what was asked since the last one."""
        core = self._core
        if core.role != LEADER:
            self.fail()
            return
        self._rounds = [one for one in self._rounds if not self._answered(one)]
        # Before its first own entry is committed a leader does not know how much is.
        if not self._asked or core.commit < core.no_op_index:
            return
        waiters, self._asked = self._asked, []
        numbers = {peer: core.replication.sent(peer) + 1 for peer in core.others}
        core.replicate()
        fresh = _Round(core.term, core.commit, numbers, waiters)
        if not self._answered(fresh):
            self._rounds.append(fresh)

    def _answered(self, one: _Round) -> bool:
        core = self._core
        if core.term != one.term:
            return False
        proofs = 1 + sum(core.replication.answered(peer) >= one.numbers.get(peer, 1 << 62) for peer in core.others)
        if 2 * proofs <= len(core.others) + 1 or core.applied < one.index:
            return False
        for waiter in one.waiters:
            if not waiter.done():
                answer(waiter, core.applied)
        return True
