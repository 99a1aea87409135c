"""SQL of a chunk's move to another profile: a content that is read refers to the same bytes under another name.

Statements only, inside a transaction of the caller's. The content keeps its `ref_id`, which is what encrypted frames
are bound to; it has a reference to the new chunk before, and none to the old one after, and both in this transaction.
"""

from app.adapters.sql import references, sweeps
from app.adapters.sql.rows import entries_of, entries_packed
from app.adapters.sql.session import LOCKED, Session
from app.core.errors import Conflict, Missing
from app.core.types import ChunkEntry
from app.ports.metadata import ChunkMove


def chunk_move(db: Session, move: ChunkMove) -> None:
    """See MetadataStore.chunk_move."""
    row = db.execute(
        f"SELECT entries FROM content WHERE ref_id = ? AND page = ?{LOCKED}", (move.ref_id, move.page)
    ).fetchone()
    if row is None:
        raise Missing("the content was released meanwhile")
    before = entries_of(row[0] or b"")
    if move.old not in before:
        raise Conflict("the content no longer refers to this blob")
    blob_id = references.take_over(db, move.ref_id, move.new, move.uploaded)
    new = move.new._replace(blob_id=blob_id)
    after = tuple(new if entry == move.old else entry for entry in before)
    db.execute(
        "UPDATE content SET entries = ? WHERE ref_id = ? AND page = ?", (entries_packed(after), move.ref_id, move.page)
    )
    if not _refers(db, move.old, move):
        sweeps.release_chunk(db, move.old.chunk_id, move.ref_id, move.not_before_ms)


def _refers(db: Session, old: ChunkEntry, move: ChunkMove) -> bool:
    """Whether a page of the content still names the old chunk; a content has more than one beyond 8 GiB only."""
    pages = db.execute("SELECT entries FROM content WHERE ref_id = ?", (move.ref_id,)).fetchall()
    return any(entry.chunk_id == old.chunk_id for (packed,) in pages for entry in entries_of(packed or b""))
