"""The leader's memory of heartbeats: which nodes are up, and what each told of itself last.

Knows reports and how old they are. Nothing here is durable: a new leader begins with an empty memory, and counts every
node's silence from then. Silence is measured on a clock that nobody sets; `seen_ms` is the wall clock's, to be shown.
"""

import threading
from collections.abc import Callable

from app.core.errors import Full
from app.core.layout.reports import NodeHealth, NodeReport
from app.core.limits import CONTROL_NODES_MAX, HEARTBEAT_SECONDS_MAX


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
        """A node told how it is. Raises Full when more nodes speak than a cluster may have."""
        health = NodeHealth(report.node_id, True, self._now_ms(), report)
        with self._turn:
            if report.node_id not in self._last and len(self._last) >= CONTROL_NODES_MAX:
                raise Full(f"heartbeats of {CONTROL_NODES_MAX} nodes are remembered already")
            self._last[report.node_id] = self._monotonic(), health

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
