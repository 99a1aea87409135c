"""Bytes sent again heal what was lost: for the new object, and for every other that shares the chunk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.chunks.memory import MemoryReader, MemoryStore
from app.core.errors import Corrupt, Full
from app.core.types import BlobId
from app.services.buckets.buckets import Birth
from app.services.objects.copying import CopyRequest
from app.services.objects.objects import Selection, Target
from tests.house import MIB, BytesBody, House, noise
from tests.unit.test_use_cases import upload


class Decaying(MemoryStore):
    """A store some of whose blobs are damaged from an offset on."""

    def __init__(self) -> None:
        super().__init__()
        self.rotten: dict[BlobId, int] = {}

    def open(self, blob_id: BlobId, length: int = 0) -> "DecayingReader":
        return DecayingReader(super().open(blob_id, length), blob_id, self.rotten)


class DecayingReader:
    """Reads what is not damaged by now."""

    def __init__(self, reader: MemoryReader, blob_id: BlobId, rotten: dict[BlobId, int]) -> None:
        self._reader = reader
        self._blob_id = blob_id
        self._rotten = rotten
        self.length = reader.length
        self.close = reader.close

    def read(self, offset: int, length: int) -> memoryview:
        if offset + length > self._rotten.get(self._blob_id, self.length):
            raise Corrupt("damaged")
        return self._reader.read(offset, length)

    def span(self, offset: int, length: int) -> None:
        self.read(offset, length)

    def __enter__(self) -> "DecayingReader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@pytest.fixture
def chunks() -> Decaying:
    return Decaying()


@pytest.fixture
def house(tmp_path: Path, chunks: Decaying) -> Iterator[House]:
    made = House(tmp_path, chunks)
    made.buckets.create(made.call(), "bucket", Birth())
    yield made
    made.close()


def lose(house: House, chunks: Decaying, from_offset: int | None) -> None:
    """Damage every chunk there is, from an offset on or altogether."""
    for row in house.store.chunks_walk(b"", 100):
        if from_offset is None:
            chunks.delete(row.blob_id)
        else:
            chunks.rotten[row.blob_id] = from_offset


def collected(house: House) -> None:
    house.gc.run()
    house.later(4_000)
    house.gc.run()


@pytest.mark.parametrize("from_offset", [None, 0, 3 * MIB])
@pytest.mark.parametrize("size", [MIB, 8 * MIB, 20 * MIB + 3])
def test_bytes_sent_again_heal_every_object_that_shares_them(
    house: House, chunks: Decaying, size: int, from_offset: int | None
) -> None:
    data = noise(size)
    house.put(b"old", data)
    lose(house, chunks, from_offset)
    if from_offset is None or from_offset < size:
        with pytest.raises(Corrupt if from_offset is not None else Exception):
            house.get(b"old")
    house.put(b"new", data)
    assert (house.get(b"new"), house.get(b"old")) == (data, data)
    collected(house)
    house.check()
    assert house.blob_count() == -(-size // (8 * MIB))
    assert house.get(b"old", (size - 5, 5)) == data[-5:]


def test_a_whole_chunk_is_not_stored_twice(house: House, chunks: Decaying) -> None:
    house.put(b"a", noise(MIB))
    house.put(b"b", noise(MIB))
    house.put(b"c", noise(20 * MIB))
    before = sorted(name.blob_id for name in chunks.names())
    house.put(b"d", noise(20 * MIB))
    assert sorted(name.blob_id for name in chunks.names()) == before


def test_a_read_under_way_goes_on_in_the_blob_that_took_the_place(house: House, chunks: Decaying) -> None:
    data = noise(8 * MIB)
    house.put(b"old", data)
    read = house.objects.get(house.call(), Target("bucket", b"old"), Selection())
    assert read.pieces is not None
    pieces = iter(read.pieces)
    first = bytes(next(pieces))
    lose(house, chunks, 0)
    for row in house.store.chunks_walk(b"", 10):
        assert house.blobs.present.whole(row.blob_id, row.length) is False
    house.put(b"new", data)
    assert first + b"".join(bytes(piece) for piece in pieces) == data
    read.pieces.close()


def test_copies_and_parts_of_an_object_whose_chunk_was_replaced_read_back(house: House, chunks: Decaying) -> None:
    data = noise(20 * MIB)
    house.put(b"old", data)
    lose(house, chunks, None)
    house.put(b"new", data)
    collected(house)
    house.copying.copy(house.call(), CopyRequest(Target("bucket", b"old"), Selection(), Target("bucket", b"copy")))
    house.delete(b"new")
    house.delete(b"old")
    collected(house)
    assert house.get(b"copy") == data
    house.check()


def test_a_part_of_the_same_bytes_heals_that_of_another_upload(house: House, chunks: Decaying) -> None:
    data = noise(9 * MIB)
    first, of_first = upload(house, b"first", [data])
    lose(house, chunks, 0)
    upload(house, b"second", [data])
    house.multipart.complete(house.call(), first, of_first, None)
    assert house.get(b"first") == data


def test_what_cannot_be_replaced_is_not_acknowledged(house: House, chunks: Decaying) -> None:
    house.put(b"old", noise(MIB))
    lose(house, chunks, 0)
    chunks._bytes_max = MIB
    with pytest.raises(Full):
        house.put(b"new", noise(MIB))
    [row] = house.store.chunks_walk(b"", 10)
    assert row.blob_id in chunks.rotten


def test_an_attempt_whose_replacement_is_not_committed_leaves_the_chunk_healed(house: House, chunks: Decaying) -> None:
    data = noise(MIB)
    house.put(b"old", data)
    lose(house, chunks, 0)
    with house.blobs.take_in(house.call(), BytesBody(data), {"MD5"}):
        pass
    assert house.get(b"old") == data
    collected(house)
    assert house.get(b"old") == data
    assert house.blob_count() == 1
