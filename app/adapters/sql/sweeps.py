"""SQL of the sweeps: releasing, expiring, orphans, scrubbing, and the walks of a consistency check.

Statements only; every function but the reads must run inside one transaction, is one bounded step, and may be run any
number of times by any number of sweepers.
"""

from collections.abc import Sequence
from typing import Final

from app.adapters.sql import references
from app.adapters.sql.rows import INTENT_ABORTED, INTENT_OPEN, KIND_CONTENT, KIND_PARTS, STATE_LIVE, Row
from app.adapters.sql.session import FREE, LOCKED, Result, Session
from app.core.types import BlobClaim, BlobId, ChunkId, GcCounts, ReferencedBlob, RefId

_KEPT: Final = (
    "SELECT 1 FROM chunk WHERE chunk_id = ? AND blob_id = ? "
    "UNION ALL SELECT 1 FROM chunk_ref WHERE chunk_id = ? AND ref_id = ? LIMIT 1"
)


def outbox_step(db: Session, now_ms: int, grace_ms: int, limit: int) -> int:
    """Spend `limit` on the oldest outbox rows: references, parts and contents handled; 0 = nothing left."""
    handled = 0
    while handled < limit:
        row = db.execute(f"SELECT ref_id, kind FROM release_outbox ORDER BY ref_id LIMIT 1{FREE}").fetchone()
        if row is None:
            break
        ref_id, kind = row
        if kind == KIND_PARTS:
            handled += _release_parts(db, ref_id, limit - handled)
        else:
            handled += _release_content(db, ref_id, now_ms + grace_ms, limit - handled)
    return handled


def intents_expire_step(db: Session, now_ms: int, limit: int) -> int:
    """Open intents past their time: aborted, their references queued for release."""
    rows = db.execute(
        "SELECT ref_id FROM intent WHERE state = ? AND expires_ms <= ? ORDER BY expires_ms LIMIT ?",
        (INTENT_OPEN, now_ms, limit),
    ).fetchall()
    return sum(references.intent_abort(db, ref_id) for (ref_id,) in rows)


def blobs_due(db: Session, now_ms: int, limit: int) -> list[BlobId]:
    """Longest waiting first."""
    rows = db.execute(
        "SELECT blob_id FROM blob_gc WHERE not_before_ms <= ? ORDER BY not_before_ms LIMIT ?", (now_ms, limit)
    ).fetchall()
    return [blob_id for (blob_id,) in rows]


def blobs_removed(db: Session, blob_ids: Sequence[BlobId]) -> None:
    """Forget what is gone from its device."""
    db.executemany("DELETE FROM blob_gc WHERE blob_id = ?", [(blob_id,) for blob_id in blob_ids])


def blobs_queue_orphans(db: Session, claims: Sequence[BlobClaim], not_before_ms: int) -> int:
    """Queue the blobs nobody can come back for: in no chunk row, and their writer holds no reference."""
    asked = [(claim, db.execute(_KEPT, _kept_values(claim))) for claim in claims]
    unknown = [claim for claim, kept in asked if kept.fetchone() is None]
    return sum(_queue_orphan(db, claim, not_before_ms) for claim in unknown)


def references_scrub_step(
    db: Session, after: tuple[ChunkId, RefId] | None, limit: int
) -> tuple[int, tuple[ChunkId, RefId] | None]:
    """Look at `limit` references; those of dead attempts are handed to the outbox, which knows the grace."""
    rows = db.execute(
        "SELECT r.chunk_id, r.ref_id, EXISTS (SELECT 1 FROM intent i WHERE i.ref_id = r.ref_id) "
        "OR EXISTS (SELECT 1 FROM content c WHERE c.ref_id = r.ref_id AND c.page = 0) "
        "OR EXISTS (SELECT 1 FROM release_outbox o WHERE o.ref_id = r.ref_id) "
        "FROM chunk_ref r WHERE (r.chunk_id, r.ref_id) > (?, ?) ORDER BY r.chunk_id, r.ref_id LIMIT ?",
        (*(after or (b"", b"")), limit),
    ).fetchall()
    dead = [ref_id for _, ref_id, alive in rows if not alive]
    for ref_id in dead:
        references.queue_release(db, ref_id, KIND_CONTENT)
    return len(dead), (rows[-1][0], rows[-1][1]) if len(rows) == limit else None


def release_chunk(db: Session, chunk_id: ChunkId, ref_id: RefId, not_before_ms: int) -> None:
    """Drop one reference; the chunk goes with its last."""
    held, referred = _drop(db, chunk_id, ref_id)
    _reclaim(db, chunk_id, held.fetchone(), referred.fetchone(), not_before_ms)


def gc_counts(db: Session) -> GcCounts:
    """Row counts; each is one walk of its smallest index."""
    counts = db.execute(
        "SELECT (SELECT count(*) FROM intent WHERE state = ?), (SELECT count(*) FROM release_outbox), "
        "(SELECT count(*) FROM blob_gc), (SELECT count(*) FROM chunk), (SELECT count(*) FROM chunk_ref)",
        (INTENT_OPEN,),
    ).fetchone()
    return GcCounts(*counts)


def chunks_walk(db: Session, after: ChunkId, limit: int) -> list[ReferencedBlob]:
    """Live chunk rows by chunk id."""
    rows = db.execute(
        "SELECT c.chunk_id, c.blob_id, c.length, "
        "(SELECT count(*) FROM chunk_ref r WHERE r.chunk_id = c.chunk_id) "
        "FROM chunk c WHERE c.chunk_id > ? AND c.state = ? ORDER BY c.chunk_id LIMIT ?",
        (after, STATE_LIVE, limit),
    ).fetchall()
    return [ReferencedBlob(*row) for row in rows]


def _kept_values(claim: BlobClaim) -> tuple[bytes, ...]:
    return claim.chunk_id, claim.blob_id, claim.chunk_id, claim.ref_id


def _queue_orphan(db: Session, claim: BlobClaim, not_before_ms: int) -> bool:
    """Queue first, then look once more under the lock: a commit publishes first and then looks at the queue, so that
    of two that meet one sees the other. A chunk without a row has no lock that could order them."""
    if not references.queue_blob(db, claim.blob_id, not_before_ms):
        return False
    db.execute("SELECT 1 FROM chunk WHERE chunk_id = ?" + LOCKED, (claim.chunk_id,))
    if db.execute(_KEPT, _kept_values(claim)).fetchone() is None:
        return True
    db.execute("DELETE FROM blob_gc WHERE blob_id = ?", (claim.blob_id,))
    return False


def _release_content(db: Session, ref_id: RefId, not_before_ms: int, limit: int) -> int:
    """Drop up to `limit` of an attempt's references; with the last one go its pages, intent and outbox row."""
    rows = db.execute(
        "SELECT chunk_id FROM chunk_ref WHERE ref_id = ? ORDER BY chunk_id LIMIT ?", (ref_id, limit)
    ).fetchall()
    for chunk_id, held, referred in [(chunk_id, *_drop(db, chunk_id, ref_id)) for (chunk_id,) in rows]:
        _reclaim(db, chunk_id, held.fetchone(), referred.fetchone(), not_before_ms)
    if len(rows) == limit:
        return limit
    db.execute("DELETE FROM content WHERE ref_id = ?", (ref_id,))
    db.execute("DELETE FROM intent WHERE ref_id = ? AND state = ?", (ref_id, INTENT_ABORTED))
    db.execute("DELETE FROM release_outbox WHERE ref_id = ?", (ref_id,))
    return len(rows) + 1


def _release_parts(db: Session, upload_id: RefId, limit: int) -> int:
    """Drop up to `limit` parts, releasing each one's content; with the last one goes the outbox row."""
    rows = db.execute(
        "SELECT number, ref_id FROM part WHERE upload_id = ? ORDER BY number LIMIT ?", (upload_id, limit)
    ).fetchall()
    for number, ref_id in rows:
        db.execute("DELETE FROM part WHERE upload_id = ? AND number = ?", (upload_id, number))
        references.content_release(db, ref_id)
    if len(rows) == limit:
        return limit
    db.execute("DELETE FROM release_outbox WHERE ref_id = ?", (upload_id,))
    return len(rows) + 1


def _drop(db: Session, chunk_id: ChunkId, ref_id: RefId) -> tuple[Result, Result]:
    """Forget a reference; the chunk's row, held, and whether another reference is left."""
    db.execute("DELETE FROM chunk_ref WHERE chunk_id = ? AND ref_id = ?", (chunk_id, ref_id))
    held = db.execute(f"SELECT blob_id FROM chunk WHERE chunk_id = ?{LOCKED}", (chunk_id,))
    return held, db.execute("SELECT 1 FROM chunk_ref WHERE chunk_id = ? LIMIT 1", (chunk_id,))


def _reclaim(db: Session, chunk_id: ChunkId, row: Row | None, referred: Row | None, not_before_ms: int) -> None:
    """The collector: a chunk without references loses its row, and its blob waits out the grace."""
    if row is None or referred is not None:
        return
    db.execute("DELETE FROM chunk WHERE chunk_id = ?", (chunk_id,))
    if row[0] is not None:
        references.queue_blob(db, row[0], not_before_ms)
