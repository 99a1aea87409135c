"""SQL of the bucket namespace. Statements only: transactions and durability are the caller's.

A bucket is its row and the documents of the configurations it has one of; both are read in one statement, so that a
reader without a transaction never sees half a change.
"""

from collections.abc import Callable, Mapping
from itertools import groupby
from operator import itemgetter

from app.adapters.sql.rows import BUCKET_COLUMNS, Row, bucket_of, bucket_row
from app.adapters.sql.session import LOCKED, Session
from app.core.errors import Conflict, Missing
from app.core.types import Bucket, BucketId, Versioning

_COLUMNS = ", ".join(f"b.{name}" for name in BUCKET_COLUMNS.split(", "))
_WIDTH = BUCKET_COLUMNS.count(",") + 1
_READ = (  # the index is named because the planner prefers the key, and would step over every named document
    f"SELECT {_COLUMNS}, c.kind, c.document FROM {{rows}} b "
    "LEFT JOIN bucket_config c INDEXED BY bucket_config_single ON c.bucket_id = b.bucket_id AND c.name = ''"
)


def create(db: Session, bucket: Bucket) -> None:
    """Conflict when the name is taken."""
    taken = db.execute("SELECT 1 FROM bucket WHERE name = ?", (bucket.name,)).fetchone()
    if taken is not None:
        raise Conflict(f"bucket name taken: {bucket.name}")
    db.execute(f"INSERT INTO bucket ({BUCKET_COLUMNS}) VALUES (?{', ?' * (_WIDTH - 1)})", bucket_row(bucket))
    _configs_write(db, bucket.bucket_id, {}, bucket.configs)


def get(db: Session, name: str) -> Bucket:
    """Missing when there is none."""
    return _one(db, "b.name = ?", name)


def require(db: Session, bucket_id: BucketId, lock: str = LOCKED) -> None:
    """Missing when the bucket is gone; from here on it stays as it is (`lock`: LOCKED or SHARED)."""
    if db.execute(f"SELECT 1 FROM bucket WHERE bucket_id = ?{lock}", (bucket_id,)).fetchone() is None:
        raise Missing("the bucket is gone")


def amend(db: Session, bucket_id: BucketId, change: Callable[[Bucket], Bucket]) -> Bucket:
    """Write versioning, object lock and configurations as `change` gives them; returns the bucket as it is now.

    Missing when it is gone; Conflict where versioning would be off again: the stacks are there for good.
    """
    require(db, bucket_id)
    before = _one(db, "b.bucket_id = ?", bucket_id)
    wanted = change(before)
    if wanted.versioning is Versioning.OFF is not before.versioning:
        raise Conflict("versioning is suspended, never off again")
    locked = before.object_lock or wanted.object_lock
    if (wanted.versioning, locked) != (before.versioning, before.object_lock):
        db.execute(
            "UPDATE bucket SET versioning = ?, object_lock = ? WHERE bucket_id = ?",
            (wanted.versioning.value, locked, bucket_id),
        )
    _configs_write(db, bucket_id, before.configs, wanted.configs)
    return _one(db, "b.bucket_id = ?", bucket_id)


def delete(db: Session, bucket_id: BucketId) -> None:
    """Conflict while a version or an upload is left; Missing when there is no such bucket."""
    require(db, bucket_id)
    for table in ("obj_version", "upload"):
        if db.execute(f"SELECT 1 FROM {table} WHERE bucket_id = ? LIMIT 1", (bucket_id,)).fetchone() is not None:
            raise Conflict(f"the bucket is not empty: {table}")
    for table in ("bucket_usage", "bucket_config", "bucket"):
        db.execute(f"DELETE FROM {table} WHERE bucket_id = ?", (bucket_id,))


def scan(db: Session, owner: str, prefix: str, after: str, limit: int) -> list[Bucket]:
    """By name, names > `after` that start with `prefix`; owner "" = everybody's."""
    chosen = "SELECT * FROM bucket WHERE name > ? AND name >= ? AND name < ?"
    values: list[object] = [after, prefix, prefix + "\U0010ffff"]
    if owner:
        chosen += " AND owner = ?"
        values.append(owner)
    rows = f"({chosen} ORDER BY name LIMIT ?)"
    found = db.execute(_READ.format(rows=rows) + " ORDER BY b.name", (*values, limit)).fetchall()
    return [_bucket(list(of_one)) for _, of_one in groupby(found, key=itemgetter(0))]


def _one(db: Session, where: str, value: object) -> Bucket:
    rows = db.execute(f"{_READ.format(rows='bucket')} WHERE {where}", (value,)).fetchall()
    if not rows:
        raise Missing("no such bucket")
    return _bucket(rows)


def _bucket(rows: list[Row]) -> Bucket:
    """From the joined rows of one bucket; without a configuration there is one row, whose kind is NULL."""
    configs = {row[-2]: row[-1] for row in rows if row[-2] is not None}
    return bucket_of(rows[0][:_WIDTH], configs)


def _configs_write(db: Session, bucket_id: BucketId, before: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> None:
    """The difference only."""
    for kind in before.keys() - wanted.keys():
        db.execute("DELETE FROM bucket_config WHERE bucket_id = ? AND kind = ? AND name = ''", (bucket_id, kind))
    db.executemany(
        "REPLACE INTO bucket_config (bucket_id, kind, name, document) VALUES (?, ?, '', ?)",
        [(bucket_id, kind, wanted[kind]) for kind in wanted if before.get(kind) != wanted[kind]],
    )
