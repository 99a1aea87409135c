"""The rules of the ChunkStore port, held by every implementation.

A store over the devices of a cluster differs from one of a single machine where the port says so: readers hold no
lease, a chunk is opened with its length, and what stats count is what lies on devices.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

import gevent
import pytest

from app.adapters.chunks.memory import MemoryStore
from app.adapters.chunks.segment_device import SegmentDevice
from app.core.errors import Conflict, Missing
from app.core.layout.profiles import ZSTD, Profile, erasure, replication
from app.core.limits import BLOCK_BYTES, CHUNK_BYTES_MAX
from app.ports.chunks import BlobName
from app.services.placing.store import PlacedStore
from tests.chunk_room import device_at, name_of, opened, payload_of
from tests.placed_room import placed, placed_name

LENGTHS = [1, 4095, 4096, 4097, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 77, CHUNK_BYTES_MAX]


PROFILE = 9
PLACED = {
    "one copy": replication(PROFILE, "S", 1),
    "two copies": replication(PROFILE, "S", 2),
    "three copies": replication(PROFILE, "S", 3),
    "three copies, zstd": replication(PROFILE, "S", 3, ZSTD),
    "2+1": erasure(PROFILE, "S", 2, 1),
    "4+2": erasure(PROFILE, "S", 4, 2),
    "4+2, zstd": erasure(PROFILE, "S", 4, 2, ZSTD),
}


IN_DIRECTORIES = {
    "three copies in directories": replication(PROFILE, "S", 3),
    "2+1 in directories": erasure(PROFILE, "S", 2, 1),
}


@pytest.fixture(params=["memory", "segments"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A store of one machine."""
    if request.param == "memory":
        yield MemoryStore()
        return
    with opened(device_at(tmp_path / "device")) as segments:
        yield segments


@contextmanager
def in_directories(profile: Profile, root: Path) -> Iterator[PlacedStore]:
    """A store over this node's own devices, whose copies leave by file spans."""
    with ExitStack() as held, placed(profile, profile.width, near=lambda number: True) as room:
        for number in room.devices:
            segments = held.enter_context(opened(device_at(root / f"{number}")))
            room.devices[number] = SegmentDevice(f"{number:032x}", segments)
        yield room.store


@pytest.fixture(params=["memory", "segments", *PLACED, *IN_DIRECTORIES])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Every store there is."""
    if request.param in PLACED:
        profile = PLACED[request.param]
        with placed(profile, profile.width + 1) as room:
            yield room.store
    elif request.param in IN_DIRECTORIES:
        with in_directories(IN_DIRECTORIES[request.param], tmp_path) as over_directories:
            yield over_directories
    elif request.param == "memory":
        yield MemoryStore()
    else:
        with opened(device_at(tmp_path / "device")) as segments:
            yield segments


def named(store: Any, number: int) -> BlobName:
    return placed_name(PROFILE, number) if isinstance(store, PlacedStore) else name_of(number)


def put(store: Any, number: int, length: int = 100) -> bytes:
    data = payload_of(number, length)
    store.put(named(store, number), memoryview(data))
    return data


def reading(store: Any, number: int, length: int = 100) -> Any:
    return store.open(named(store, number).blob_id, length)


def first_byte(store: Any, number: int) -> None:
    """Open a blob and read of it: a store may tell only then what is wrong."""
    with reading(store, number) as reader:
        reader.read(0, 1)


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_put_is_read_back_whole_and_in_spans(any_store: Any, length: int) -> None:
    data = put(any_store, 1, length)
    with reading(any_store, 1, length) as reader:
        assert reader.length == length
        assert reader.read(0, length) == data
        for start in {0, 1, length // 2, max(0, length - 1), max(0, min(length, BLOCK_BYTES) - 1)} - {length}:
            for stop in {start, start + 1, min(length, start + BLOCK_BYTES), length}:
                assert reader.read(start, stop - start) == data[start:stop]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_file_span_leads_to_the_same_bytes(any_store: Any, length: int) -> None:
    data = put(any_store, 1, length)
    with reading(any_store, 1, length) as reader:
        for start, count in {(0, length), (length // 3, length // 2), (length - 1, 1)}:
            span = reader.span(start, count)
            if span is not None:
                assert span.length == count
                assert os.pread(span.fd, span.length, span.offset) == data[start : start + count]


def test_a_blob_nobody_put_is_missing(any_store: Any) -> None:
    with pytest.raises(Missing):
        first_byte(any_store, 1)


def test_a_blob_id_is_used_once(any_store: Any) -> None:
    data = put(any_store, 1)
    with pytest.raises(Conflict):
        any_store.put(named(any_store, 1), memoryview(b"other"))
    with reading(any_store, 1) as reader:
        assert reader.read(0, reader.length) == data


def test_payloads_out_of_bounds_are_refused(any_store: Any) -> None:
    for length in (0, CHUNK_BYTES_MAX + 1):
        with pytest.raises(ValueError, match="a blob has"):
            any_store.put(named(any_store, 1), memoryview(bytes(length)))


def test_spans_out_of_bounds_are_refused(any_store: Any) -> None:
    put(any_store, 1, 100)
    with reading(any_store, 1) as reader:
        for offset, length in ((-1, 1), (0, 101), (100, 1), (0, -1)):
            with pytest.raises(ValueError, match="not within"):
                reader.read(offset, length)


def test_a_closed_reader_reads_no_more(any_store: Any) -> None:
    put(any_store, 1)
    reader = reading(any_store, 1)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(0, 1)


def test_deleted_means_missing_and_deleting_twice_is_fine(any_store: Any) -> None:
    put(any_store, 1)
    kept = put(any_store, 2)
    assert any_store.delete(named(any_store, 1).blob_id)
    assert any_store.delete(named(any_store, 1).blob_id)
    with pytest.raises(Missing):
        first_byte(any_store, 1)
    with reading(any_store, 2) as reader:
        assert reader.read(0, reader.length) == kept


def test_an_open_reader_holds_its_blob_until_the_last_one_closes(store: Any) -> None:
    data = put(store, 1)
    first, second = store.open(name_of(1).blob_id), store.open(name_of(1).blob_id)
    assert not store.delete(name_of(1).blob_id)
    first.close()
    assert not store.delete(name_of(1).blob_id)
    assert second.read(0, 100) == data
    second.close()
    assert store.delete(name_of(1).blob_id)


def test_many_are_deleted_at_once_but_those_being_read(store: Any) -> None:
    for number in range(10):
        put(store, number)
    with store.open(name_of(3).blob_id):
        gone = store.delete_many([name_of(number).blob_id for number in range(12)])
    assert gone == [number != 3 for number in range(12)]
    assert [name.blob_id for name in store.names()] == [name_of(3).blob_id]


def test_names_tell_every_blob_with_its_chunk_and_attempt(any_store: Any) -> None:
    for number in range(3000):
        if number < 20 or number % 100 == 0:
            put(any_store, number, 10)
    numbers = [number for number in range(3000) if number < 20 or number % 100 == 0]
    expected = [named(any_store, number) for number in numbers]
    by_id = attrgetter("blob_id")
    assert sorted(any_store.names(), key=by_id) == sorted(expected, key=by_id)


def test_stats_count_what_is_alive(store: Any) -> None:
    for number in range(4):
        put(store, number, 1000)
    store.delete(name_of(0).blob_id)
    stats = store.stats()
    assert (stats.blobs, stats.bytes_live) == (3, 3000)
    assert stats.bytes_free > 0


def test_greenlets_put_and_read_at_the_same_time(any_store: Any) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 20):
            data = put(any_store, number, 1 + number * 997)
            with reading(any_store, number, len(data)) as reader:
                assert reader.read(0, reader.length) == data

    gevent.joinall([gevent.spawn(work, first) for first in range(0, 200, 20)], raise_error=True)
    assert len(list(any_store.names())) == 200


def test_upkeep_changes_nothing_that_is_alive(store: Any) -> None:
    data = {number: put(store, number, 5000) for number in range(8)}
    for number in range(0, 8, 2):
        store.delete(name_of(number).blob_id)
    for _ in range(5):
        store.maintain()
    for number in range(1, 8, 2):
        store.verify(name_of(number).blob_id)
        with store.open(name_of(number).blob_id) as reader:
            assert reader.read(0, 5000) == data[number]
