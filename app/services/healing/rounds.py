"""Which group comes next, in two lanes: one only compares, so that the ledger is soon true, one makes whole.

Knows due times and what goes first: groups whose homes changed, then those to be completed under a new epoch, then
those that are short, then whatever was not looked at for longest. A restart begins with everything unswept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.core import cluster_limits
from app.core.cluster.layout_commands import GroupsMoved
from app.core.errors import Unavailable
from app.core.layout.placement import Placement
from app.services.healing.ledger import Ledger, Signature, signature
from app.services.healing.parts import ClusterParts, TimeParts
from app.services.healing.sweeping import Sweeping, Walk
from app.services.healing.view import GroupKey, View


@dataclass(slots=True)
class _UnderWay:
    """The walk a lane is in. It ends early when what the group depends on changes, or another node leads it."""

    key: GroupKey
    signature: Signature
    steps: Iterator[None]


class Rounds:
    """The lanes of one node. Each lane is one greenlet's; both may run at once, on different groups or on one."""

    def __init__(self, cluster: ClusterParts, clocks: TimeParts, sweeping: Sweeping) -> None:
        self._cluster = cluster
        self._clocks = clocks
        self._sweeping = sweeping
        self._comparing: _UnderWay | None = None
        self._making_whole: _UnderWay | None = None
        self._led_under: tuple[Placement, frozenset[int], frozenset[int]] | None = None
        self.ledger = Ledger()

    def compare(self) -> bool:
        """One page of the lane that counts; False when there is nothing to do."""
        return self._step(compare_next, mending=False)

    def make_whole(self) -> bool:
        """One page of the lane that mends."""
        return self._step(mend_next, mending=True)

    def tell_moved(self) -> None:
        """Propose the groups that are complete under the current epoch and not known to be by the managers. What is
        not accepted now is proposed again at the next turn."""
        view = self._cluster.view()
        whole: dict[int, list[int]] = {}
        for key, state in self.ledger.groups.items():
            if state.whole and view.is_pending(key) and state.signature == signature(view, key):
                whole.setdefault(key[0], []).append(key[1])
        for width, groups in whole.items():
            some = tuple(sorted(groups)[: cluster_limits.HEAL_MOVED_MAX])
            command_id = self._clocks.sources.new_id().hex()
            try:
                self._cluster.submit(GroupsMoved(command_id, view.placement.current.epoch, width, some))
            except Unavailable:
                return

    def lead(self, view: View, at_ms: int) -> None:
        """Take on the groups this node leads by now, and leave the others."""
        under = view.placement, view.up, view.own
        if self._led_under is None or self._led_under[0] is not under[0] or self._led_under[1:] != under[1:]:
            self.ledger.lead(view, view.led(), at_ms)
            self._led_under = under

    def _step(self, choose: Callable[[View, Ledger, int], GroupKey | None], *, mending: bool) -> bool:
        """One page of the lane's walk, or the beginning of its next one. False when no group is due."""
        view, at_ms = self._cluster.view(), self._clocks.at_ms()
        self.lead(view, at_ms)
        walk = self._making_whole if mending else self._comparing
        if walk is None or walk.key not in self.ledger.groups or signature(view, walk.key) != walk.signature:
            key = choose(view, self.ledger, at_ms)
            if key is None:
                walk = None
            else:
                date_ms = self._clocks.sources.now_ms()
                steps = self._sweeping.walk(Walk(view, key, (date_ms, at_ms), self.ledger.groups[key], mending))
                walk = _UnderWay(key, signature(view, key), steps)
        if walk is not None and next(walk.steps, _END) is _END:
            walk, going_on = None, True
        else:
            going_on = walk is not None
        if mending:
            self._making_whole = walk
        else:
            self._comparing = walk
        return going_on


_END = object()


def compare_next(view: View, ledger: Ledger, at_ms: int) -> GroupKey | None:
    """The group to compare next: never compared as it is now, else the one due for longest."""
    best: tuple[tuple[bool, int], GroupKey] | None = None
    for key, state in ledger.groups.items():
        current = state.signature == signature(view, key)
        if current and (state.work or state.due_ms > at_ms):
            continue
        rank = (current, state.due_ms), key
        best = rank if best is None or rank < best else best
    return None if best is None else best[1]


def mend_next(view: View, ledger: Ledger, at_ms: int) -> GroupKey | None:
    """The group to make whole next: one to be completed under a new epoch, else the one that waited longest."""
    best: tuple[tuple[bool, int], GroupKey] | None = None
    for key, state in ledger.groups.items():
        if state.signature != signature(view, key) or state.due_ms > at_ms:
            continue
        pending = view.is_pending(key) and not state.whole
        if not state.work and not pending:
            continue
        rank = (not pending, state.due_ms), key
        best = rank if best is None or rank < best else best
    return None if best is None else best[1]
