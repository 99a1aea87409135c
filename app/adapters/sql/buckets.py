"""SQL of the bucket namespace and of leases. Statements only: transactions and durability are the caller's."""

from sqlite3 import Connection

from app.adapters.sql.rows import BUCKET_COLUMNS, bucket_of, bucket_row
from app.core.errors import Conflict, Missing
from app.core.types import Bucket, BucketId


def create(db: Connection, bucket: Bucket) -> None:
    """Conflict when the name is taken."""
    taken = db.execute("SELECT 1 FROM bucket WHERE name = ?", (bucket.name,)).fetchone()
    if taken is not None:
        raise Conflict(f"bucket name taken: {bucket.name}")
    db.execute(f"INSERT INTO bucket ({BUCKET_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", bucket_row(bucket))


def get(db: Connection, name: str) -> Bucket:
    """Missing when there is none."""
    row = db.execute(f"SELECT {BUCKET_COLUMNS} FROM bucket WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise Missing(f"no bucket {name}")
    return bucket_of(row)


def require(db: Connection, bucket_id: BucketId) -> None:
    """Missing when the bucket is gone."""
    if db.execute("SELECT 1 FROM bucket WHERE bucket_id = ?", (bucket_id,)).fetchone() is None:
        raise Missing("the bucket is gone")


def delete(db: Connection, bucket_id: BucketId) -> None:
    """Conflict while a version or an upload is left; Missing when there is no such bucket."""
    require(db, bucket_id)
    for table in ("obj_version", "upload"):
        if db.execute(f"SELECT 1 FROM {table} WHERE bucket_id = ? LIMIT 1", (bucket_id,)).fetchone() is not None:
            raise Conflict(f"the bucket is not empty: {table}")
    db.execute("DELETE FROM bucket WHERE bucket_id = ?", (bucket_id,))


def scan(db: Connection, owner: str, prefix: str, after: str, limit: int) -> list[Bucket]:
    """By name, names > `after` that start with `prefix`; owner "" = everybody's."""
    statement = f"SELECT {BUCKET_COLUMNS} FROM bucket WHERE name > ? AND name >= ? AND name < ?"
    values: list[object] = [after, prefix, prefix + "\U0010ffff"]
    if owner:
        statement += " AND owner = ?"
        values.append(owner)
    rows = db.execute(statement + " ORDER BY name LIMIT ?", (*values, limit))
    return [bucket_of(row) for row in rows.fetchall()]


def lease_take(db: Connection, name: str, holder: str, now_ms: int, ttl_ms: int) -> bool:
    """One upsert: the lease is free, over, or the holder's own."""
    taken = db.execute(
        "INSERT INTO lease (name, holder, expires_ms) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
        "holder = excluded.holder, expires_ms = excluded.expires_ms "
        "WHERE lease.holder = excluded.holder OR lease.expires_ms <= ?",
        (name, holder, now_ms + ttl_ms, now_ms),
    )
    return taken.rowcount == 1
