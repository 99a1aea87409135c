"""SQL of the reference protocol: intents, pins, publishing, releasing (docs/design/write-order.md, P0..P4).

Statements only: transactions and durability are the caller's, and every function here must run inside one. The write
lock of the database is what the protocol calls the chunk row's lock.
"""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Final

from app.adapters.sql.rows import INTENT_ABORTED, INTENT_OPEN, KIND_CONTENT, STATE_LIVE, STATE_WANTED, entries_packed
from app.core.errors import Conflict
from app.core.limits import MANIFEST_PAGE_ENTRIES
from app.core.types import BlobId, ChunkEntry, ChunkId, Content, RefId

NOW: Final = 0  # not_before_ms of a blob no reader can know: it lost before anybody saw it


def intent_open(db: Connection, ref_id: RefId, expires_ms: int) -> None:
    """P0."""
    db.execute(
        "INSERT INTO intent (ref_id, shard, state, expires_ms) VALUES (?, 0, ?, ?)", (ref_id, INTENT_OPEN, expires_ms)
    )


def intent_close(db: Connection, ref_id: RefId) -> None:
    """The fence of P4: Conflict unless the intent is still open."""
    closed = db.execute("DELETE FROM intent WHERE ref_id = ? AND state = ?", (ref_id, INTENT_OPEN))
    if closed.rowcount != 1:
        raise Conflict("the attempt was aborted")


def intent_abort(db: Connection, ref_id: RefId) -> bool:
    """Open -> aborted, its references queued for release. False when it is not open."""
    aborted = db.execute(
        "UPDATE intent SET state = ? WHERE ref_id = ? AND state = ?", (INTENT_ABORTED, ref_id, INTENT_OPEN)
    )
    if aborted.rowcount == 1:
        queue_release(db, ref_id, KIND_CONTENT)
    return aborted.rowcount == 1


def pin(db: Connection, ref_id: RefId, chunk_ids: Sequence[ChunkId]) -> dict[ChunkId, BlobId]:
    """P1. Conflict when the attempt is no longer open: a dead attempt must not gather references."""
    if db.execute("SELECT 1 FROM intent WHERE ref_id = ? AND state = ?", (ref_id, INTENT_OPEN)).fetchone() is None:
        raise Conflict("the attempt was aborted")
    hits = {}
    for chunk_id in sorted(set(chunk_ids)):
        db.execute(
            "INSERT INTO chunk (chunk_id, state, blob_id, length) VALUES (?, ?, NULL, 0) ON CONFLICT DO NOTHING",
            (chunk_id, STATE_WANTED),
        )
        _reference(db, chunk_id, ref_id)
        blob_id = live_blob(db, chunk_id)
        if blob_id is not None:
            hits[chunk_id] = blob_id
    return hits


def publish(
    db: Connection, ref_id: RefId, blobs: Sequence[tuple[ChunkId, BlobId, int]]
) -> tuple[dict[ChunkId, BlobId], bool]:
    """P3. Returns each chunk's blob from now on, and whether every own reference was still there.

    A chunk whose reference is gone is not published and its blob is queued; the caller commits that and then tells
    the attempt that it lost.
    """
    winners = {}
    for chunk_id, blob_id, length in sorted(blobs):
        held = db.execute("SELECT 1 FROM chunk_ref WHERE chunk_id = ? AND ref_id = ?", (chunk_id, ref_id)).fetchone()
        if held is None:
            queue_blob(db, blob_id, NOW)
        else:
            winners[chunk_id] = _publish_one(db, chunk_id, blob_id, length)
    return winners, len(winners) == len({chunk_id for chunk_id, _, _ in blobs})


def settle(db: Connection, content: Content, uploaded: frozenset[ChunkId], pinned: bool) -> Content:
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
    blobs: dict[ChunkId, BlobId] = {}
    for entry in sorted(content.chunks, key=_chunk_id):
        if entry.chunk_id in blobs:
            continue
        if entry.chunk_id in uploaded:
            blobs[entry.chunk_id] = _publish_one(db, entry.chunk_id, entry.blob_id, entry.length)
        else:
            blob_id = live_blob(db, entry.chunk_id)
            if blob_id is None:
                raise Conflict("a chunk counted on was reclaimed meanwhile")
            blobs[entry.chunk_id] = blob_id
        _reference(db, entry.chunk_id, content.ref_id)
    return _with_blobs(content, blobs)


def content_insert(db: Connection, content: Content) -> None:
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


def content_release(db: Connection, ref_id: RefId) -> None:
    """Inline content goes at once; a manifest's references go through the outbox."""
    inline = db.execute("DELETE FROM content WHERE ref_id = ? AND page = 0 AND inline IS NOT NULL", (ref_id,))
    if inline.rowcount == 0:
        queue_release(db, ref_id, KIND_CONTENT)


def queue_release(db: Connection, ref_id: RefId, kind: str) -> None:
    """Idempotent."""
    db.execute(
        "INSERT INTO release_outbox (ref_id, shard, kind) VALUES (?, 0, ?) ON CONFLICT DO NOTHING", (ref_id, kind)
    )


def queue_blob(db: Connection, blob_id: BlobId, not_before_ms: int) -> bool:
    """True when it was not queued yet."""
    queued = db.execute(
        "INSERT INTO blob_gc (blob_id, not_before_ms) VALUES (?, ?) ON CONFLICT DO NOTHING", (blob_id, not_before_ms)
    )
    return queued.rowcount == 1


def live_blob(db: Connection, chunk_id: ChunkId) -> BlobId | None:
    """The blob that holds the chunk, None when it is not live."""
    row = db.execute("SELECT blob_id FROM chunk WHERE chunk_id = ? AND state = ?", (chunk_id, STATE_LIVE)).fetchone()
    return None if row is None else row[0]


def live_blobs(db: Connection, chunk_ids: Sequence[ChunkId]) -> dict[ChunkId, BlobId]:
    """Those of `chunk_ids` that are live, as seen now; outside a transaction this is a hint."""
    found = {chunk_id: live_blob(db, chunk_id) for chunk_id in chunk_ids}
    return {chunk_id: blob_id for chunk_id, blob_id in found.items() if blob_id is not None}


def _publish_one(db: Connection, chunk_id: ChunkId, blob_id: BlobId, length: int) -> BlobId:
    """Absent or wanted -> live in `blob_id`; live in another blob -> that one, and ours is queued."""
    published = db.execute(
        "INSERT INTO chunk (chunk_id, state, blob_id, length) VALUES (?, ?, ?, ?) ON CONFLICT (chunk_id) DO UPDATE "
        "SET state = excluded.state, blob_id = excluded.blob_id, length = excluded.length WHERE chunk.state = ?",
        (chunk_id, STATE_LIVE, blob_id, length, STATE_WANTED),
    )
    if published.rowcount == 1:
        if db.execute("SELECT 1 FROM blob_gc WHERE blob_id = ?", (blob_id,)).fetchone() is not None:
            raise Conflict("the blob was taken for an orphan and is about to go")
        return blob_id
    winner = live_blob(db, chunk_id)
    if winner is None:
        raise Conflict("the chunk row vanished under its lock")
    if winner != blob_id:
        queue_blob(db, blob_id, NOW)
    return winner


def _settle_pinned(db: Connection, content: Content, uploaded: frozenset[ChunkId]) -> Content:
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


def _reference(db: Connection, chunk_id: ChunkId, ref_id: RefId) -> None:
    db.execute("INSERT INTO chunk_ref (chunk_id, ref_id) VALUES (?, ?) ON CONFLICT DO NOTHING", (chunk_id, ref_id))


def _chunk_id(entry: ChunkEntry) -> ChunkId:
    return entry.chunk_id
