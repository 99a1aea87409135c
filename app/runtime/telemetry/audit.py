"""The audit log on its way: a bounded queue for each sink, so that no request ever waits for one.

Knows queues, and how lines that were dropped are counted and told. Must not know files, HTTP or what lines say. What
waits is lost when the process is killed: at most AUDIT_WAITING_MAX lines, as a rule those of AUDIT_FLUSH_SECONDS.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from app.core.audit import dropped_line
from app.core.errors import Unavailable
from app.core.limits import AUDIT_WAITING_MAX, AUDIT_WRITE_BYTES_MAX
from app.runtime.telemetry import metrics

Deliver = Callable[[Sequence[bytes]], object]
"""Hands lines over, all or none. Raises Unavailable, then they are handed over again."""

FILE: Final = "file"
WEBHOOK: Final = "webhook"


class AuditQueue:
    """Lines for one sink. `name`: FILE or WEBHOOK. `flush` is to be called again and again, never twice at once."""

    def __init__(self, name: str, deliver: Deliver, lost: Callable[[str, int], bytes]) -> None:
        """`lost`: (sink, how many) -> the line that tells it."""
        self._name = name
        self._deliver = deliver
        self._lost = lost
        self._lines: deque[bytes] = deque()
        self._dropped = 0

    def put(self, line: bytes) -> None:
        """Queue a line; a full queue drops it."""
        if len(self._lines) < AUDIT_WAITING_MAX:
            self._lines.append(line)
        else:
            self._dropped += 1
            metrics.audit_dropped(self._name)

    def flush(self) -> None:
        """Hand over all that waits. Raises Unavailable, then what is left waits on."""
        while self._lines or self._dropped:
            batch = self._batch()
            dropped = self._dropped
            told = [self._lost(self._name, dropped)] if dropped else []
            self._deliver([*batch, *told])
            self._dropped -= dropped
            for _ in batch:
                self._lines.popleft()

    def _batch(self) -> list[bytes]:
        """What is handed over at once: AUDIT_WRITE_BYTES_MAX of the lines that wait."""
        batch, room = [], AUDIT_WRITE_BYTES_MAX
        for line in self._lines:
            room -= len(line)
            if room < 0:
                break
            batch.append(line)
        return batch

    def give_up(self) -> None:
        """At the end of the process: what nobody took is counted as dropped."""
        try:
            self.flush()
        except Unavailable:
            for _ in self._lines:
                metrics.audit_dropped(self._name)
            raise


def lost_line(now_ms: Callable[[], int], node: str, worker: int) -> Callable[[str, int], bytes]:
    """What says how many lines one process dropped."""
    return lambda sink, count: dropped_line(now_ms(), sink, count, node, worker)
