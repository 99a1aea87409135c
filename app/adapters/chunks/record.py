"""The bytes of segments and records (docs/design/segments.md), as pure functions.

Knows the layout and its checksums. Must not know files, locks or the index: callers bring the bytes.

Heads are sealed with a keyed BLAKE2b over their bytes, their segment and their offset. The key is random, one per
segment, and never leaves the disk, so that bytes a client stores can never pass for a record, wherever they lie.
"""

import hashlib
import struct
from dataclasses import dataclass

from app.core.checksums import block_checksums
from app.core.limits import (
    BLOCK_BYTES,
    CHUNK_BYTES_MAX,
    COMPACT_SOURCES_MAX,
    RECORD_ALIGN_BYTES,
)
from app.ports.chunks import BlobName

FORMAT = 1
PAGE = RECORD_ALIGN_BYTES
KEY_BYTES = 16

_SEAL_BYTES = 16
_RECORD = struct.Struct(">4sHHII4x16s32s16s8s20x")
_SEGMENT = struct.Struct(f">8sHHQ{KEY_BYTES}s")
_END = struct.Struct(">8sQ")
_RECORD_MAGIC = b"ZREC"
_SEGMENT_MAGIC = b"ZAPFSSEG"
_END_MAGIC = b"ZAPFSEND"
_DEAD = 1

HEAD_BYTES = _RECORD.size + _SEAL_BYTES
"""Bytes of a record's head without its table: within one sector, so that killing a record is atomic."""

END_OFFSET = 1024
"""Where a segment's end mark lies: a sector of its own in the segment's first page."""

_BACKUP_OFFSET = 2048
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class Head:
    """A record's head. `batch` counts the group commits of its segment; `table_digest` guards the block table."""

    name: BlobName
    length: int
    batch: int
    dead: bool
    table_digest: bytes

    @property
    def size(self) -> int:
        """Bytes of the whole record in its segment."""
        return record_size(self.length)


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """A segment's identity. `replaces`: segments whose live records were all copied into this one."""

    segment_id: int
    key: bytes
    replaces: tuple[int, ...] = ()


def record_size(length: int) -> int:
    """Bytes a payload of `length` takes: a head page, then the payload padded to whole pages."""
    return PAGE + -(-length // PAGE) * PAGE


def block_count(length: int) -> int:
    """Entries of the block table of a payload of `length` bytes."""
    return -(-length // BLOCK_BYTES)


def encode_head(segment: SegmentHead, offset: int, head: Head) -> bytes:
    """The HEAD_BYTES of a record at `offset` of `segment`; the block table follows them."""
    name = head.name
    flags = _DEAD if head.dead else 0
    fields = (FORMAT, flags, head.length, head.batch, name.blob_id, name.chunk_id, name.ref_id, head.table_digest)
    body = _RECORD.pack(_RECORD_MAGIC, *fields)
    return body + _seal(body, segment.key, segment.segment_id, offset)


def decode_head(segment: SegmentHead, offset: int, data: bytes) -> Head | None:
    """The head `data` starts with, or None when it is no record of this segment at this offset."""
    if data[:4] != _RECORD_MAGIC or len(data) < HEAD_BYTES:
        return None
    body = data[: _RECORD.size]
    if data[_RECORD.size : HEAD_BYTES] != _seal(body, segment.key, segment.segment_id, offset):
        return None
    _, version, flags, length, batch, blob_id, chunk_id, ref_id, digest = _RECORD.unpack(body)
    if version != FORMAT or not 0 < length <= CHUNK_BYTES_MAX:
        return None
    return Head(BlobName(blob_id, chunk_id, ref_id), length, batch, bool(flags & _DEAD), digest)


def decode_table(head: Head, page: bytes) -> bytes | None:
    """The block table in a record's head page, 8 bytes a block, or None when it is damaged."""
    table = page[HEAD_BYTES : HEAD_BYTES + 8 * block_count(head.length)]
    return table if table_digest(table) == head.table_digest else None


def table_digest(table: bytes) -> bytes:
    """8 bytes over a block table."""
    return block_checksums(table)[:8]


def damaged_block(table: bytes, first: int, data: memoryview) -> int | None:
    """The number of the first block of `data` that differs from the table, or None.

    `data` starts at block `first` and holds whole blocks; only a payload's last block may be short.
    """
    want = table[8 * first : 8 * (first + block_count(len(data)))]
    got = block_checksums(data)
    if got == want:
        return None
    return next(first + at // 8 for at in range(0, len(got), 8) if got[at : at + 8] != want[at : at + 8])


def encode_segment_head(head: SegmentHead) -> bytes:
    """The first page of a new segment: the head, no end mark yet, and the head's backup."""
    if len(head.replaces) > COMPACT_SOURCES_MAX:
        raise ValueError("a segment replaces at most COMPACT_SOURCES_MAX segments")
    body = _SEGMENT.pack(_SEGMENT_MAGIC, FORMAT, len(head.replaces), head.segment_id, head.key)
    body += b"".join(source.to_bytes(8, "big") for source in head.replaces)
    sector = body.ljust(_SECTOR - _SEAL_BYTES, b"\0")
    sector += _seal(sector, head.key, head.segment_id, 0)
    return (sector.ljust(_BACKUP_OFFSET, b"\0") + sector).ljust(PAGE, b"\0")


def decode_segment_head(page: bytes) -> SegmentHead | None:
    """The head in a segment's first page, from its backup when the original is damaged, or None."""
    return _decode_segment_sector(page[:_SECTOR]) or _decode_segment_sector(
        page[_BACKUP_OFFSET : _BACKUP_OFFSET + _SECTOR]
    )


def encode_end(head: SegmentHead, end: int) -> bytes:
    """The end mark that seals a segment of `end` bytes, to be written at END_OFFSET."""
    body = _END.pack(_END_MAGIC, end)
    return body + _seal(body, head.key, head.segment_id, END_OFFSET)


def decode_end(head: SegmentHead, page: bytes) -> int | None:
    """The end of a sealed segment from its first page, or None when it is open (or the mark is damaged)."""
    data = page[END_OFFSET : END_OFFSET + _END.size + _SEAL_BYTES]
    body = data[: _END.size]
    if data[:8] != _END_MAGIC or data[_END.size :] != _seal(body, head.key, head.segment_id, END_OFFSET):
        return None
    return int(_END.unpack(body)[1])


def _decode_segment_sector(sector: bytes) -> SegmentHead | None:
    if len(sector) < _SECTOR or sector[:8] != _SEGMENT_MAGIC:
        return None
    _, version, count, segment_id, key = _SEGMENT.unpack_from(sector)
    body = sector[: _SECTOR - _SEAL_BYTES]
    if version != FORMAT or count > COMPACT_SOURCES_MAX or sector[len(body) :] != _seal(body, key, segment_id, 0):
        return None
    ids = (sector[at : at + 8] for at in range(_SEGMENT.size, _SEGMENT.size + 8 * count, 8))
    return SegmentHead(segment_id, key, tuple(int.from_bytes(source, "big") for source in ids))


def _seal(body: bytes, key: bytes, segment_id: int, offset: int) -> bytes:
    place = segment_id.to_bytes(8, "big") + offset.to_bytes(8, "big")
    return hashlib.blake2b(body, key=key, digest_size=_SEAL_BYTES, salt=place).digest()
