"""SQL of multipart uploads and parts. Statements only: transactions and durability are the caller's."""

from app.adapters.sql import buckets, references, stacks, usage
from app.adapters.sql.commits import announce_to
from app.adapters.sql.rows import (
    KIND_CONTENT,
    KIND_PARTS,
    PART_COLUMNS,
    UPLOAD_COLUMNS,
    checksum_text,
    part_of,
    upload_of,
    upload_row,
)
from app.adapters.sql.session import LOCKED, SHARED, Session
from app.core.errors import Conflict, Missing
from app.core.types import BucketId, Part, RefId, Upload, Version
from app.ports.metadata import Completion, PartCommit


def create(db: Session, upload: Upload) -> None:
    """Missing when the bucket is gone."""
    buckets.require(db, upload.bucket_id, SHARED)
    db.execute(f"INSERT INTO upload ({UPLOAD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", upload_row(upload))


def get(db: Session, upload_id: RefId) -> Upload:
    """Missing when it was aborted, completed or never was."""
    row = db.execute(f"SELECT {UPLOAD_COLUMNS} FROM upload WHERE upload_id = ?", (upload_id,)).fetchone()
    if row is None:
        raise Missing("no such upload")
    return upload_of(row)


def scan(
    db: Session, bucket_id: BucketId, start: bytes, after_upload: RefId, stop: bytes | None, limit: int
) -> list[Upload]:
    """By (key, upload id), after (`start`, `after_upload`), keys < `stop`."""
    until, bounds = ("", ()) if stop is None else (" AND key < ?", (stop,))
    rows = db.execute(
        f"SELECT {UPLOAD_COLUMNS} FROM upload WHERE bucket_id = ? AND (key, upload_id) > (?, ?){until} "
        "ORDER BY key, upload_id LIMIT ?",
        (bucket_id, start, after_upload, *bounds, limit),
    ).fetchall()
    return [upload_of(row) for row in rows]


def part_commit(db: Session, commit: PartCommit) -> None:
    """Store a part; the part it replaces is released. Missing when the upload is gone."""
    part = commit.part
    bucket_id = _require(db, part.upload_id)
    content = references.settle(db, commit.content, commit.uploaded, commit.pinned)
    references.content_insert(db, content)
    replaced = db.execute(
        "SELECT ref_id, size FROM part WHERE upload_id = ? AND number = ?", (part.upload_id, part.number)
    ).fetchone()
    db.execute(
        f"REPLACE INTO part (upload_id, shard, {PART_COLUMNS}) VALUES (?, 0, ?, ?, ?, ?, ?, ?, NULL)",
        (
            part.upload_id,
            part.number,
            part.ref_id,
            part.size,
            part.etag,
            part.modified_ms,
            checksum_text(part.checksum),
        ),
    )
    usage.count_parts(db, bucket_id, part.size - (0 if replaced is None else replaced[1]))
    if replaced is not None:
        references.content_release(db, replaced[0])


def parts_scan(db: Session, upload_id: RefId, after_number: int, limit: int) -> list[Part]:
    """By number, numbers > `after_number`."""
    rows = db.execute(
        f"SELECT {PART_COLUMNS} FROM part WHERE upload_id = ? AND number > ? ORDER BY number LIMIT ?",
        (upload_id, after_number, limit),
    ).fetchall()
    return [part_of(upload_id, row) for row in rows]


def part_at(db: Session, upload_id: RefId, offset: int) -> Part:
    """The completed version's part that holds byte `offset`; Missing when none does."""
    row = db.execute(
        f"SELECT {PART_COLUMNS} FROM part WHERE upload_id = ? AND start <= ? ORDER BY start DESC, number DESC LIMIT 1",
        (upload_id, offset),
    ).fetchone()
    if row is not None:
        part = part_of(upload_id, row)
        if offset < part.start + part.size:
            return part
    raise Missing("no part holds that byte")


def complete(db: Session, completion: Completion) -> Version:
    """Parts as the caller saw them -> a version; the upload row and the parts not chosen go."""
    version, upload_id = completion.version, completion.version.ref_id
    db.hold(version.bucket_id, version.key)
    _require(db, upload_id)
    stack = stacks.look(db, version.bucket_id, version.key)
    if completion.check is not None:
        completion.check(stack.head)
    version = version._replace(part_count=len(completion.parts))
    placing = stacks.placing_of(db, stack, version, completion.replaced_check)
    stored = {
        number: (ref_id, etag)
        for number, ref_id, etag in db.execute(
            "SELECT number, ref_id, etag FROM part WHERE upload_id = ?", (upload_id,)
        )
    }
    for part in completion.parts:
        if stored.pop(part.number, None) != (part.ref_id, part.etag):
            raise Conflict(f"part {part.number} changed")
    db.executemany(
        "UPDATE part SET start = ? WHERE upload_id = ? AND number = ?",
        [(part.start, upload_id, part.number) for part in completion.parts],
    )
    usage.uncount_parts(db, version.bucket_id, upload_id)
    _release_unchosen(db, upload_id, stored)
    db.execute("DELETE FROM upload WHERE upload_id = ?", (upload_id,))
    announce_to(db, completion.announce, stacks.place(db, placing))
    return placing.version


def abort(db: Session, upload_id: RefId) -> None:
    """The upload row goes now, its parts in the outbox's bounded steps. Missing when it is gone or was completed."""
    usage.uncount_parts(db, _require(db, upload_id), upload_id)
    db.execute("DELETE FROM upload WHERE upload_id = ?", (upload_id,))
    references.queue_release(db, upload_id, KIND_PARTS)


def _require(db: Session, upload_id: RefId) -> BucketId:
    """Its bucket. Missing when it is gone; from here on its parts are this transaction's alone."""
    row = db.execute(f"SELECT bucket_id FROM upload WHERE upload_id = ?{LOCKED}", (upload_id,)).fetchone()
    if row is None:
        raise Missing("no such upload")
    return bytes(row[0])


def _release_unchosen(db: Session, upload_id: RefId, unchosen: dict[int, tuple[RefId, str]]) -> None:
    """Through the outbox whatever they hold: one row each is all this transaction spends on them."""
    db.executemany(
        "INSERT INTO release_outbox (ref_id, shard, kind) VALUES (?, 0, ?) ON CONFLICT DO NOTHING",
        [(ref_id, KIND_CONTENT) for ref_id, _ in unchosen.values()],
    )
    db.executemany("DELETE FROM part WHERE upload_id = ? AND number = ?", [(upload_id, number) for number in unchosen])
