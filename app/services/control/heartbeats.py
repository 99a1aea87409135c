"""The leader's memory of heartbeats: which nodes are up, and what each told of itself last.

Knows reports and how old they are. Nothing here is durable: a new leader begins with an empty memory, and counts every
node's silence from then. Silence is measured on a clock that nobody sets; `seen_ms` is the wall clock's, to be shown.
"""

import threading
from collections.abc import Callable

from app.core.cluster_limits import (
    CONTROL_NODES_MAX,
    CONTROL_WORKS_MAX,
    DEVICES_OF_NODE_MAX,
    HEARTBEAT_SECONDS_MAX,
    NODE_NAME_CHARS_MAX,
    PROFILES_MAX,
)
from app.core.errors import Conflict, Corrupt, Full
from app.core.layout.reports import NodeHealth, NodeReport


class Heartbeats:
    """Calls may come from any thread."""

    def __init__(self, now_ms: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._last: dict[str, tuple[float, NodeHealth]] = {}
        self._begun = monotonic()

    def forget(self) -> None:
        """Another manager led meanwhile: what was heard before says nothing."""
        with self._turn:
            self._last.clear()
            self._begun = self._monotonic()

    def beat(self, report: NodeReport) -> None:
        """A node told how it is. Raises Corrupt for more than one node can have, Conflict while another of this name is
        up, Full when more nodes speak than a cluster may have."""
        _check(report)
        health = NodeHealth(report.node_id, True, self._now_ms(), report)
        now = self._monotonic()
        with self._turn:
            at, last = self._last.get(report.node_id, (0.0, None))
            if last is None:
                self._make_room(now)
            elif at >= now - HEARTBEAT_SECONDS_MAX:
                _check_same(last.report or report, report)
            self._last[report.node_id] = now, health

    def silent_s(self, node_id: str) -> float:
        """Seconds since the node's last heartbeat, or since this memory began."""
        with self._turn:
            last, _ = self._last.get(node_id, (self._begun, None))
        return self._monotonic() - last

    def heard(self, node_id: str, seconds: float) -> bool:
        """Whether a heartbeat of the node came within these seconds."""
        with self._turn:
            return node_id in self._last and self._last[node_id][0] >= self._monotonic() - seconds

    def health(self) -> list[NodeHealth]:
        """Every node heard of since this memory began."""
        oldest = self._monotonic() - HEARTBEAT_SECONDS_MAX
        with self._turn:
            return [
                health if at >= oldest else NodeHealth(health.node_id, False, health.seen_ms, health.report)
                for at, health in self._last.values()
            ]

    def _make_room(self, now: float) -> None:
        """Names come and go for as long as a manager leads: forget the one that has been down the longest."""
        if len(self._last) < CONTROL_NODES_MAX:
            return
        oldest = min(self._last, key=lambda node_id: self._last[node_id][0])
        if self._last[oldest][0] >= now - HEARTBEAT_SECONDS_MAX:
            raise Full(f"heartbeats of {CONTROL_NODES_MAX} nodes are remembered already")
        del self._last[oldest]


def _check(report: NodeReport) -> None:
    """Every node is told what all others reported: one without bounds would silence the rest."""
    names = [report.node_id, report.role, report.address, *report.ledger]
    names += [one.status for one in report.devices] + [one.kind for one in report.work]
    if (
        len(report.devices) > DEVICES_OF_NODE_MAX
        or len(report.ledger) > PROFILES_MAX
        or len(report.work) > CONTROL_WORKS_MAX
        or max(map(len, names)) > NODE_NAME_CHARS_MAX
    ):
        raise Corrupt(f"{report.node_id[:NODE_NAME_CHARS_MAX]} reports more than one node can have")


def _check_same(known: NodeReport, report: NodeReport) -> None:
    if (known.role, known.address) != (report.role, report.address):
        who = f"{report.node_id} is up at {known.address} ({known.role})"
        raise Conflict(f"{who}, so {report.address} ({report.role}) needs a node_id of its own")
