"""The format of segments and records: what is encoded is decoded, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.chunks import record
from app.adapters.chunks.record import Head, SegmentHead
from app.core.checksums import block_checksums
from app.core.limits import BLOCK_BYTES, CHUNK_BYTES_MAX, COMPACT_SOURCES_MAX
from app.ports.chunks import BlobName

u64 = st.integers(0, 2**64 - 1)
pages = st.integers(1, 2**40).map(lambda page: page * record.PAGE)
names = st.builds(BlobName, *(st.binary(min_size=size, max_size=size) for size in (16, 32, 16)))
heads = st.builds(
    Head,
    name=names,
    length=st.integers(1, CHUNK_BYTES_MAX),
    batch=st.integers(0, 2**32 - 1),
    dead=st.booleans(),
    table_digest=st.binary(min_size=8, max_size=8),
)
segments = st.builds(
    SegmentHead,
    segment_id=u64,
    key=st.binary(min_size=16, max_size=16),
    replaces=st.lists(u64, max_size=COMPACT_SOURCES_MAX).map(tuple),
)


@given(segments, pages, heads)
def test_a_head_survives_the_round_trip(segment: SegmentHead, offset: int, head: Head) -> None:
    data = record.encode_head(segment, offset, head)
    assert len(data) == record.HEAD_BYTES <= 512
    assert record.decode_head(segment, offset, data) == head


@given(segments, pages, heads, st.data())
def test_a_head_with_any_bit_flipped_is_no_head(
    segment: SegmentHead, offset: int, head: Head, data: st.DataObject
) -> None:
    encoded = bytearray(record.encode_head(segment, offset, head))
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    assert record.decode_head(segment, offset, bytes(encoded)) is None


@given(segments, segments, pages, pages, heads)
def test_a_head_is_valid_in_its_segment_and_at_its_offset_only(
    segment: SegmentHead, other: SegmentHead, offset: int, elsewhere: int, head: Head
) -> None:
    data = record.encode_head(segment, offset, head)
    if elsewhere != offset:
        assert record.decode_head(segment, elsewhere, data) is None
    if (other.segment_id, other.key) != (segment.segment_id, segment.key):
        assert record.decode_head(other, offset, data) is None


@given(segments, st.binary(max_size=4096))
def test_no_bytes_of_a_client_are_a_head(segment: SegmentHead, data: bytes) -> None:
    assert record.decode_head(segment, 4096, data) is None
    assert record.decode_head(segment, 4096, b"ZREC" + data) is None


@given(segments, st.integers(0, 2**40))
def test_a_segments_head_and_end_survive_the_round_trip(segment: SegmentHead, end: int) -> None:
    page = record.encode_segment_head(segment)
    assert len(page) == record.PAGE
    assert record.decode_segment_head(page) == segment
    assert record.decode_end(segment, page) is None
    mark = record.encode_end(segment, end)
    sealed = page[: record.END_OFFSET] + mark + page[record.END_OFFSET + len(mark) :]
    assert record.decode_segment_head(sealed) == segment
    assert record.decode_end(segment, sealed) == end


@given(segments, st.integers(0, 2048 * 8 - 1))
def test_a_damaged_segment_head_is_read_from_its_backup(segment: SegmentHead, bit: int) -> None:
    page = bytearray(record.encode_segment_head(segment))
    page[bit // 8] ^= 1 << bit % 8
    assert record.decode_segment_head(bytes(page)) == segment


def test_a_page_of_zeros_is_no_segment_head() -> None:
    assert record.decode_segment_head(bytes(record.PAGE)) is None


@pytest.mark.parametrize("length", [1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 5])
def test_a_damaged_block_is_named(length: int) -> None:
    data = bytearray(range(256)) * (length // 256 + 1)
    del data[length:]
    table = block_checksums(bytes(data))
    assert record.damaged_block(table, 0, memoryview(data)) is None
    for at in {0, length // 2, length - 1}:
        data[at] ^= 0x40
        assert record.damaged_block(table, 0, memoryview(data)) == at // BLOCK_BYTES
        first = at // BLOCK_BYTES
        assert record.damaged_block(table, first, memoryview(data)[first * BLOCK_BYTES :]) == first
        data[at] ^= 0x40


@given(st.integers(1, CHUNK_BYTES_MAX))
def test_a_record_takes_whole_pages(length: int) -> None:
    size = record.record_size(length)
    assert size % record.PAGE == 0
    assert record.PAGE + length <= size < 2 * record.PAGE + length


def test_the_largest_table_fits_beside_its_head() -> None:
    assert record.HEAD_BYTES + 8 * record.block_count(CHUNK_BYTES_MAX) <= record.PAGE
