"""SQL of the reference protocol: intents, pins, publishing, releasing (docs/design/write-order.md, P0..P4).

Statements only: transactions and durability are the caller's, and every function here must run inside one. What the
protocol calls the chunk row's lock is SQLite's write lock, and elsewhere the row's own: the insert of the row or a
locking read takes it, chunks in the order of their ids, before anything that is decided under it is read. Statements
are given for all chunks before the first answer is looked at, so that they travel together.
"""

from collections.abc import Sequence
from typing import Final

from app.adapters.sql.rows import INTENT_ABORTED, INTENT_OPEN, KIND_CONTENT, STATE_LIVE, STATE_WANTED, entries_packed
from app.adapters.sql.session import LOCKED, Result, Session
from app.core.errors import Conflict
from app.core.limits import MANIFEST_PAGE_ENTRIES
from app.core.types import BlobId, ChunkEntry, ChunkId, Content, RefId

NOW: Final = 0  # not_before_ms of a blob no reader can know: it lost before anybody saw it

_INTENT_HELD: Final = f"SELECT 1 FROM intent WHERE ref_id = ? AND state = ?{LOCKED}"
_CHUNK_HELD: Final = f"SELECT 1 FROM chunk WHERE chunk_id = ?{LOCKED}"
_LIVE: Final = "SELECT blob_id FROM chunk WHERE chunk_id = ? AND state = ?"
_LIVE_HELD: Final = _LIVE + LOCKED
_ORPHAN_HELD: Final = f"SELECT 1 FROM blob_gc WHERE blob_id = ?{LOCKED}"
_PUBLISH: Final = (  # the column the condition looks at comes last: see mysql/dialect.py
    "INSERT INTO chunk (chunk_id, state, blob_id, length) VALUES (?, ?, ?, ?) ON CONFLICT (chunk_id) DO UPDATE SET "
    "blob_id = excluded.blob_id, length = excluded.length, state = excluded.state "
    f"WHERE chunk.state = '{STATE_WANTED}'"
)


def intent_open(db: Session, ref_id: RefId, expires_ms: int) -> None:
    """P0."""
    db.execute(
        "INSERT INTO intent (ref_id, shard, state, expires_ms) VALUES (?, 0, ?, ?)", (ref_id, INTENT_OPEN, expires_ms)
    )


def intent_close(db: Session, ref_id: RefId) -> None:
    """The fence of P4: Conflict unless the intent is still open."""
    closed = db.execute("DELETE FROM intent WHERE ref_id = ? AND state = ?", (ref_id, INTENT_OPEN))
    if closed.rowcount != 1:
        raise Conflict("the attempt was aborted")


def intent_abort(db: Session, ref_id: RefId) -> bool:
    """Open -> aborted, its references queued for release. False when it is not open."""
    aborted = db.execute(
        "UPDATE intent SET state = ? WHERE ref_id = ? AND state = ?", (INTENT_ABORTED, ref_id, INTENT_OPEN)
    )
    if aborted.rowcount == 1:
        queue_release(db, ref_id, KIND_CONTENT)
    return aborted.rowcount == 1


def pin(db: Session, ref_id: RefId, chunk_ids: Sequence[ChunkId]) -> dict[ChunkId, BlobId]:
    """P1. Conflict when the attempt is no longer open: a dead attempt must not gather references."""
    if db.execute(_INTENT_HELD, (ref_id, INTENT_OPEN)).fetchone() is None:
        raise Conflict("the attempt was aborted")
    asked = {}
    for chunk_id in sorted(set(chunk_ids)):
        db.execute(
            "INSERT INTO chunk (chunk_id, state, blob_id, length) VALUES (?, ?, NULL, 0) ON CONFLICT DO NOTHING",
            (chunk_id, STATE_WANTED),
        )
        _reference(db, chunk_id, ref_id)
        asked[chunk_id] = db.execute(_LIVE, (chunk_id, STATE_LIVE))
    rows = {chunk_id: found.fetchone() for chunk_id, found in asked.items()}
    return {chunk_id: row[0] for chunk_id, row in rows.items() if row is not None}


def publish(
    db: Session, ref_id: RefId, blobs: Sequence[tuple[ChunkId, BlobId, int]]
) -> tuple[dict[ChunkId, BlobId], bool]:
    """P3. Returns each chunk's blob from now on, and whether every own reference was still there.

    A chunk whose reference is gone is not published and its blob is queued; the caller commits that and then tells
    the attempt that it lost.
    """
    winners = {}
    for chunk_id, blob_id, length in sorted(blobs):
        db.execute(_CHUNK_HELD, (chunk_id,))  # a chunk that is referred to has a row
        held = db.execute("SELECT 1 FROM chunk_ref WHERE chunk_id = ? AND ref_id = ?", (chunk_id, ref_id)).fetchone()
        if held is None:
            queue_blob(db, blob_id, NOW)
        else:
            published = _publish(db, chunk_id, blob_id, length)
            winners[chunk_id] = _winner(db, chunk_id, blob_id, published)
    return winners, len(winners) == len({chunk_id for chunk_id, _, _ in blobs})


def settle(db: Session, content: Content, uploaded: frozenset[ChunkId], pinned: bool) -> Content:
    """The reference half of a commit; returns the content with the blobs that hold its chunks from now on.

    A pinned attempt must still be open and hold a reference to what it publishes here. An unpinned one references and
    publishes now, inside the commit: between its upload and this transaction nobody knew its blobs, and the rule of
    ages (ATTEMPT_SECONDS_MAX < ORPHAN_SECONDS_MIN) kept them from the orphan sweep. Where a clock jumped and they were
    queued all the same, Conflict.
    """
    if pinned:
        intent_close(db, content.ref_id)
    if not content.chunks:
        return content
    if pinned:
        return _settle_pinned(db, content, uploaded)
    return _with_blobs(content, _settle_unpinned(db, content, uploaded))


def content_insert(db: Session, content: Content) -> None:
    """Write the content's pages."""
    if content.inline is not None:
        db.execute(
            "INSERT INTO content (ref_id, page, shard, start, more, inline, entries) VALUES (?, 0, 0, 0, 0, ?, NULL)",
            (content.ref_id, content.inline),
        )
        return
    start = 0
    for first in range(0, len(content.chunks), MANIFEST_PAGE_ENTRIES):
        entries = content.chunks[first : first + MANIFEST_PAGE_ENTRIES]
        more = first + MANIFEST_PAGE_ENTRIES < len(content.chunks)
        db.execute(
            "INSERT INTO content (ref_id, page, shard, start, more, inline, entries) VALUES (?, ?, 0, ?, ?, NULL, ?)",
            (content.ref_id, first // MANIFEST_PAGE_ENTRIES, start, more, entries_packed(entries)),
        )
        start += sum(entry.length for entry in entries)


def content_release(db: Session, ref_id: RefId) -> None:
    """Inline content goes at once; a manifest's references go through the outbox."""
    inline = db.execute("DELETE FROM content WHERE ref_id = ? AND page = 0 AND inline IS NOT NULL", (ref_id,))
    if inline.rowcount == 0:
        queue_release(db, ref_id, KIND_CONTENT)


def queue_release(db: Session, ref_id: RefId, kind: str) -> None:
    """Idempotent."""
    db.execute(
        "INSERT INTO release_outbox (ref_id, shard, kind) VALUES (?, 0, ?) ON CONFLICT DO NOTHING", (ref_id, kind)
    )


def queue_blob(db: Session, blob_id: BlobId, not_before_ms: int) -> bool:
    """True when it was not queued yet."""
    queued = db.execute(
        "INSERT INTO blob_gc (blob_id, not_before_ms) VALUES (?, ?) ON CONFLICT DO NOTHING", (blob_id, not_before_ms)
    )
    return queued.rowcount == 1


def take_over(db: Session, ref_id: RefId, entry: ChunkEntry, uploaded: bool) -> BlobId:
    """Refer to one more chunk, published here where it was `uploaded`, else live still; the blob that holds it from now
    on. Conflict as from an unpinned commit."""
    blobs = _settle_unpinned(
        db, Content(ref_id, entry.length, None, (entry,)), frozenset([entry.chunk_id] if uploaded else [])
    )
    return blobs[entry.chunk_id]


def replace_blob(db: Session, chunk_id: ChunkId, old: BlobId, new: BlobId) -> BlobId | None:
    """See MetadataStore.chunk_replace."""
    row = db.execute(_LIVE_HELD, (chunk_id, STATE_LIVE)).fetchone()
    if row is not None and row[0] == old:
        if db.execute(_ORPHAN_HELD, (new,)).fetchone() is not None:
            raise Conflict("the blob was taken for an orphan and is about to go")
        db.execute("UPDATE chunk SET blob_id = ? WHERE chunk_id = ?", (new, chunk_id))
        queue_blob(db, old, NOW)
        return new
    if row is None:
        return None
    queue_blob(db, new, NOW)
    return bytes(row[0])


def live_blobs(db: Session, chunk_ids: Sequence[ChunkId]) -> dict[ChunkId, BlobId]:
    """Those of `chunk_ids` that are live, as seen now; outside a transaction this is a hint."""
    asked = {chunk_id: db.execute(_LIVE, (chunk_id, STATE_LIVE)) for chunk_id in chunk_ids}
    rows = {chunk_id: found.fetchone() for chunk_id, found in asked.items()}
    return {chunk_id: row[0] for chunk_id, row in rows.items() if row is not None}


def _settle_unpinned(db: Session, content: Content, uploaded: frozenset[ChunkId]) -> dict[ChunkId, BlobId]:
    """Every chunk published or found live, and referred to; the blobs that hold them."""
    asked: dict[ChunkId, tuple[BlobId, tuple[Result, Result] | None, Result | None]] = {}
    for entry in sorted(content.chunks, key=_chunk_id):
        if entry.chunk_id in asked:
            continue
        if entry.chunk_id in uploaded:
            published = _publish(db, entry.chunk_id, entry.blob_id, entry.length)
            asked[entry.chunk_id] = entry.blob_id, published, None
        else:
            asked[entry.chunk_id] = entry.blob_id, None, db.execute(_LIVE_HELD, (entry.chunk_id, STATE_LIVE))
        _reference(db, entry.chunk_id, content.ref_id)
    blobs = {}
    for chunk_id, (blob_id, told, live) in asked.items():
        blobs[chunk_id] = _live_or_conflict(live) if told is None else _winner(db, chunk_id, blob_id, told)
    return blobs


def _publish(db: Session, chunk_id: ChunkId, blob_id: BlobId, length: int) -> tuple[Result, Result]:
    """Absent or wanted -> live in `blob_id`; live in another blob -> as it was. What `_winner` wants to know."""
    published = db.execute(_PUBLISH, (chunk_id, STATE_LIVE, blob_id, length))
    return published, db.execute(_ORPHAN_HELD, (blob_id,))


def _winner(db: Session, chunk_id: ChunkId, blob_id: BlobId, told: tuple[Result, Result]) -> BlobId:
    """The blob that holds the chunk; ours is queued when it is another. Conflict when ours was taken for an orphan."""
    published, orphan = told
    if published.rowcount > 0:
        if orphan.fetchone() is not None:
            raise Conflict("the blob was taken for an orphan and is about to go")
        return blob_id
    row = db.execute(_LIVE, (chunk_id, STATE_LIVE)).fetchone()
    if row is None:
        raise Conflict("the chunk row vanished under its lock")
    if row[0] != blob_id:
        queue_blob(db, blob_id, NOW)
    return bytes(row[0])


def _live_or_conflict(live: Result | None) -> BlobId:
    row = None if live is None else live.fetchone()
    if row is None:
        raise Conflict("a chunk counted on was reclaimed meanwhile")
    return bytes(row[0])


def _settle_pinned(db: Session, content: Content, uploaded: frozenset[ChunkId]) -> Content:
    if not uploaded:
        return content
    mine = {
        entry.chunk_id: (entry.chunk_id, entry.blob_id, entry.length)
        for entry in content.chunks
        if entry.chunk_id in uploaded
    }
    winners, whole = publish(db, content.ref_id, list(mine.values()))
    if not whole:
        raise Conflict("a pinned chunk's reference is gone")
    return _with_blobs(content, winners)


def _with_blobs(content: Content, blobs: dict[ChunkId, BlobId]) -> Content:
    if all(blobs.get(entry.chunk_id, entry.blob_id) == entry.blob_id for entry in content.chunks):
        return content
    chunks = tuple(
        ChunkEntry(entry.chunk_id, blobs.get(entry.chunk_id, entry.blob_id), entry.length) for entry in content.chunks
    )
    return Content(content.ref_id, content.size, None, chunks)


def _reference(db: Session, chunk_id: ChunkId, ref_id: RefId) -> None:
    db.execute("INSERT INTO chunk_ref (chunk_id, ref_id) VALUES (?, ?) ON CONFLICT DO NOTHING", (chunk_id, ref_id))


def _chunk_id(entry: ChunkEntry) -> ChunkId:
    return entry.chunk_id
