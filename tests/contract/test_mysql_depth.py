"""Work that must not grow with the depth of a stack, told by the rows MariaDB's storage engine was asked for."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from app.adapters.sql import buckets, sweeps
from app.adapters.sql.mysql import server
from app.adapters.sql.mysql.trips import Trips
from app.adapters.sql.rows import SEQ_MAX, VALUE_COLUMNS
from app.core.types import NULL_VERSION, Versioning
from tests import mariadb
from tests.contract import test_metadata_depth as depth
from tests.contract.metadata import BUCKET, bucket, chunk, new_id
from tests.contract.test_metadata_depth import K, seq_id

DEPTH = depth.DEPTH // 10
ROWS_MAX = 200  # of one operation
COUNTERS = "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%'"


@pytest.fixture(scope="module")
def trips() -> Iterator[Trips]:
    """A stack of DEPTH versions over the null version, and as many chunks and references; never committed."""
    mariadb.shared().wipe()
    connection = mariadb.shared().connect()
    db = Trips(connection)
    db.begin()
    buckets.create(db, replace(bucket(), versioning=Versioning.ENABLED))
    row = (b"r" * 16, 4, "e" * 32, 5, "o" * 64, "STANDARD", None, 0, None)
    marks = ", ".join("?" * (len(row) + 4))
    db.executemany(
        f"INSERT INTO obj_version (bucket_id, key, seq_down, {VALUE_COLUMNS}, delete_marker) VALUES ({marks}, 0)",
        [(BUCKET, K, SEQ_MAX - seq, seq_id(seq) if seq > 1 else NULL_VERSION, *row) for seq in range(1, DEPTH + 1)],
    )
    db.execute(
        f"INSERT INTO obj_head (bucket_id, key, seq, {VALUE_COLUMNS}) VALUES ({marks})",
        (BUCKET, K, DEPTH, seq_id(DEPTH), *row),
    )
    db.execute("INSERT INTO obj_stack (bucket_id, key, null_seq, top_seq) VALUES (?, ?, 1, 0)", (BUCKET, K))
    db.executemany(
        "INSERT INTO chunk_ref (chunk_id, ref_id) VALUES (?, ?)", [(chunk("c"), new_id()) for _ in range(DEPTH)]
    )
    db.send()
    yield db
    server.drop(connection)


def asked(db: Trips) -> int:
    return sum(int(count) for _, count in db.execute(COUNTERS))


@pytest.mark.parametrize("operation", depth.OPERATIONS.values(), ids=depth.OPERATIONS)
def test_the_rows_asked_for_on_a_deep_stack_are_bounded(
    trips: Trips, operation: Callable[[Trips], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth, "DEPTH", DEPTH)
    trips.execute("SAVEPOINT whole").fetchall()
    before = asked(trips)
    operation(trips)
    after = asked(trips)
    trips.execute("ROLLBACK TO whole").fetchall()
    assert after - before < ROWS_MAX


def test_the_scrub_goes_on_within_a_chunk_of_many_references(trips: Trips) -> None:
    before = asked(trips)
    sweeps.references_scrub_step(trips, (chunk("c"), b"\x80" * 16), 10)
    assert asked(trips) - before < ROWS_MAX
