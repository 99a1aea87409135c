"""Durable inline commits and point reads of the metadata store: processes x greenlets on one database.

python -m tests.bench.metadata [--processes 4] [--greenlets 8] [--seconds 5] [--bytes 4096] [--directory DIR]
    [--on mariadb]                    a server started for it; SQLite when not given
    [--chunks 4]                      so many chunks of each object's own instead of inline bytes
    [--versioning Enabled --keys 8]   in a bucket with versioning, on so few keys that their stacks grow deep
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gevent

from app.adapters.sql.mysql.store import MysqlStore
from app.adapters.sql.store import SqliteStore, SqlStore
from app.core.types import Attributes, Bucket, Checksum, ChunkEntry, Content, Version, Versioning
from app.ports.metadata import Commit
from migrations.run import migrate
from tests import mariadb

BUCKET = bytes(16)
ETAG = "0" * 32
MARIADB = ("--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G")  # as much as one would give it
OWNER = "o" * 64


def new_id() -> bytes:
    return int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10)


def commit_of(key: bytes, options: argparse.Namespace, payload: bytes) -> Commit:
    ref_id = new_id()
    attributes = Attributes(headers={"content-type": "application/octet-stream"})
    checksum = Checksum("CRC32", "AAAAAA==")
    version = Version(BUCKET, key, new_id(), 0, ref_id, len(payload), ETAG, 1, OWNER, attributes, checksum)
    if not options.chunks:
        return Commit(version, Content(ref_id, len(payload), payload))
    entries = tuple(ChunkEntry(os.urandom(32), new_id(), 8 << 20) for _ in range(options.chunks))
    size = options.chunks * (8 << 20)
    mine = frozenset(entry.chunk_id for entry in entries)
    return Commit(version._replace(size=size), Content(ref_id, size, None, entries), None, mine)


def opened(where: str, options: argparse.Namespace) -> SqlStore:
    return MysqlStore(where, options.greenlets) if where.startswith("mysql:") else SqliteStore(where)


def work(where: str, answers: str, options: argparse.Namespace) -> None:
    store = opened(where, options)
    payload = os.urandom(options.bytes)
    latencies: list[float] = []
    keys: list[bytes] = []
    time.sleep(0.3)
    end = time.monotonic() + options.seconds
    cpu = time.process_time()

    def put() -> None:
        while time.monotonic() < end:
            name = os.urandom(8) if options.keys is None else bytes([os.urandom(1)[0] % options.keys])
            key = b"bench/" + name.hex().encode()
            ask = commit_of(key, options, payload)
            began = time.perf_counter()
            store.commit(ask)
            latencies.append(time.perf_counter() - began)
            keys.append(key)

    gevent.joinall([gevent.spawn(put) for _ in range(options.greenlets)], raise_error=True)
    cpu = time.process_time() - cpu
    read, read_cpu = timed(lambda key: store.current_with_content(BUCKET, key), keys[:5000], options.greenlets)
    listed, _ = timed(lambda key: store.currents_scan(BUCKET, key, True, None, 1_000), sorted(keys)[:50], 1)
    store.close()
    answer = (latencies, cpu, read, read_cpu, listed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    (Path(answers) / f"answer.{os.getpid()}").write_text(json.dumps(answer))


def timed(call: Callable[[bytes], object], keys: list[bytes], greenlets: int) -> tuple[float, float]:
    """Calls a second, and seconds of CPU of one."""
    began, cpu = time.perf_counter(), time.process_time()

    def share(first: int) -> None:
        for key in keys[first::greenlets]:
            call(key)

    gevent.joinall([gevent.spawn(share, first) for first in range(greenlets)], raise_error=True)
    return len(keys) / (time.perf_counter() - began), (time.process_time() - cpu) / len(keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--greenlets", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--bytes", type=int, default=4096)
    parser.add_argument("--versioning", type=Versioning, default=Versioning.OFF)
    parser.add_argument("--keys", type=int, default=None)
    parser.add_argument("--directory", default=None)
    parser.add_argument("--on", choices=["sqlite", "mariadb"], default="sqlite")
    parser.add_argument("--chunks", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        if options.on == "mariadb":
            run(mariadb.shared(*MARIADB).url(), directory, options)
        else:
            migrate(Path(directory) / "zapfs.db")
            run(str(Path(directory) / "zapfs.db"), directory, options)


def run(where: str, directory: str, options: argparse.Namespace) -> None:
    context = multiprocessing.get_context("spawn")
    store = opened(where, options)
    store.bucket_create(Bucket(BUCKET, "bench", OWNER, 1, "", options.versioning))
    store.close()
    processes = [context.Process(target=work, args=(where, directory, options)) for _ in range(options.processes)]
    for process in processes:
        process.start()
    wal = 0
    while any(process.is_alive() for process in processes):
        with contextlib.suppress(FileNotFoundError):
            wal = max(wal, os.stat(where + "-wal").st_size)
        time.sleep(0.05)
    answers = [json.loads(answer.read_text()) for answer in Path(directory).glob("answer.*")]
    latencies = sorted(one for answer in answers for one in answer[0])
    count = len(latencies)
    print(
        f"{options.on}, {options.processes}x{options.greenlets}, {options.bytes} B: "
        f"{count / options.seconds:.0f} commits/s, "
        f"p50 {latencies[count // 2] * 1e3:.2f} ms, p99 {latencies[count * 99 // 100] * 1e3:.2f} ms, "
        f"max {latencies[-1] * 1e3:.0f} ms, CPU {sum(answer[1] for answer in answers) / count * 1e6:.0f} us a commit, "
        f"{sum(answer[2] for answer in answers):.0f} reads/s of "
        f"{sum(answer[3] for answer in answers) / len(answers) * 1e6:.0f} us CPU, "
        f"a list of 1,000 {len(answers) / sum(answer[4] for answer in answers) * 1e3:.1f} ms, "
        f"log {wal / 2**20:.0f} MiB, rss {max(answer[5] for answer in answers) // 1024} MiB"
    )


if __name__ == "__main__":
    main()
