"""The rules of the ChunkStore port, held by every implementation."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from app.adapters.chunks.memory import MemoryStore
from app.core.errors import Conflict, Missing
from app.core.limits import BLOCK_BYTES, CHUNK_BYTES_MAX
from tests.chunk_room import device_at, name_of, opened, payload_of

LENGTHS = [1, 4095, 4096, 4097, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 77, CHUNK_BYTES_MAX]


@pytest.fixture(params=["memory", "segments"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with opened(device_at(tmp_path / "device")) as segments:
        yield segments


def put(store: Any, number: int, length: int = 100) -> bytes:
    data = payload_of(number, length)
    store.put(name_of(number), memoryview(data))
    return data


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_put_is_read_back_whole_and_in_spans(store: Any, length: int) -> None:
    data = put(store, 1, length)
    with store.open(name_of(1).blob_id) as reader:
        assert reader.length == length
        assert reader.read(0, length) == data
        for start in {0, 1, length // 2, max(0, length - 1), max(0, min(length, BLOCK_BYTES) - 1)} - {length}:
            for stop in {start, start + 1, min(length, start + BLOCK_BYTES), length}:
                assert reader.read(start, stop - start) == data[start:stop]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_file_span_leads_to_the_same_bytes(store: Any, length: int) -> None:
    data = put(store, 1, length)
    with store.open(name_of(1).blob_id) as reader:
        for start, count in {(0, length), (length // 3, length // 2), (length - 1, 1)}:
            span = reader.span(start, count)
            if span is not None:
                assert span.length == count
                assert os.pread(span.fd, span.length, span.offset) == data[start : start + count]


def test_a_blob_nobody_put_is_missing(store: Any) -> None:
    with pytest.raises(Missing):
        store.open(name_of(1).blob_id)


def test_a_blob_id_is_used_once(store: Any) -> None:
    data = put(store, 1)
    with pytest.raises(Conflict):
        store.put(name_of(1), memoryview(b"other"))
    with store.open(name_of(1).blob_id) as reader:
        assert reader.read(0, reader.length) == data


def test_payloads_out_of_bounds_are_refused(store: Any) -> None:
    for length in (0, CHUNK_BYTES_MAX + 1):
        with pytest.raises(ValueError, match="a blob has"):
            store.put(name_of(1), memoryview(bytes(length)))


def test_spans_out_of_bounds_are_refused(store: Any) -> None:
    put(store, 1, 100)
    with store.open(name_of(1).blob_id) as reader:
        for offset, length in ((-1, 1), (0, 101), (100, 1), (0, -1)):
            with pytest.raises(ValueError, match="not within"):
                reader.read(offset, length)


def test_a_closed_reader_reads_no_more(store: Any) -> None:
    put(store, 1)
    reader = store.open(name_of(1).blob_id)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(0, 1)


def test_deleted_means_missing_and_deleting_twice_is_fine(store: Any) -> None:
    put(store, 1)
    kept = put(store, 2)
    assert store.delete(name_of(1).blob_id)
    assert store.delete(name_of(1).blob_id)
    with pytest.raises(Missing):
        store.open(name_of(1).blob_id)
    with store.open(name_of(2).blob_id) as reader:
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


def test_names_tell_every_blob_with_its_chunk_and_attempt(store: Any) -> None:
    for number in range(3000):
        if number < 20 or number % 100 == 0:
            put(store, number, 10)
    numbers = [number for number in range(3000) if number < 20 or number % 100 == 0]
    assert sorted(store.names(), key=lambda name: name.blob_id) == [name_of(number) for number in numbers]


def test_stats_count_what_is_alive(store: Any) -> None:
    for number in range(4):
        put(store, number, 1000)
    store.delete(name_of(0).blob_id)
    stats = store.stats()
    assert (stats.blobs, stats.bytes_live) == (3, 3000)
    assert stats.bytes_free > 0


def test_greenlets_put_and_read_at_the_same_time(store: Any) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 20):
            data = put(store, number, 1 + number * 997)
            with store.open(name_of(number).blob_id) as reader:
                assert reader.read(0, reader.length) == data

    gevent.joinall([gevent.spawn(work, first) for first in range(0, 200, 20)], raise_error=True)
    assert store.stats().blobs == 200


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
