"""Pages of a listing over a million keys: milliseconds, rows and scans a page, against the naive way.

python -m tests.bench.listing [--keys 1000000] [--directory DIR]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.adapters.sql.rows import VALUE_COLUMNS
from app.adapters.sql.sqlite import connect
from app.adapters.sql.store import SqliteStore
from app.core.s3.listing import Query, list_page
from app.core.types import Bucket, Version
from migrations.run import migrate

BUCKET = bytes(16)
VALUES = (bytes(16), bytes(16), 4096, "0" * 32, 1, "o" * 64, "STANDARD", None, 0, None)
QUERIES = (
    ("root, delimiter /", Query(delimiter=b"/")),
    ("30 common prefixes over 300,000 keys", Query(prefix=b"logs/", delimiter=b"/")),
    ("1,000 of 100,000 small common prefixes", Query(prefix=b"users/", delimiter=b"/")),
    ("deep prefix, 1,000 keys", Query(prefix=b"logs/07/", delimiter=b"/")),
    ("flat, 1,000 of 400,000", Query(prefix=b"data/", delimiter=b"/", after=b"data/part-00200000")),
    ("no delimiter, from the start", Query()),
    ("no delimiter, from the middle", Query(after=b"logs/15/")),
)


def keys(count: int) -> Iterator[bytes]:
    """40 % in one flat folder, 30 % in 30 folders, 30 % in folders of three."""
    for number in range(count * 4 // 10):
        yield b"data/part-%08d" % number
    for number in range(count * 3 // 10):
        yield b"logs/%02d/%08d" % (number % 30, number // 30)
    for number in range(count * 3 // 10):
        yield b"users/%07d/%d" % (number // 3, number % 3)


def fill(path: Path, count: int) -> None:
    """Straight into the head table: the bench is about reading."""
    migrate(path)
    store = SqliteStore(path)
    store.bucket_create(Bucket(BUCKET, "bench", "o" * 64, 1))
    store.close()
    db = connect(path)
    db.execute("BEGIN IMMEDIATE")
    db.executemany(
        f"INSERT INTO obj_head (bucket_id, key, seq, {VALUE_COLUMNS}) VALUES (?, ?, 1{', ?' * len(VALUES)})",
        ((BUCKET, key, *VALUES) for key in sorted(keys(count))),
    )
    db.execute("COMMIT")
    db.close()


def measure(store: SqliteStore, name: str, query: Query) -> None:
    rows = scans = 0

    def scan(start: bytes, inclusive: bool, stop: bytes | None, limit: int) -> list[Version]:
        nonlocal rows, scans
        found = store.currents_scan(BUCKET, start, inclusive, stop, limit)
        rows, scans = rows + len(found), scans + 1
        return found

    times = []
    for _ in range(9):
        rows = scans = 0
        began = time.perf_counter()
        page = list_page(scan, query)
        times.append(time.perf_counter() - began)
    print(
        f"{name:42} {sorted(times)[4] * 1e3:7.2f} ms  {len(page.items):5} keys  {len(page.prefixes):5} prefixes"
        f"  {rows:5} rows  {scans:3} scans"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--directory", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        path = Path(directory) / "zapfs.db"
        fill(path, options.keys)
        store = SqliteStore(path)
        for name, query in QUERIES:
            measure(store, name, query)
        store.close()


if __name__ == "__main__":
    main()
