"""Speed of the local chunk store beside the disk's own: `python -m tests.bench.chunks [DIR]`.

Prints one line per figure. The raw reference is written in the same run, because the disk may be shared.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

from app.adapters.chunks.disk import Device
from app.adapters.chunks.recovery import recover
from app.adapters.chunks.store import SegmentStore
from app.core.limits import MIB
from app.ports.chunks import BlobName
from app.runtime.offload import Offload


def fresh_name() -> BlobName:
    return BlobName(os.urandom(16), os.urandom(32), os.urandom(16))


def writer(root: str, size: int, greenlets: int, seconds: float, results: "multiprocessing.Queue[tuple]") -> None:
    import gevent

    offload = Offload(8)
    store = SegmentStore(Device(Path(root)), offload)
    data = memoryview(os.urandom(size))
    times: list[float] = []
    end = time.perf_counter() + seconds

    def work() -> None:
        while (start := time.perf_counter()) < end:
            store.put(fresh_name(), data)
            times.append(time.perf_counter() - start)

    cpu = time.process_time()
    gevent.joinall([gevent.spawn(work) for _ in range(greenlets)], raise_error=True)
    results.put((len(times), sorted(times), time.process_time() - cpu))
    store.close()
    offload.close()


def puts(root: str, size: int, processes: int, greenlets: int, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=writer, args=(root, size, greenlets, seconds, results)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    found = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    count = sum(item[0] for item in found)
    times = sorted(t for item in found for t in item[1])
    cpu = sum(item[2] for item in found) / count
    print(
        f"put {size >> 10} KiB, {processes} x {greenlets}: {count / seconds:.0f}/s, "
        f"{count * size / seconds / MIB:.0f} MiB/s, p50 {times[len(times) // 2] * 1e3:.2f} ms, "
        f"p99 {times[int(len(times) * 0.99)] * 1e3:.2f} ms, cpu {cpu * 1e6:.0f} us/op"
    )


def raw(root: str, size: int, seconds: float) -> None:
    data = os.urandom(size)
    path = f"{root}/raw"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        os.write(fd, data)
        os.fdatasync(fd)
        done += 1
    os.close(fd)
    os.unlink(path)
    print(f"raw write + fdatasync {size >> 10} KiB: {done / seconds:.0f}/s, {done * size / seconds / MIB:.0f} MiB/s")


def per_call(name: str, function, count: int) -> None:
    start = time.perf_counter()
    for _ in range(count):
        function()
    print(f"{name}: {(time.perf_counter() - start) / count * 1e6:.1f} us")


def reads(root: str) -> None:
    offload = Offload(8)
    store = SegmentStore(Device(Path(root)), offload)
    small, large = fresh_name(), fresh_name()
    store.put(small, memoryview(os.urandom(65536)))
    store.put(large, memoryview(os.urandom(8 * MIB)))

    def read_small() -> None:
        with store.open(small.blob_id) as reader:
            reader.read(0, 65536)

    def span(name: BlobName, cold: bool) -> None:
        with store.open(name.blob_id) as reader:
            if cold:
                reader._blocks.good = 0
            reader.span(0, reader.length)

    def read_large() -> None:
        with store.open(large.blob_id) as reader:
            reader.read(0, 8 * MIB)

    per_call("open + close", lambda: store.open(small.blob_id).close(), 5000)
    per_call("open + read 64 KiB + close", read_small, 5000)
    per_call("open + span 64 KiB unverified + close", lambda: span(small, True), 2000)
    per_call("open + span 64 KiB verified + close", lambda: span(small, False), 5000)
    per_call("open + span 8 MiB unverified + close", lambda: span(large, True), 50)
    per_call("open + span 8 MiB verified + close", lambda: span(large, False), 5000)
    per_call("open + read 8 MiB + close", read_large, 50)
    per_call("put 64 KiB alone", lambda: store.put(fresh_name(), memoryview(bytes(65536))), 200)
    names = [name.blob_id for name in list(store.names())[:256]]
    start = time.perf_counter()
    store.delete_many(names)
    print(f"delete_many of {len(names)}: {(time.perf_counter() - start) * 1e3:.1f} ms")
    store.close()
    offload.close()


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as root:
        recover(Path(root))
        raw(root, 65536, 2)
        puts(root, 65536, 4, 8, 3)
        puts(root, 65536, 1, 8, 2)
        raw(root, 8 * MIB, 2)
        puts(root, 8 * MIB, 1, 4, 2)
        puts(root, 8 * MIB, 4, 4, 3)
        reads(root)


if __name__ == "__main__":
    main()
