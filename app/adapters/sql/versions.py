"""SQL of reading versions and their contents: by key, by place, in pages. Statements only.

Every answer is one statement, so that a reader without a transaction sees one state of the stack.
"""

from app.adapters.sql.rows import (
    PAGE_COLUMNS,
    SEQ_MAX,
    VALUE_COLUMNS,
    Row,
    checksum_of,
    entries_of,
    page_of,
    plain_attributes,
    version_of,
)
from app.adapters.sql.session import Session
from app.core.errors import Missing
from app.core.types import NULL_VERSION, BucketId, ContentPage, RefId, Version, VersionPlace

_HEAD_VALUES = ", ".join(f"h.{name}" for name in VALUE_COLUMNS.split(", "))
_VERSION_VALUES = ", ".join(f"v.{name}" for name in VALUE_COLUMNS.split(", "))

_CURRENT = f"SELECT seq, {VALUE_COLUMNS} FROM obj_head WHERE bucket_id = ? AND key = ?"
_CURRENT_WITH_CONTENT = (
    f"SELECT h.seq, c.start, c.more, c.inline, c.entries, {_HEAD_VALUES} FROM obj_head h "
    "LEFT JOIN content c ON c.ref_id = h.ref_id AND c.page = 0 WHERE h.bucket_id = ? AND h.key = ?"
)
_AT = (
    f"SELECT v.seq_down, v.delete_marker{{more}}, {_VERSION_VALUES} FROM obj_version v {{join}}"
    "WHERE v.bucket_id = :bucket AND v.key = :key AND v.seq_down = {seq_down} AND v.version_id = :id"
)
_NULL_SEQ_DOWN = (  # the head where its id is zero, else where the key's marks say; NULL finds nothing
    f"{SEQ_MAX} - ifnull((SELECT h.seq FROM obj_head h WHERE h.bucket_id = :bucket AND h.key = :key "
    "AND h.version_id = :id), (SELECT s.null_seq FROM obj_stack s WHERE s.bucket_id = :bucket AND s.key = :key))"
)
_CONTENT = {"more": ", c.start, c.more, c.inline, c.entries"}
_CONTENT_JOIN = "LEFT JOIN content c ON c.ref_id = v.ref_id AND c.page = 0 "
_AT_SEQ = _AT.format(more="", join="", seq_down=":seq_down")
_AT_NULL = _AT.format(more="", join="", seq_down=_NULL_SEQ_DOWN)
_AT_SEQ_WITH_CONTENT = _AT.format(**_CONTENT, join=_CONTENT_JOIN, seq_down=":seq_down")
_AT_NULL_WITH_CONTENT = _AT.format(**_CONTENT, join=_CONTENT_JOIN, seq_down=_NULL_SEQ_DOWN)
_NEWEST = (
    f"SELECT seq_down, delete_marker, {VALUE_COLUMNS} FROM obj_version WHERE bucket_id = ? AND key = ? "
    "ORDER BY seq_down LIMIT 1"
)
_SCAN = (
    "SELECT key, seq, version_id, ref_id, size, etag, modified_ms, owner, storage_class, checksum, part_count "
    "FROM obj_head WHERE bucket_id = ? AND key {after} ?{until} ORDER BY key LIMIT ?"
)
_SCANS = {
    (inclusive, bounded): _SCAN.format(after=">=" if inclusive else ">", until=" AND key < ?" if bounded else "")
    for inclusive in (True, False)
    for bounded in (True, False)
}


def current(db: Session, bucket_id: BucketId, key: bytes) -> Version:
    """Missing when there is none."""
    row = db.execute(_CURRENT, (bucket_id, key)).fetchone()
    if row is None:
        raise Missing("no current version")
    return version_of(bucket_id, key, row[0], row[1:])


def current_with_content(db: Session, bucket_id: BucketId, key: bytes) -> tuple[Version, ContentPage | None]:
    """One point query: the head row joined with page 0 of its content."""
    row = db.execute(_CURRENT_WITH_CONTENT, (bucket_id, key)).fetchone()
    if row is None:
        raise Missing("no current version")
    version = version_of(bucket_id, key, row[0], row[5:])
    return version, _first_page(version.ref_id, row[1:5])


def at(db: Session, bucket_id: BucketId, key: bytes, place: VersionPlace) -> Version:
    """One version or delete marker by its place. Missing when there is none."""
    version = at_or_none(db, bucket_id, key, place)
    if version is None:
        raise Missing("no such version")
    return version


def at_or_none(db: Session, bucket_id: BucketId, key: bytes, place: VersionPlace) -> Version | None:
    """The same. `place.seq` finds the row, and only the row's id makes it the version."""
    statement = _AT_NULL if place.version_id == NULL_VERSION else _AT_SEQ
    row = db.execute(statement, _at_values(bucket_id, key, place)).fetchone()
    return None if row is None else version_of(bucket_id, key, SEQ_MAX - row[0], row[2:], bool(row[1]))


def at_with_content(
    db: Session, bucket_id: BucketId, key: bytes, place: VersionPlace
) -> tuple[Version, ContentPage | None]:
    """A version by its place with page 0 of its content. Missing when there is none."""
    statement = _AT_NULL_WITH_CONTENT if place.version_id == NULL_VERSION else _AT_SEQ_WITH_CONTENT
    row = db.execute(statement, _at_values(bucket_id, key, place)).fetchone()
    if row is None:
        raise Missing("no such version")
    version = version_of(bucket_id, key, SEQ_MAX - row[0], row[6:], bool(row[1]))
    return version, _first_page(version.ref_id, row[2:6])


def newest(db: Session, bucket_id: BucketId, key: bytes) -> Version:
    """The top of the stack, a delete marker included. Missing when the key has no version."""
    version = newest_or_none(db, bucket_id, key)
    if version is None:
        raise Missing("the key has no version")
    return version


def newest_or_none(db: Session, bucket_id: BucketId, key: bytes) -> Version | None:
    """The same."""
    row = db.execute(_NEWEST, (bucket_id, key)).fetchone()
    return None if row is None else version_of(bucket_id, key, SEQ_MAX - row[0], row[2:], bool(row[1]))


def scan(
    db: Session, bucket_id: BucketId, start: bytes, inclusive: bool, stop: bytes | None, limit: int
) -> list[Version]:
    """Current versions in key order, without attributes."""
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
            None if checksum is None else checksum_of(checksum),
            part_count,
        )
        for key, seq, version_id, ref_id, size, etag, modified_ms, owner, storage_class, checksum, part_count in rows
    ]


def scan_all(
    db: Session, bucket_id: BucketId, start: bytes, after_seq: int | None, stop: bytes | None, limit: int
) -> list[Version]:
    """Versions and delete markers by (key, newest first), after (`start`, `after_seq`), keys < `stop`."""
    until, bounds = ("", ()) if stop is None else (" AND key < ?", (stop,))
    rows = db.execute(
        f"SELECT key, seq_down, delete_marker, {VALUE_COLUMNS} FROM obj_version "
        f"WHERE bucket_id = ? AND (key, seq_down) > (?, ?){until} ORDER BY key, seq_down LIMIT ?",
        (bucket_id, start, -1 if after_seq is None else SEQ_MAX - after_seq, *bounds, limit),
    ).fetchall()
    return [version_of(bucket_id, row[0], SEQ_MAX - row[1], row[3:], bool(row[2])) for row in rows]


def content_page(db: Session, ref_id: RefId, page: int) -> ContentPage:
    """Missing when the content or the page is not there."""
    row = db.execute(f"SELECT {PAGE_COLUMNS} FROM content WHERE ref_id = ? AND page = ?", (ref_id, page)).fetchone()
    if row is None:
        raise Missing("no such content page")
    return page_of(ref_id, row)


def walk(db: Session, after: tuple[BucketId, bytes, int] | None, limit: int) -> list[Version]:
    """Every version by (bucket id, key, newest first), after (bucket id, key, seq)."""
    bucket_id, key, seq = after if after is not None else (b"", b"", SEQ_MAX)
    rows = db.execute(
        f"SELECT bucket_id, key, seq_down, delete_marker, {VALUE_COLUMNS} FROM obj_version "
        "WHERE (bucket_id, key, seq_down) > (?, ?, ?) ORDER BY bucket_id, key, seq_down LIMIT ?",
        (bucket_id, key, SEQ_MAX - seq, limit),
    ).fetchall()
    return [version_of(row[0], row[1], SEQ_MAX - row[2], row[4:], bool(row[3])) for row in rows]


def _at_values(bucket_id: BucketId, key: bytes, place: VersionPlace) -> dict[str, object]:
    return {"bucket": bucket_id, "key": key, "id": place.version_id, "seq_down": SEQ_MAX - place.seq}


def _first_page(ref_id: RefId, row: Row) -> ContentPage | None:
    """From start, more, inline, entries of a joined page 0; None where there was none to join."""
    start, more, inline, entries = row
    if start is None:
        return None
    return ContentPage(ref_id, 0, start, inline, entries_of(entries) if entries else (), bool(more))
