"""SQL of a key's stack of versions: what a commit or a delete does to it, by the bucket's versioning.

Knows three rules. `obj_head` has the newest row of the stack where that is an object, and nothing where it is a delete
marker. The null version is the head where the head's id is zero; otherwise `obj_stack.null_seq` says where it lies. A
new seq is above all that the key was given while it had a version. A bucket without versioning has stacks of one, the
null version, and never touches `obj_stack`. Statements only; every function must run inside one transaction, and those
that decide (`look`, `placing_of`, `leaving_of`) write nothing, so that whatever they refuse costs no rollback.
"""

from typing import NamedTuple

from app.adapters.sql import references, usage, versions
from app.adapters.sql.rows import KIND_PARTS, SEQ_MAX, VALUE_COLUMNS, version_of, version_values
from app.adapters.sql.session import SHARED, Session
from app.core.errors import Missing
from app.core.types import NULL_PLACE, NULL_VERSION, BucketId, Version, Versioning
from app.ports.metadata import Check, Deletion

_OFF = Versioning.OFF.value
_ENABLED = Versioning.ENABLED.value
_HEAD_VALUES = ", ".join(f"h.{name}" for name in VALUE_COLUMNS.split(", "))
_MARKS = ", ?" * (VALUE_COLUMNS.count(",") + 1)
_LOOK = (
    f"SELECT b.versioning, h.seq, {_HEAD_VALUES} FROM bucket b "
    f"LEFT JOIN obj_head h ON h.bucket_id = b.bucket_id AND h.key = ? WHERE b.bucket_id = ?{SHARED}"
)
_PUT_HEAD = f"REPLACE INTO obj_head (bucket_id, key, seq, {VALUE_COLUMNS}) VALUES (?, ?, ?{_MARKS})"
_PUT_VERSION = (
    f"INSERT INTO obj_version (bucket_id, key, seq_down, {VALUE_COLUMNS}, delete_marker) VALUES (?, ?, ?{_MARKS}, ?)"
)
_NEWEST = "SELECT seq_down FROM obj_version WHERE bucket_id = ? AND key = ? ORDER BY seq_down LIMIT 1"


class Stack(NamedTuple):
    """A key's stack as the transaction finds it. `head`: the current version, None also under a delete marker."""

    bucket_id: BucketId
    key: bytes
    versioning: str
    head: Version | None


class Marks(NamedTuple):
    """A row of `obj_stack`; both 0 = no row."""

    null_seq: int = 0
    top_seq: int = 0


NO_MARKS = Marks()


class Placing(NamedTuple):
    """A version or marker about to go on top, with its id and seq, and the null version that goes for it.

    `before` and `after` are the key's marks; both NO_MARKS where the bucket has no versioning.
    """

    version: Version
    stack: Stack
    replaced: Version | None
    before: Marks
    after: Marks


class Leaving(NamedTuple):
    """A delete without a version, decided: `removed` goes for good (no versioning), or `marker` goes on top."""

    removed: Version | None
    marker: Placing | None


def look(db: Session, bucket_id: BucketId, key: bytes) -> Stack:
    """Missing when the bucket is gone; from here on it stays as it is. The key must be held (Session.hold)."""
    row = db.execute(_LOOK, (key, bucket_id)).fetchone()
    if row is None:
        raise Missing("the bucket is gone")
    head = None if row[1] is None else version_of(bucket_id, key, row[1], row[2:])
    return Stack(bucket_id, key, row[0], head)


def placing_of(db: Session, stack: Stack, version: Version, replaced_check: Check | None) -> Placing:
    """What putting `version` on top means here. Raises what `replaced_check` raises of the null version it replaces."""
    head = stack.head
    if stack.versioning == _OFF:
        placed = version._replace(version_id=NULL_VERSION, seq=1 if head is None else head.seq + 1)
        placing = Placing(placed, stack, head, NO_MARKS, NO_MARKS)
    else:
        placing = _placing_on_stack(db, stack, version)
    if replaced_check is not None and placing.replaced is not None:
        replaced_check(placing.replaced)
    return placing


def place(db: Session, placing: Placing) -> Version:
    """Write it: both tables, the marks, and the release of what it replaces."""
    version = placing.version
    key = (version.bucket_id, version.key)
    values = version_values(version)
    if not version.delete_marker:
        db.execute(_PUT_HEAD, (*key, version.seq, *values))
    elif placing.stack.head is not None:
        _head_drop(db, *key)
    db.execute(_PUT_VERSION, (*key, SEQ_MAX - version.seq, *values, version.delete_marker))
    gone = placing.replaced
    usage.count(db, version.bucket_id, 0 if gone else 1, version.size - (gone.size if gone else 0))
    if gone is not None:
        _forget(db, gone)
    if placing.after is not placing.before:
        _marks_write(db, key, placing.before, placing.after)
    return version


def leaving_of(db: Session, stack: Stack, marker: Version, replaced_check: Check | None) -> Leaving:
    """What deleting the key means here. Raises what `replaced_check` raises of the version that goes for good."""
    if stack.versioning != _OFF:
        marker = marker._replace(ref_id=b"", size=0, part_count=0, delete_marker=True)
        return Leaving(None, placing_of(db, stack, marker, replaced_check))
    if replaced_check is not None and stack.head is not None:
        replaced_check(stack.head)
    return Leaving(stack.head, None)


def leave(db: Session, leaving: Leaving) -> Deletion:
    """Write it."""
    if leaving.marker is not None:
        return Deletion(leaving.marker.replaced, place(db, leaving.marker))
    if leaving.removed is not None:
        _head_drop(db, leaving.removed.bucket_id, leaving.removed.key)
        usage.count(db, leaving.removed.bucket_id, -1, -leaving.removed.size)
        _forget(db, leaving.removed)
    return Deletion(leaving.removed)


def take_out(db: Session, stack: Stack, gone: Version) -> None:
    """Remove one version or marker for good; what lies under it becomes current if it lay on top."""
    key = (stack.bucket_id, stack.key)
    usage.count(db, stack.bucket_id, -1, -gone.size)
    _forget(db, gone)
    before = after = NO_MARKS if stack.versioning == _OFF else _marks_read(db, key)
    if gone.version_id == NULL_VERSION:
        after = after._replace(null_seq=0)
    if stack.head is None or stack.head.seq == gone.seq:
        newest = versions.newest_or_none(db, *key)
        if newest is None:
            after = NO_MARKS
        elif newest.seq < gone.seq:
            after = after._replace(top_seq=max(after.top_seq, gone.seq))
        if newest is None or newest.delete_marker:
            if stack.head is not None:
                _head_drop(db, *key)
        elif newest.seq < gone.seq:
            db.execute(_PUT_HEAD, (*key, newest.seq, *version_values(newest)))
            if newest.version_id == NULL_VERSION:
                after = after._replace(null_seq=0)
    _marks_write(db, key, before, after)


def rewrite(db: Session, version: Version, grown: int = 0) -> None:
    """The columns of a version that stays where it is, in the head too when it is there. `grown`: bytes more."""
    usage.count(db, version.bucket_id, 0, grown)
    where = (version.bucket_id, version.key)
    assignments = VALUE_COLUMNS.replace(",", " = ?,") + " = ?"
    values = version_values(version)
    db.execute(
        f"UPDATE obj_version SET {assignments} WHERE bucket_id = ? AND key = ? AND seq_down = ?",
        (*values, *where, SEQ_MAX - version.seq),
    )
    db.execute(
        f"UPDATE obj_head SET {assignments} WHERE bucket_id = ? AND key = ? AND seq = ?",
        (*values, *where, version.seq),
    )


def _forget(db: Session, version: Version) -> None:
    """Drop a version's row and release what it refers to."""
    db.execute(
        "DELETE FROM obj_version WHERE bucket_id = ? AND key = ? AND seq_down = ?",
        (version.bucket_id, version.key, SEQ_MAX - version.seq),
    )
    if version.delete_marker:
        return
    if version.part_count > 0:
        references.queue_release(db, version.ref_id, KIND_PARTS)
    else:
        references.content_release(db, version.ref_id)


def _placing_on_stack(db: Session, stack: Stack, version: Version) -> Placing:
    """In a bucket that has versioning, or had it."""
    head = stack.head
    before = _marks_read(db, (stack.bucket_id, stack.key))
    newest_seq = _newest_seq(db, stack) if head is None else head.seq
    seq = max(newest_seq, before.top_seq) + 1
    head_is_null = head is not None and head.version_id == NULL_VERSION
    if stack.versioning == _ENABLED:
        null_seq = newest_seq if head_is_null else before.null_seq
        return Placing(version._replace(seq=seq), stack, None, before, Marks(null_seq))
    placed = version._replace(version_id=NULL_VERSION, seq=seq)
    replaced = head
    if not head_is_null:
        replaced = versions.at_or_none(db, stack.bucket_id, stack.key, NULL_PLACE) if before.null_seq else None
    return Placing(placed, stack, replaced, before, Marks(seq if version.delete_marker else 0))


def _newest_seq(db: Session, stack: Stack) -> int:
    """Of a key without a current version: a delete marker may lie on top. 0 = no version at all."""
    row = db.execute(_NEWEST, (stack.bucket_id, stack.key)).fetchone()
    return 0 if row is None else SEQ_MAX - row[0]


def _head_drop(db: Session, bucket_id: BucketId, key: bytes) -> None:
    db.execute("DELETE FROM obj_head WHERE bucket_id = ? AND key = ?", (bucket_id, key))


def _marks_read(db: Session, key: tuple[BucketId, bytes]) -> Marks:
    row = db.execute("SELECT null_seq, top_seq FROM obj_stack WHERE bucket_id = ? AND key = ?", key).fetchone()
    return NO_MARKS if row is None else Marks(*row)


def _marks_write(db: Session, key: tuple[BucketId, bytes], before: Marks, after: Marks) -> None:
    if after == before:
        return
    if after == NO_MARKS:
        db.execute("DELETE FROM obj_stack WHERE bucket_id = ? AND key = ?", key)
    else:
        db.execute("REPLACE INTO obj_stack (bucket_id, key, null_seq, top_seq) VALUES (?, ?, ?, ?)", (*key, *after))
