"""Contents taken in sealed and read back: what lies in the stores, what a span reads, what is refused."""

import hashlib
import itertools
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.adapters.chunks.memory import MemoryStore
from app.adapters.sql.store import SqliteStore
from app.core import limits
from app.core.errors import Corrupt
from app.core.ids import make_id
from app.core.sealing.frames import FRAME_BYTES, STORED_FRAME_BYTES, DataKey, stored_size
from app.core.types import NULL_VERSION, Attributes, Bucket, Encryption, Version
from app.ports.metadata import Commit
from app.runtime.buffers import BufferPool
from app.runtime.offload import Offload
from app.services.call import NOBODY, Call, Sources, Stages
from app.services.content.blobs import Blobs
from app.services.content.reading import Reading
from migrations.run import migrate
from tests.house import BytesBody, noise

MIB = limits.MIB
CHUNK = limits.SEALED_CHUNK_FRAMES * FRAME_BYTES
SLICE = limits.SEALED_SLICE_FRAMES * FRAME_BYTES
BUCKET = b"B" * 16
NOW = 1_800_000_000_000


class Room:
    def __init__(self, directory):
        migrate(directory / "zapfs.db")
        numbers = itertools.count(1)
        self.store = SqliteStore(directory / "zapfs.db")
        self.chunks = MemoryStore()
        self.offload = Offload(4)
        self.pool = BufferPool(64 * MIB)
        sources = Sources(lambda: NOW, lambda: make_id(NOW, next(numbers).to_bytes(10, "big")))
        self.blobs = Blobs(self.store, self.chunks, self.pool, self.offload, sources)
        self.reading = Reading(self.store, self.chunks, sources)
        self.store.bucket_create(Bucket(BUCKET, "bucket", "a" * 64, NOW))
        self.data_key = DataKey(b"D" * 32, BUCKET)

    def put(self, data, key=b"key"):
        call = Call(NOBODY, "REQUEST", NOW, Stages())
        with self.blobs.take_in(call, BytesBody(data), ["MD5"], data_key=self.data_key) as intake:
            assert intake.digests["MD5"] == hashlib.md5(data).digest()
            assert intake.size == len(data)
            version = Version(
                BUCKET, key, make_id(NOW, b"v" * 10), 0, intake.ref_id, intake.size, "e" * 32, NOW, "a" * 64,
                Attributes(encryption=Encryption("AES256", b"wrapped")),
            )  # fmt: skip
            return intake.commit(lambda content, uploaded, pinned: self.store.commit(
                Commit(version, content, None, uploaded, pinned)
            ))  # fmt: skip

    def get(self, version, start=0, length=None, data_key=None):
        length = version.size - start if length is None else length
        with closing(self.reading.sealed_pieces(version, None, start, length, data_key or self.data_key)) as pieces:
            return b"".join(bytes(piece) for piece in pieces)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    made = Room(tmp_path_factory.mktemp("room"))
    yield made
    made.store.close()
    made.offload.close()


SIZES = [
    0, 1, 4096, 16 * 1024 - 16, 16 * 1024 - 15, FRAME_BYTES, FRAME_BYTES + 1, SLICE - 1, SLICE, SLICE + 1,
    2 * SLICE + 5, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + SLICE + 11,
]  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_what_is_taken_in_sealed_is_read_back_and_lies_nowhere_in_the_clear(room, size):
    data = noise(size, seed=size)
    version = room.put(data)
    assert room.get(version) == data
    page = room.store.content_page(version.ref_id, 0)
    stored = len(page.inline) if page.inline is not None else sum(entry.length for entry in page.chunks)
    assert stored == stored_size(size)
    assert (page.inline is not None) == (stored_size(size) <= limits.INLINE_BYTES_MAX)
    if page.inline is not None and size > 16:
        assert data[:16] not in page.inline
    for entry in page.chunks:
        with room.chunks.open(entry.blob_id, entry.length) as reader:
            assert data[:FRAME_BYTES][:16] not in bytes(reader.read(0, min(entry.length, FRAME_BYTES)))
    assert room.pool.lent_bytes == 0


def test_equal_bodies_share_no_chunk(room):
    data = noise(100_000)
    entries = [room.store.content_page(room.put(data, key).ref_id, 0).chunks[0] for key in (b"a", b"b")]
    assert entries[0].chunk_id != entries[1].chunk_id


BIG = noise(2 * CHUNK + 3 * FRAME_BYTES + 77, seed=9)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_span_reads_as_the_bytes_of_that_span(room, data):
    version = getattr(room, "big", None) or room.put(BIG, b"big")
    room.big = version
    edges = [0, FRAME_BYTES, CHUNK, CHUNK - 1, CHUNK + FRAME_BYTES, 2 * CHUNK, len(BIG) - 1]
    start = data.draw(st.sampled_from(edges) | st.integers(0, len(BIG) - 1))
    length = data.draw(st.integers(1, 3) | st.integers(1, len(BIG) - start))
    length = min(length, len(BIG) - start)
    assert room.get(version, start, length) == BIG[start : start + length]


def test_a_small_span_reads_no_more_than_the_frames_it_touches(room, monkeypatch):
    version = room.put(BIG, b"span")
    read = []
    open_blob = room.chunks.open

    def watched(blob_id, length):
        reader = open_blob(blob_id, length)
        own = reader.read
        reader.read = lambda offset, length: read.append(length) or own(offset, length)
        return reader

    monkeypatch.setattr(room.chunks, "open", watched)
    assert room.get(version, CHUNK - 5, 10) == BIG[CHUNK - 5 : CHUNK + 5]
    assert read == [STORED_FRAME_BYTES, STORED_FRAME_BYTES]


def test_another_data_key_gives_an_error_before_the_first_byte(room):
    version = room.put(BIG, b"other")
    with pytest.raises(Corrupt):
        room.reading.sealed_pieces(version, None, 0, 10, DataKey(b"E" * 32, BUCKET))


def test_a_content_of_another_attempt_does_not_open_in_its_place(room):
    one, two = room.put(noise(200_000), b"one"), room.put(noise(200_000), b"two")
    with pytest.raises(Corrupt):
        room.get(one._replace(ref_id=two.ref_id, size=one.size - 1))


def test_frames_read_as_if_they_were_not_encrypted_are_refused(room):
    version = room.put(noise(100))
    with pytest.raises(TypeError):
        room.reading.pieces(version, None, 0, 10)
    with pytest.raises(TypeError):
        list(room.reading.contents(version))
    assert version.version_id in (NULL_VERSION, version.version_id)
