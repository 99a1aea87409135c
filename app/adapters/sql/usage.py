"""SQL of what each bucket holds: objects and bytes, counted with every change of its versions and parts.

Knows the counts' table and its slots. Must not know stacks. Statements only: a count is changed inside the transaction
that changes what is counted, so that it is exact whenever it is read.
"""

from app.adapters.sql.session import Session
from app.core.types import BucketId, RefId, Usage

_COUNT = (
    "INSERT INTO bucket_usage (bucket_id, slot, objects, bytes, part_bytes) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (bucket_id, slot) DO UPDATE SET objects = objects + excluded.objects, bytes = bytes + excluded.bytes, "
    "part_bytes = part_bytes + excluded.part_bytes"
)
_SUMS = "SELECT coalesce(sum(u.objects), 0), coalesce(sum(u.bytes), 0), coalesce(sum(u.part_bytes), 0) FROM "
_OF_BUCKET = f"{_SUMS}bucket_usage u WHERE u.bucket_id = ?"
_OF_OWNER = f"{_SUMS}bucket b JOIN bucket_usage u ON u.bucket_id = b.bucket_id WHERE b.owner = ?"
_VERSIONS = "SELECT count(*), coalesce(sum(size), 0) FROM obj_version WHERE bucket_id = ?"
_PARTS = "SELECT coalesce(sum(p.size), 0) FROM upload u JOIN part p ON p.upload_id = u.upload_id WHERE u.bucket_id = ?"
_PARTS_OF_ONE = "SELECT coalesce(sum(size), 0) FROM part WHERE upload_id = ?"


def count(db: Session, bucket_id: BucketId, objects: int, size: int) -> None:
    """So many objects and bytes more, or fewer."""
    if objects or size:
        db.execute(_COUNT, (bucket_id, db.usage_slot, objects, size, 0))


def count_parts(db: Session, bucket_id: BucketId, size: int) -> None:
    """So many bytes of parts more, or fewer."""
    if size:
        db.execute(_COUNT, (bucket_id, db.usage_slot, 0, 0, size))


def uncount_parts(db: Session, bucket_id: BucketId, upload_id: RefId) -> None:
    """An upload ends: its parts, at most 10,000, become a version's, or nobody's."""
    ((size,),) = db.execute(_PARTS_OF_ONE, (upload_id,)).fetchall()
    count_parts(db, bucket_id, -int(size))


def of_bucket(db: Session, bucket_id: BucketId) -> Usage:
    """Nothing for a bucket that is not there."""
    return _usage(db, _OF_BUCKET, bucket_id)


def of_owner(db: Session, owner: str) -> Usage:
    """Of all buckets of an account."""
    return _usage(db, _OF_OWNER, owner)


def recounted(db: Session, bucket_id: BucketId) -> Usage:
    """By looking at every version and part: for checks, not for requests."""
    versions, parts = db.execute(_VERSIONS, (bucket_id,)), db.execute(_PARTS, (bucket_id,))
    objects, size = versions.fetchall()[0]
    return Usage(int(objects), int(size), int(parts.fetchall()[0][0]))


def _usage(db: Session, statement: str, value: object) -> Usage:
    objects, size, part_bytes = db.execute(statement, (value,)).fetchall()[0]
    return Usage(int(objects), int(size), int(part_bytes))
