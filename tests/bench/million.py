"""A bucket of a million keys, made through the metadata adapter while no server runs.

Knows the adapter, since a million PUTs would say nothing new and take minutes. Runs in a process of its own, because
the adapter belongs to a worker's green threads: `python -m tests.bench.million DATABASE OWNER COUNT`.
"""

import hashlib
import sys
import time

GREENLETS = 256
BUCKET = "million"


def name_of(number: int) -> str:
    """Half of the keys lie below ten prefixes, half are flat."""
    return f"dir{number % 10}/{number:07}" if number % 2 else f"flat-{number:07}"


def load(database: str, owner: str, count: int) -> None:
    """Create the bucket and its objects, each of one inline byte."""
    from gevent import monkey

    monkey.patch_all()
    from gevent.pool import Pool

    from app.adapters.sql.store import SqliteStore
    from app.core.ids import make_id
    from app.core.types import NULL_VERSION, Bucket, Content, Version
    from app.ports.metadata import Commit

    now_ms = time.time_ns() // 1_000_000
    store = SqliteStore(database)
    bucket_id = make_id(now_ms, bytes(10))
    etag = hashlib.md5(b"x", usedforsecurity=False).hexdigest()

    def put(number: int) -> None:
        ref_id = make_id(now_ms, number.to_bytes(10, "big"))
        key = name_of(number).encode()
        version = Version(bucket_id, key, NULL_VERSION, 0, ref_id, 1, etag, now_ms, owner)
        store.commit(Commit(version, Content(ref_id, 1, b"x")))

    try:
        store.bucket_create(Bucket(bucket_id, BUCKET, owner, now_ms))
        pool = Pool(GREENLETS)
        for _ in pool.imap_unordered(put, range(count), maxsize=GREENLETS):
            pass
    finally:
        store.close()


if __name__ == "__main__":
    load(sys.argv[1], sys.argv[2], int(sys.argv[3]))
