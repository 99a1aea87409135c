"""Work that must not grow with the depth of a stack, told by the steps SQLite's machine takes."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.sql import buckets, commits, versions
from app.adapters.sql.rows import SEQ_MAX, VALUE_COLUMNS
from app.adapters.sql.sqlite import connect
from app.core.types import NULL_PLACE, NULL_VERSION, Version, Versioning, VersionPlace
from migrations.run import migrate
from tests.contract.metadata import BUCKET, bucket, inline, marker, new_id

K = b"deep"
STEPS = 100  # the machine's steps are counted by so many
STEPS_MAX = 4_000  # of one operation; a walk over the stack would take a million


def seq_id(seq: int) -> bytes:
    return seq.to_bytes(16, "big")


def deep(path: Path, depth: int) -> sqlite3.Connection:
    """A stack of `depth` versions over the null version; straight into the tables, as commits would leave it."""
    migrate(path)
    db = connect(path)
    db.execute("BEGIN")
    buckets.create(db, replace(bucket(), versioning=Versioning.ENABLED))
    row = (b"r" * 16, 4, "e" * 32, 5, "o" * 64, "STANDARD", None, 0, None)
    marks = ", ".join("?" * (len(row) + 4))
    db.executemany(
        f"INSERT INTO obj_version (bucket_id, key, seq_down, {VALUE_COLUMNS}, delete_marker) VALUES ({marks}, 0)",
        ((BUCKET, K, SEQ_MAX - seq, seq_id(seq) if seq > 1 else NULL_VERSION, *row) for seq in range(1, depth + 1)),
    )
    db.execute(
        f"INSERT INTO obj_head (bucket_id, key, seq, {VALUE_COLUMNS}) VALUES ({marks})",
        (BUCKET, K, depth, seq_id(depth), *row),
    )
    db.execute("INSERT INTO obj_stack (bucket_id, key, null_seq, top_seq) VALUES (?, ?, 1, 0)", (BUCKET, K))
    db.execute("COMMIT")
    return db


DEPTH = 100_000


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    connection = deep(tmp_path_factory.mktemp("deep") / "zapfs.db", DEPTH)
    yield connection
    connection.close()


def middle() -> VersionPlace:
    return VersionPlace(DEPTH // 2, seq_id(DEPTH // 2))


def put(db: sqlite3.Connection) -> Version:
    ask = inline(K)
    return commits.commit(db, ask._replace(version=ask.version._replace(version_id=new_id())))


def remove(db: sqlite3.Connection, place: VersionPlace) -> None:
    assert commits.delete_version(db, BUCKET, K, place, None, None) is not None


def delete_and_uncover(db: sqlite3.Connection) -> None:
    made = commits.delete_current(db, marker(K), None, None, None).marker
    assert made is not None
    remove(db, VersionPlace(made.seq, made.version_id))


def suspended_put(db: sqlite3.Connection) -> None:
    buckets.amend(db, BUCKET, lambda one: replace(one, versioning=Versioning.SUSPENDED))
    assert put(db).version_id == NULL_VERSION


OPERATIONS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "read the current version": lambda db: versions.current_with_content(db, BUCKET, K),
    "read the newest row": lambda db: versions.newest(db, BUCKET, K),
    "read a version in the middle": lambda db: versions.at_with_content(db, BUCKET, K, middle()),
    "read the null version": lambda db: versions.at(db, BUCKET, K, NULL_PLACE),
    "list ten in the middle": lambda db: versions.scan_all(db, BUCKET, K, DEPTH // 2, None, 10),
    "list past the key": lambda db: versions.scan_all(db, BUCKET, K, 0, None, 10),
    "list current versions": lambda db: versions.scan(db, BUCKET, b"", True, None, 10),
    "walk on from the middle": lambda db: versions.walk(db, (BUCKET, K, DEPTH // 2), 10),
    "commit on top": put,
    "commit over the null version": suspended_put,
    "remove the top": lambda db: remove(db, VersionPlace(DEPTH, seq_id(DEPTH))),
    "remove from the middle": lambda db: remove(db, middle()),
    "remove the null version": lambda db: remove(db, NULL_PLACE),
    "put a marker and remove it": delete_and_uncover,
    "amend in the middle": lambda db: commits.version_amend(db, BUCKET, K, middle(), lambda one: one.attributes),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_the_work_on_a_stack_of_a_hundred_thousand_is_bounded(
    db: sqlite3.Connection, operation: Callable[[sqlite3.Connection], object]
) -> None:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += STEPS
        return 0

    db.execute("BEGIN IMMEDIATE")
    try:
        db.set_progress_handler(count, STEPS)
        operation(db)
    finally:
        db.set_progress_handler(None, 0)
        db.execute("ROLLBACK")
    assert steps < STEPS_MAX
