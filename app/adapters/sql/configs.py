"""SQL of the configurations a bucket has several of by name. Statements only: transactions are the caller's.

Those of which it has one are columns of the bucket as far as callers see, and the room of `buckets`.
"""

from app.adapters.sql import buckets
from app.adapters.sql.session import Session
from app.core.errors import Conflict, Missing
from app.core.types import BucketId


def scan(db: Session, bucket_id: BucketId, kind: str, after: str, limit: int) -> list[tuple[str, bytes]]:
    """By name, names > `after`."""
    return db.execute(
        "SELECT name, document FROM bucket_config WHERE bucket_id = ? AND kind = ? AND name > ? ORDER BY name LIMIT ?",
        (bucket_id, kind, after, limit),
    ).fetchall()


def get(db: Session, bucket_id: BucketId, kind: str, name: str) -> bytes:
    """Missing when there is none."""
    row = db.execute(
        "SELECT document FROM bucket_config WHERE bucket_id = ? AND kind = ? AND name = ?", (bucket_id, kind, name)
    ).fetchone()
    if row is None:
        raise Missing(f"no {kind} configuration {name}")
    return bytes(row[0])


def put(db: Session, bucket_id: BucketId, kind: str, name: str, document: bytes, limit: int) -> None:
    """Conflict when `limit` others of the kind are there; Missing when the bucket is gone."""
    buckets.require(db, bucket_id)
    ((others,),) = db.execute(
        "SELECT count(*) FROM bucket_config WHERE bucket_id = ? AND kind = ? AND name <> ? AND name <> ''",
        (bucket_id, kind, name),
    ).fetchall()
    if others >= limit:
        raise Conflict(f"the bucket has {others} {kind} configurations already")
    db.execute(
        "REPLACE INTO bucket_config (bucket_id, kind, name, document) VALUES (?, ?, ?, ?)",
        (bucket_id, kind, name, document),
    )


def delete(db: Session, bucket_id: BucketId, kind: str, name: str) -> None:
    """Missing when there is none."""
    gone = db.execute(
        "DELETE FROM bucket_config WHERE bucket_id = ? AND kind = ? AND name = ?", (bucket_id, kind, name)
    )
    if gone.rowcount != 1:
        raise Missing(f"no {kind} configuration {name}")
