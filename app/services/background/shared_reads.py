"""The read board of several gateways: each tells its own oldest read through the database they share.

Knows the notes it keeps there. A gateway that cannot reach the database begins no read, since every read begins with a
row; so what it told last stays true until it is dead, and is believed for SHARED_READS_DEAD_MS.
"""

from typing import Final

from app.core import limits
from app.ports.metadata import MetadataStore
from app.ports.reads import ReadBoard
from app.services.call import Sources

_NOTES: Final = "reads/"
_NOBODY_MS: Final = 2**62
_GATEWAYS_MAX: Final = 1_000


class SharedReads:
    """app.ports.reads.ReadBoard for the one process of a gateway that collects; its workers use `own`."""

    def __init__(self, store: MetadataStore, own: ReadBoard, node_id: str, sources: Sources) -> None:
        self._store = store
        self._own = own
        self._note = _NOTES + node_id
        self._sources = sources
        self._told = (0, 0)

    def publish(self, oldest_ms: int | None) -> None:
        """Reads of the telling process itself, beside those of its workers."""
        self._own.publish(oldest_ms)

    def tell(self) -> None:
        """Tell the other gateways, every SHARED_READS_SECONDS; writes only what changed, and in time that it lives."""
        oldest, now_ms = min(self._own.oldest_ms(), _NOBODY_MS), self._sources.now_ms()
        if oldest != self._told[0] or now_ms - self._told[1] > limits.SHARED_READS_DEAD_MS // 4:
            self._store.note_put(self._note, b"%d %d" % (oldest, now_ms))
            self._told = oldest, now_ms

    def oldest_ms(self) -> int:
        """The oldest read of any gateway. Raises StoreError when the database cannot be asked."""
        now_ms = self._sources.now_ms()
        oldest = min(self._own.oldest_ms(), now_ms - limits.SHARED_READS_LAG_MS)
        for name, document in self._store.notes_scan(_NOTES, "", _GATEWAYS_MAX):
            told, when = map(int, document.split())
            if name != self._note and now_ms - when < limits.SHARED_READS_DEAD_MS:
                oldest = min(oldest, told)
        return oldest
