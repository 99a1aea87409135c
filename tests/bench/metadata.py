"""Durable inline commits and point reads of the metadata store: processes x greenlets on one database.

python -m tests.bench.metadata [--processes 4] [--greenlets 8] [--seconds 5] [--bytes 4096] [--directory DIR]
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
from pathlib import Path

from app.core.types import Attributes, Bucket, Checksum, Content, Version, Versioning
from app.ports.metadata import Commit

BUCKET = bytes(16)
ETAG = "0" * 32
OWNER = "o" * 64


def new_id() -> bytes:
    return int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10)


def commit_of(key: bytes, payload: bytes) -> Commit:
    ref_id = new_id()
    attributes = Attributes(headers={"content-type": "application/octet-stream"})
    checksum = Checksum("CRC32", "AAAAAA==")
    version = Version(BUCKET, key, new_id(), 0, ref_id, len(payload), ETAG, 1, OWNER, attributes, checksum)
    return Commit(version, Content(ref_id, len(payload), payload))


def work(path: str, options: argparse.Namespace) -> None:
    from gevent import monkey

    monkey.patch_all()
    import gevent

    from app.adapters.sql.store import SqliteStore

    store = SqliteStore(path)
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
            began = time.perf_counter()
            store.commit(commit_of(key, payload))
            latencies.append(time.perf_counter() - began)
            keys.append(key)

    gevent.joinall([gevent.spawn(put) for _ in range(options.greenlets)], raise_error=True)
    cpu = time.process_time() - cpu
    read = time.process_time()
    for key in keys[:5000]:
        store.current_with_content(BUCKET, key)
    read = (time.process_time() - read) / len(keys[:5000])
    store.close()
    answer = (latencies, cpu, read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    Path(f"{path}.answer.{os.getpid()}").write_text(json.dumps(answer))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--greenlets", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--bytes", type=int, default=4096)
    parser.add_argument("--versioning", type=Versioning, default=Versioning.OFF)
    parser.add_argument("--keys", type=int, default=None)
    parser.add_argument("--directory", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        run(str(Path(directory) / "zapfs.db"), options)


def run(path: str, options: argparse.Namespace) -> None:
    from app.adapters.sql.store import SqliteStore
    from migrations.run import migrate

    context = multiprocessing.get_context("fork")
    migrate(path)
    bucket = Bucket(BUCKET, "bench", OWNER, 1, "", options.versioning)
    setup = context.Process(target=lambda: SqliteStore(path).bucket_create(bucket))
    setup.start()
    setup.join()
    processes = [context.Process(target=work, args=(path, options)) for _ in range(options.processes)]
    for process in processes:
        process.start()
    wal = 0
    while any(process.is_alive() for process in processes):
        with contextlib.suppress(FileNotFoundError):
            wal = max(wal, os.stat(path + "-wal").st_size)
        time.sleep(0.05)
    answers = [json.loads(answer.read_text()) for answer in Path(path).parent.glob("*.answer.*")]
    latencies = sorted(one for answer in answers for one in answer[0])
    count = len(latencies)
    print(
        f"{options.processes}x{options.greenlets}, {options.bytes} B: {count / options.seconds:.0f} commits/s, "
        f"p50 {latencies[count // 2] * 1e3:.2f} ms, p99 {latencies[count * 99 // 100] * 1e3:.2f} ms, "
        f"max {latencies[-1] * 1e3:.0f} ms, CPU {sum(answer[1] for answer in answers) / count * 1e6:.0f} us a commit, "
        f"read {sum(answer[2] for answer in answers) / len(answers) * 1e6:.1f} us, log {wal / 2**20:.0f} MiB, "
        f"database {os.stat(path).st_size / count:.0f} B a key, rss {max(answer[3] for answer in answers) // 1024} MiB"
    )


if __name__ == "__main__":
    main()
