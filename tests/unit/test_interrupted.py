"""What is promised when a request, a clock or a device gives way in the middle: no loss, no leak, no torn answer."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from app.adapters.chunks.memory import MemoryStore
from app.core import limits
from app.core.errors import Missing, S3Error, Unavailable
from app.core.integrity import NOTHING
from app.core.s3.multipart import RequestedPart
from app.core.s3.wanted import NOTHING_WANTED
from app.core.types import BlobId
from app.ports.chunks import BlobName
from app.services.background.gc import Gc, GcSettings
from app.services.buckets.buckets import Birth
from app.services.call import Sources
from app.services.content.reading import Pieces
from app.services.objects.multipart import UploadTarget
from app.services.objects.objects import Incoming, Selection, Target
from tests.house import MIB, BytesBody, House, noise

KEY = Target("bucket", b"key")


class Disk(MemoryStore):
    """A device whose writes wait for `ready`, which refuses deletions while `broken` and counts its upkeep."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = Event()
        self.ready.set()
        self.reached = Event()
        self.broken: set[BlobId] = set()
        self.upkeep = 0

    def put(self, name: BlobName, data: memoryview) -> None:
        self.reached.set()
        self.ready.wait()
        super().put(name, data)

    def delete_many(self, blob_ids: list[BlobId]) -> list[bool]:
        if self.broken.issuperset(blob_ids):
            raise Unavailable("the device fails")
        return super().delete_many(blob_ids)

    def maintain(self) -> int:
        self.upkeep += 1
        return 0


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def house(tmp_path: Path, disk: Disk) -> Iterator[House]:
    made = House(tmp_path, disk)
    made.buckets.create(made.call(), "bucket", Birth())
    yield made
    made.close()


@contextmanager
def commits_held(directory: Path) -> Iterator[None]:
    """As if another process were in the middle of a long commit."""
    fd = os.open(directory / "zapfs.db.commit", os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def test_a_request_killed_while_its_commit_is_under_way_leaves_a_whole_object(house: House, tmp_path: Path) -> None:
    data = noise(MIB)
    with commits_held(tmp_path):
        putting = gevent.spawn(house.put, b"key", data)
        while not house.blob_count():
            gevent.sleep(0.001)
        gevent.sleep(0.01)
        putting.kill()
    house.store.lease_take("after", "the commit", 0, 1)
    assert house.get(b"key") == data
    house.check()


def test_a_request_killed_while_it_cleans_up_keeps_its_buffer_until_nobody_reads_it(house: House, disk: Disk) -> None:
    disk.ready.clear()
    incoming = Incoming(BytesBody(noise(20 * MIB), end=9 * MIB), NOTHING)
    putting = gevent.spawn(house.objects.put, house.call(), KEY, NOTHING_WANTED, incoming)
    disk.reached.wait()
    gevent.sleep(0.1)
    putting.kill(block=False)
    gevent.sleep(0.01)
    assert house.pool.lent_bytes == 2 * limits.CHUNK_BYTES_MAX
    disk.ready.set()
    putting.join()
    assert house.pool.lent_bytes == 0
    assert house.store.gc_counts().intents == 0


def test_a_clock_that_jumps_ahead_costs_an_upload_under_way_nothing_but_a_retry(house: House) -> None:
    """Its blob looks old enough for an orphan then."""
    data = noise(MIB)

    class Slow(BytesBody):
        """The commit comes after the sweep: asking for the byte behind the body is the last thing before it."""

        def receive(self, view: memoryview) -> int:
            got = super().receive(view)
            if not got:
                house.later(2 * limits.ORPHAN_SECONDS_MIN)
                assert house.gc.run(hurry=True).orphans_queued == 1
                assert house.gc.run(hurry=True).blobs_removed == 0
            return got

    with pytest.raises(S3Error, match="SlowDown"):
        house.objects.put(house.call(), KEY, NOTHING_WANTED, Incoming(Slow(data), NOTHING))
    assert house.put(b"key", data)
    house.later(limits.ORPHAN_SECONDS_MIN)
    house.gc.run()
    assert house.get(b"key") == data
    assert house.blob_count() == 1
    house.check()


def test_an_orphan_leaves_in_the_end(house: House, disk: Disk) -> None:
    disk.put(BlobName(house.sources.new_id(), bytes(32), bytes(16)), memoryview(b"orphan"))
    house.later(2 * limits.ORPHAN_SECONDS_MIN)
    house.gc.run()
    house.later(2 * limits.ORPHAN_SECONDS_MIN)
    house.gc.run()
    assert house.blob_count() == 0
    assert house.store.gc_counts().blobs_waiting == 0


def test_a_read_of_many_parts_ends_whole_though_the_object_is_replaced_and_swept(house: House) -> None:
    parts = [noise(5 * MIB, seed) for seed in range(1, 5)]
    upload = house.multipart.create(house.call(), KEY, NOTHING_WANTED, "", "")
    target = UploadTarget(KEY, upload.upload_id.hex())
    chosen = []
    for number, data in enumerate(parts, 1):
        part = house.multipart.upload_part(house.call(), target, number, Incoming(BytesBody(data), NOTHING)).part
        chosen.append(RequestedPart(number, part.etag))
    house.multipart.complete(house.call(), target, chosen, None)
    read = house.objects.get(house.call(), KEY, Selection())
    assert read.pieces is not None
    pieces = iter(read.pieces)
    got = bytes(next(pieces))  # type: ignore[arg-type]
    house.put(b"key", b"another")
    house.gc.run()
    assert got + b"".join(bytes(piece) for piece in pieces) == b"".join(parts)  # type: ignore[arg-type]
    read.pieces.close()
    house.later(400)
    house.gc.run()
    assert house.blob_count() == 0


def test_a_read_that_began_after_the_sweep_did_keeps_what_the_same_sweep_releases(house: House) -> None:
    data = noise(20 * MIB)
    house.put(b"key", data)
    pieces: list[Pieces] = []

    def clock() -> int:
        """The sweep has hardly looked at it when a read begins and its object is replaced."""
        now_ms = house.now_ms
        if not pieces:
            house.later(1)
            read = house.objects.get(house.call(), KEY, Selection())
            assert read.pieces is not None
            pieces.append(read.pieces)
            house.board.publish(house.reading.oldest_ms())
            house.put(b"key", b"another")
        return now_ms

    sources = Sources(clock, house.sources.new_id)
    Gc(house.store, house.chunks, house.board, sources, GcSettings("test", 300_000)).run()
    house.later(3_600)
    house.gc.run(hurry=True)
    assert b"".join(bytes(piece) for piece in pieces[0]) == data  # type: ignore[arg-type]
    pieces[0].close()


def test_parts_released_under_a_reader_are_missing_and_not_damage(house: House) -> None:
    upload = house.multipart.create(house.call(), KEY, NOTHING_WANTED, "", "")
    target = UploadTarget(KEY, upload.upload_id.hex())
    chosen = []
    for number in (1, 2):
        incoming = Incoming(BytesBody(noise(5 * MIB, number)), NOTHING)
        chosen.append(
            RequestedPart(number, house.multipart.upload_part(house.call(), target, number, incoming).part.etag)
        )
    version = house.multipart.complete(house.call(), target, chosen, None).version
    slices = house.reading.contents(version)
    next(slices)
    house.put(b"key", b"another")
    house.gc.run()
    with pytest.raises(Missing):
        list(slices)


def test_blobs_a_device_fails_to_delete_keep_no_other_and_no_upkeep_waiting(
    house: House, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SWEEP_ROWS", 1)
    house.put(b"stuck", noise(MIB, 1))
    disk.broken = {name.blob_id for name in disk.names()}
    for key in (b"stuck", b"fine"):
        house.put(key, noise(MIB, len(key)))
        house.delete(key)
        house.gc.run()
        house.later(10)
    house.later(400)
    before = disk.upkeep
    with pytest.raises(Unavailable):
        house.gc.run()
    assert disk.upkeep == before + 1
    assert {name.blob_id for name in disk.names()} == disk.broken
