"""Garbage collection: the sweeps of the reference protocol, one bounded step after another, one sweeper at a time.

Knows the order: intents expire -> released references go -> unreferenced chunks lose their row, their blob is queued ->
after the grace the blob leaves the device. Any step may run twice or be cut off anywhere (docs/design/write-order.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from time import monotonic

from app.core import limits
from app.core.errors import StoreError
from app.core.ids import id_time_ms
from app.core.types import BlobClaim, BlobId, ChunkId, GcCounts, RefId
from app.ports.chunks import BlobName, ChunkStore, ChunkStoreStats
from app.ports.metadata import MetadataStore
from app.ports.reads import ReadBoard
from app.services.call import Sources

LEASE = "gc"


@dataclass(frozen=True, slots=True)
class GcSettings:
    """`holder` names this process in the lease; `grace_ms` is how long an unreferenced blob stays."""

    holder: str
    grace_ms: int


@dataclass(frozen=True, slots=True)
class GcReport:
    """What one run did: rows and blobs handled, bytes given back to the file system, seconds taken."""

    ran: bool = False
    intents_expired: int = 0
    references_released: int = 0
    blobs_removed: int = 0
    blobs_in_use: int = 0
    orphans_queued: int = 0
    references_dropped: int = 0
    bytes_reclaimed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class GcStatus:
    """Rows waiting now, the last run of this process, and what the devices hold."""

    waiting: GcCounts
    last: GcReport
    chunks: ChunkStoreStats


@dataclass(slots=True)
class _Scrub:
    """Where the slow walks over all blobs and all references stand; both start over when they end."""

    names: Iterator[BlobName] | None = None
    after: tuple[ChunkId, RefId] | None = None
    next_ms: int = field(default=0)


class Gc:
    """The sweeper. `reads` tells how far back a read still under way may want a released blob."""

    def __init__(
        self, store: MetadataStore, chunks: ChunkStore, reads: ReadBoard, sources: Sources, settings: GcSettings
    ) -> None:
        self._store = store
        self._chunks = chunks
        self._reads = reads
        self._sources = sources
        self._holder = settings.holder
        self._grace_ms = settings.grace_ms
        self._scrub = _Scrub()
        self._last = GcReport()

    def run(self, steps_max: int = 64, hurry: bool = False) -> GcReport:
        """One bounded run: at most `steps_max` steps of each sweep. `ran` is False when another process has the lease.

        `hurry` removes queued blobs before their grace is over; no read under way loses a blob by it.
        """
        begun = monotonic()
        now_ms = self._sources.now_ms()
        if not self._store.lease_take(LEASE, self._holder, now_ms, ttl_ms=60_000):
            return GcReport()
        rows = limits.SWEEP_ROWS
        report = GcReport(
            ran=True,
            intents_expired=_until_done(steps_max, lambda: self._store.intents_expire_step(now_ms, rows)),
            references_released=_until_done(
                steps_max, lambda: self._store.outbox_step(self._sources.now_ms(), self._grace_ms, rows)
            ),
        )
        report = self._scrub_step(report, now_ms)
        report, failure = self._remove_blobs(report, steps_max, hurry)
        report = replace(
            report,
            bytes_reclaimed=_until_done(steps_max, self._chunks.maintain),
            seconds=monotonic() - begun,
        )
        self._last = report
        if failure is not None:
            raise failure
        return report

    def status(self) -> GcStatus:
        return GcStatus(self._store.gc_counts(), self._last, self._chunks.stats())

    def _remove_blobs(self, report: GcReport, steps_max: int, hurry: bool) -> tuple[GcReport, StoreError | None]:
        """Blobs the device fails to delete stay queued, and keep neither the others nor its upkeep waiting."""
        failure: StoreError | None = None
        due_ms = self._due_ms(hurry)
        removed = in_use = 0
        seen: set[BlobId] = set()
        for _ in range(steps_max):
            due = [blob for blob in self._store.blobs_due(due_ms, limits.SWEEP_ROWS + len(seen)) if blob not in seen]
            if not due:
                break
            try:
                deletions = self._chunks.delete_many(due)
            except StoreError as error:
                failure, deletions = error, [False] * len(due)
            gone = [blob for blob, deleted in zip(due, deletions, strict=True) if deleted]
            if gone:
                self._store.blobs_removed(gone)
            removed += len(gone)
            kept = set(due).difference(gone)
            in_use += len(kept)
            seen |= kept
        return replace(report, blobs_removed=removed, blobs_in_use=in_use), failure

    def _due_ms(self, hurry: bool) -> int:
        """Blobs queued to go before this may go now.

        A blob released at T is queued for T + grace, and a read that began before T may still want it. The lag is that
        of the board, and of a step that waited for its turn to commit after it had looked at the clock.
        """
        now_ms = self._sources.now_ms()
        released_before = min(self._reads.oldest_ms(), now_ms) - limits.READ_BOARD_LAG_MS
        return min(now_ms + (self._grace_ms if hurry else 0), released_before + self._grace_ms)

    def _scrub_step(self, report: GcReport, now_ms: int) -> GcReport:
        """A few pages of the slow walks: blobs no row knows, references whose attempt is dead."""
        scrub = self._scrub
        if scrub.names is None:
            if now_ms < scrub.next_ms:
                return report
            scrub.names = self._chunks.names()
        page = list(islice(scrub.names, limits.SWEEP_ROWS * 8))
        if not page:
            scrub.names = None
            scrub.next_ms = now_ms + limits.ORPHAN_SECONDS_MIN * 1000
        oldest_ms = now_ms - limits.ORPHAN_SECONDS_MIN * 1000
        claims = [BlobClaim(n.blob_id, n.chunk_id, n.ref_id) for n in page if id_time_ms(n.ref_id) < oldest_ms]
        # After a jump of the clock these may be blobs of attempts under way. The queue fences their commits off, for
        # longer than any of them may take; only then may the blobs go, hurry or not.
        not_before_ms = now_ms + self._grace_ms + limits.ATTEMPT_SECONDS_MAX * 1000
        queued = self._store.blobs_queue_orphans(claims, not_before_ms) if claims else 0
        dropped, scrub.after = self._store.references_scrub_step(scrub.after, limits.SWEEP_ROWS)
        return replace(report, orphans_queued=queued, references_dropped=dropped)


def _until_done(steps_max: int, step: Callable[[], int]) -> int:
    total = 0
    for _ in range(steps_max):
        done = step()
        total += done
        if not done:
            break
    return total
