"""SQL of what each bucket holds: objects and bytes, counted with every change of its versions.

Knows the counts' table and its slots. Must not know stacks. Statements only: a count is changed inside the transaction
that changes the versions, so that it is exact whenever it is read.
"""

from app.adapters.sql.session import Session
from app.core.types import BucketId, Usage

_COUNT = (
    "INSERT INTO bucket_usage (bucket_id, slot, objects, bytes) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (bucket_id, slot) DO UPDATE SET objects = objects + excluded.objects, bytes = bytes + excluded.bytes"
)
_OF_BUCKET = "SELECT coalesce(sum(objects), 0), coalesce(sum(bytes), 0) FROM bucket_usage WHERE bucket_id = ?"
_OF_OWNER = (
    "SELECT coalesce(sum(u.objects), 0), coalesce(sum(u.bytes), 0) FROM bucket b "
    "JOIN bucket_usage u ON u.bucket_id = b.bucket_id WHERE b.owner = ?"
)
_TRUE = "SELECT count(*), coalesce(sum(size), 0) FROM obj_version WHERE bucket_id = ?"


def count(db: Session, bucket_id: BucketId, objects: int, size: int) -> None:
    """So many objects and bytes more, or fewer."""
    if objects or size:
        db.execute(_COUNT, (bucket_id, db.usage_slot, objects, size))


def of_bucket(db: Session, bucket_id: BucketId) -> Usage:
    """Nothing for a bucket that is not there."""
    return _usage(db, _OF_BUCKET, bucket_id)


def of_owner(db: Session, owner: str) -> Usage:
    """Of all buckets of an account."""
    return _usage(db, _OF_OWNER, owner)


def recounted(db: Session, bucket_id: BucketId) -> Usage:
    """By looking at every version: for checks, not for requests."""
    return _usage(db, _TRUE, bucket_id)


def _usage(db: Session, statement: str, value: object) -> Usage:
    objects, size = db.execute(statement, (value,)).fetchall()[0]
    return Usage(int(objects), int(size))
