"""SQL of versions and their contents: reads, commits, deletes, scans and walks.

Statements only: transactions and durability are the caller's; `commit` and `delete_current` must run inside one.
"""

from sqlite3 import Connection

from app.adapters.sql import references
from app.adapters.sql.rows import (
    KIND_PARTS,
    PAGE_COLUMNS,
    SEQ_MAX,
    VALUE_COLUMNS,
    entries_of,
    page_of,
    plain_attributes,
    version_of,
    version_values,
)
from app.core.errors import Missing
from app.core.types import BucketId, ContentPage, RefId, Version
from app.ports.metadata import Check, Commit

_VALUES = VALUE_COLUMNS.count(",") + 1
_HEAD_VALUES = ", ".join(f"h.{name}" for name in VALUE_COLUMNS.split(", "))

_CURRENT = f"SELECT seq, {VALUE_COLUMNS} FROM obj_head WHERE bucket_id = ? AND key = ?"
_CURRENT_WITH_CONTENT = (
    f"SELECT h.seq, c.start, c.more, c.inline, c.entries, {_HEAD_VALUES} FROM obj_head h "
    "LEFT JOIN content c ON c.ref_id = h.ref_id AND c.page = 0 WHERE h.bucket_id = ? AND h.key = ?"
)
_CURRENT_OF_BUCKET = (
    f"SELECT h.seq, {_HEAD_VALUES} FROM bucket b LEFT JOIN obj_head h ON h.bucket_id = b.bucket_id AND h.key = ? "
    "WHERE b.bucket_id = ?"
)
_SCAN = (
    "SELECT key, seq, version_id, ref_id, size, etag, modified_ms, owner, storage_class, part_count "
    "FROM obj_head WHERE bucket_id = ? AND key {after} ?{until} ORDER BY key LIMIT ?"
)
_SCANS = {
    (inclusive, bounded): _SCAN.format(after=">=" if inclusive else ">", until=" AND key < ?" if bounded else "")
    for inclusive in (True, False)
    for bounded in (True, False)
}
_NEWEST = "SELECT seq_down FROM obj_version WHERE bucket_id = ? AND key = ? ORDER BY seq_down LIMIT 1"
_PUT_HEAD = f"REPLACE INTO obj_head (bucket_id, key, seq, {VALUE_COLUMNS}) VALUES (?, ?, ?{', ?' * _VALUES})"
_PUT_VERSION = (
    f"INSERT INTO obj_version (bucket_id, key, seq_down, {VALUE_COLUMNS}, delete_marker) "
    f"VALUES (?, ?, ?{', ?' * _VALUES}, 0)"
)


def current(db: Connection, bucket_id: BucketId, key: bytes) -> Version:
    """Missing when there is none."""
    row = db.execute(_CURRENT, (bucket_id, key)).fetchone()
    if row is None:
        raise Missing("no current version")
    return version_of(bucket_id, key, row[0], row[1:])


def current_with_content(db: Connection, bucket_id: BucketId, key: bytes) -> tuple[Version, ContentPage | None]:
    """One point query: the head row joined with page 0 of its content."""
    row = db.execute(_CURRENT_WITH_CONTENT, (bucket_id, key)).fetchone()
    if row is None:
        raise Missing("no current version")
    version = version_of(bucket_id, key, row[0], row[5:])
    start, more, inline, entries = row[1:5]
    if start is None:
        return version, None
    chunks = entries_of(entries) if entries else ()
    return version, ContentPage(version.ref_id, 0, start, inline, chunks, bool(more))


def scan(
    db: Connection, bucket_id: BucketId, start: bytes, inclusive: bool, stop: bytes | None, limit: int
) -> list[Version]:
    """Current versions in key order, without attributes and checksums."""
    bounds = (start, limit) if stop is None else (start, stop, limit)
    rows = db.execute(_SCANS[inclusive, stop is not None], (bucket_id, *bounds)).fetchall()
    return [
        Version(
            bucket_id,
            key,
            version_id,
            seq,
            ref_id,
            size,
            etag,
            modified_ms,
            owner,
            plain_attributes(storage_class),
            None,
            part_count,
        )
        for key, seq, version_id, ref_id, size, etag, modified_ms, owner, storage_class, part_count in rows
    ]


def content_page(db: Connection, ref_id: RefId, page: int) -> ContentPage:
    """Missing when the content or the page is not there."""
    row = db.execute(f"SELECT {PAGE_COLUMNS} FROM content WHERE ref_id = ? AND page = ?", (ref_id, page)).fetchone()
    if row is None:
        raise Missing("no such content page")
    return page_of(ref_id, row)


def commit(db: Connection, commit: Commit) -> Version:
    """Settle the references, write the content, make the version current, release what it replaced."""
    version = commit.version
    previous = current_or_none(db, version.bucket_id, version.key)
    if commit.check is not None:
        commit.check(previous)
    content = references.settle(db, commit.content, commit.uploaded, commit.pinned)
    references.content_insert(db, content)
    return make_current(db, version, previous)


def delete_current(db: Connection, bucket_id: BucketId, key: bytes, check: Check | None) -> Version | None:
    """Remove the current version and release its content. None when there was nothing."""
    previous = current_or_none(db, bucket_id, key)
    if check is not None:
        check(previous)
    if previous is None:
        return None
    db.execute("DELETE FROM obj_head WHERE bucket_id = ? AND key = ?", (bucket_id, key))
    _forget(db, previous)
    return previous


def current_or_none(db: Connection, bucket_id: BucketId, key: bytes) -> Version | None:
    """The current version as the transaction sees it. Missing when the bucket is gone."""
    row = db.execute(_CURRENT_OF_BUCKET, (key, bucket_id)).fetchone()
    if row is None:
        raise Missing("the bucket is gone")
    return None if row[0] is None else version_of(bucket_id, key, row[0], row[1:])


def make_current(db: Connection, version: Version, previous: Version | None) -> Version:
    """Write the version into both tables with the key's next seq; a previous version of the same id is replaced."""
    seq = _newest_seq(db, version) + 1 if previous is None else previous.seq + 1
    values = version_values(version)
    db.execute(_PUT_HEAD, (version.bucket_id, version.key, seq, *values))
    db.execute(_PUT_VERSION, (version.bucket_id, version.key, SEQ_MAX - seq, *values))
    if previous is not None and previous.version_id == version.version_id:
        _forget(db, previous)
    return version._replace(seq=seq)


def walk(db: Connection, after: tuple[BucketId, bytes, int] | None, limit: int) -> list[Version]:
    """Every version by (bucket id, key, newest first), after (bucket id, key, seq)."""
    bucket_id, key, seq = after if after is not None else (b"", b"", SEQ_MAX)
    rows = db.execute(
        f"SELECT bucket_id, key, seq_down, delete_marker, {VALUE_COLUMNS} FROM obj_version "
        "WHERE (bucket_id, key, seq_down) > (?, ?, ?) ORDER BY bucket_id, key, seq_down LIMIT ?",
        (bucket_id, key, SEQ_MAX - seq, limit),
    ).fetchall()
    return [version_of(row[0], row[1], SEQ_MAX - row[2], row[4:], bool(row[3])) for row in rows]


def _newest_seq(db: Connection, version: Version) -> int:
    """Of a key without a current version, the newest seq all the same: a delete marker may stand there. 0 = none."""
    row = db.execute(_NEWEST, (version.bucket_id, version.key)).fetchone()
    return 0 if row is None else SEQ_MAX - row[0]


def _forget(db: Connection, version: Version) -> None:
    """Drop a version's row and release what it refers to."""
    db.execute(
        "DELETE FROM obj_version WHERE bucket_id = ? AND key = ? AND seq_down = ?",
        (version.bucket_id, version.key, SEQ_MAX - version.seq),
    )
    if version.part_count > 0:
        references.queue_release(db, version.ref_id, KIND_PARTS)
    else:
        references.content_release(db, version.ref_id)
