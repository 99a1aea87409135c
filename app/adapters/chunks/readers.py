"""Open blobs: leases that keep records in place, descriptors, block tables, and verification of every byte.

Knows readers of one process. Must not know writers. Its state belongs to the hub's thread: native threads get plain
values and return plain values.

A lease is a shared lock on the record's first byte, held through the segment's descriptor from the first reader of the
process to the last. It is taken before the index is asked a second time, and deletion asks the index after it owns the
byte: so either the deletion sees the reader, or the reader sees the deletion.
"""

import os
from collections import OrderedDict
from types import TracebackType

import gevent

from app.adapters.chunks import disk, record
from app.adapters.chunks.disk import Device
from app.adapters.chunks.index import Index, Place
from app.adapters.chunks.record import PAGE
from app.adapters.chunks.segment import SegmentFile
from app.core.errors import Corrupt, Missing, Unavailable
from app.core.limits import (
    BLOCK_BYTES,
    BLOCK_TABLES_MAX,
    LEASE_SECONDS_MAX,
    SEGMENT_FDS_MAX,
    SLICE_BYTES,
)
from app.core.types import BlobId, FileSpan
from app.runtime.offload import Offload

_INLINE_BYTES_MAX = 2 * BLOCK_BYTES  # what an unaligned span of one block touches
_LEASE_PAUSE_S = 0.002


class _Blocks:
    """A record's block table and which blocks were found good, one bit each. Records never change in place."""

    __slots__ = ("good", "table")

    def __init__(self, table: bytes) -> None:
        self.table = table
        self.good = 0


class Readers:
    """Opens blobs. Not for native threads."""

    def __init__(self, device: Device, index: Index, offload: Offload) -> None:
        self._device = device
        self._index = index
        self.offload = offload
        self._files: OrderedDict[int, SegmentFile] = OrderedDict()
        self._blocks: OrderedDict[tuple[int, int], _Blocks] = OrderedDict()

    def open(self, blob_id: BlobId) -> "SegmentReader":
        """An open blob under a lease. Missing, Corrupt, Unavailable."""
        for _ in range(int(LEASE_SECONDS_MAX / _LEASE_PAUSE_S)):
            place = self._index.get(blob_id)
            if place is None:
                raise Missing("no such blob")
            file = self._file(place.segment_id)
            if file is not None and self._take(file, place.offset):
                if self._index.get(blob_id) == place:
                    return self._opened(blob_id, file, place)
                self.release(file, place.offset)
            else:
                gevent.sleep(_LEASE_PAUSE_S)  # the segment was just replaced, or the blob is being deleted
        raise Unavailable("the blob is being moved or deleted")

    def release(self, file: SegmentFile, offset: int) -> None:
        """End one reader's lease."""
        if file.fd < 0:  # the store was closed first
            return
        left = file.leases[offset] - 1
        file.users -= 1
        if left:
            file.leases[offset] = left
            return
        del file.leases[offset]
        disk.free_byte(file.fd, offset)
        if not file.users and not os.fstat(file.fd).st_nlink:
            self._files.pop(file.head.segment_id, None)  # its space is given back with the last descriptor
            file.close()

    def drop_unlinked(self) -> None:
        """Close descriptors of segments that are gone, but those being read."""
        for segment_id, file in list(self._files.items()):
            if not file.users and not os.fstat(file.fd).st_nlink:
                del self._files[segment_id]
                file.close()

    def close(self) -> None:
        """Close every descriptor. Readers still open lose theirs: whoever closes the store has drained its requests."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, segment_id: int) -> SegmentFile | None:
        """The segment's descriptor, or None when the file is gone: then the index knows better by now."""
        file = self._files.get(segment_id)
        if file is not None:
            self._files.move_to_end(segment_id)
            return file
        try:
            file = self._files[segment_id] = SegmentFile(self._device, segment_id)
        except FileNotFoundError:
            return None
        if len(self._files) > SEGMENT_FDS_MAX:
            idle = next((key for key, other in self._files.items() if not other.users and other is not file), None)
            if idle is not None:
                self._files.pop(idle).close()
        return file

    def _take(self, file: SegmentFile, offset: int) -> bool:
        held = file.leases.get(offset, 0)
        if not held and not disk.share_byte(file.fd, offset):
            return False
        file.leases[offset] = held + 1
        file.users += 1
        return True

    def _opened(self, blob_id: BlobId, file: SegmentFile, place: Place) -> "SegmentReader":
        key = (place.segment_id, place.offset)
        blocks = self._blocks.get(key)
        if blocks is not None:
            self._blocks.move_to_end(key)
            return SegmentReader(self, file, place, blocks)
        try:
            blocks = self._blocks[key] = _Blocks(self._table(blob_id, file, place))
        except BaseException:
            self.release(file, place.offset)
            raise
        if len(self._blocks) > BLOCK_TABLES_MAX:
            self._blocks.popitem(last=False)
        return SegmentReader(self, file, place, blocks)

    def _table(self, blob_id: BlobId, file: SegmentFile, place: Place) -> bytes:
        page = bytes(self.fetch(file.fd, place.offset, PAGE))
        head = record.decode_head(file.head, place.offset, page)
        if head is not None and head.dead:
            raise Missing("the blob was deleted")
        table = None if head is None else record.decode_table(head, page)
        if head is None or table is None or head.name.blob_id != blob_id or head.length != place.length:
            raise Corrupt(f"the head of the record at {place.offset} in {place.segment_id:016x} is damaged")
        return table

    def fetch(self, fd: int, offset: int, length: int) -> bytes | bytearray:
        """Bytes of a file: at once when the kernel has them, otherwise from a native thread. Corrupt when cut short."""
        if length <= _INLINE_BYTES_MAX:
            data = bytearray(length)
            try:
                if os.preadv(fd, [data], offset, os.RWF_NOWAIT) == length:
                    return data
            except OSError:  # not in the page cache, or not known to this file system: the thread will tell
                pass
        try:
            whole = self.offload.call(os.pread, fd, length, offset)
        except OSError as error:
            raise disk.store_error(error, "reading a segment") from error
        if len(whole) < length:
            raise Corrupt(f"a segment ends at {offset + len(whole)}, within a record")
        return whole


class SegmentReader:
    """app.ports.chunks.ChunkReader on a record."""

    __slots__ = ("_blocks", "_file", "_place", "_readers", "length")

    def __init__(self, readers: Readers, file: SegmentFile, place: Place, blocks: _Blocks) -> None:
        self._readers = readers
        self._file: SegmentFile | None = file
        self._place = place
        self._blocks = blocks
        self.length = place.length

    def read(self, offset: int, length: int) -> memoryview:
        """See ChunkReader. Whole blocks are read and verified, whatever part of them is asked for."""
        file = self._checked(offset, length)
        if not length:
            return memoryview(b"")
        first = offset // BLOCK_BYTES
        start = first * BLOCK_BYTES
        stop = min(-(-(offset + length) // BLOCK_BYTES) * BLOCK_BYTES, self.length)
        data = memoryview(self._readers.fetch(file.fd, self._place.offset + PAGE + start, stop - start))
        if len(data) <= _INLINE_BYTES_MAX:
            bad = record.damaged_block(self._blocks.table, first, data)
        else:
            bad = self._readers.offload.call(record.damaged_block, self._blocks.table, first, data)
        if bad is not None:
            raise self._corrupt(bad)
        return data[offset - start : offset - start + length]

    def span(self, offset: int, length: int) -> FileSpan | None:
        """See ChunkReader. Blocks found good once by this process are not read again while they are remembered."""
        file = self._checked(offset, length)
        if length:
            first, last = offset // BLOCK_BYTES, (offset + length - 1) // BLOCK_BYTES
            wanted = (1 << last + 1) - (1 << first)
            missing = wanted & ~self._blocks.good
            if missing:
                low = (missing & -missing).bit_length() - 1
                self._verify(file.fd, low, missing.bit_length())
                self._blocks.good |= wanted
        return FileSpan(file.fd, self._place.offset + PAGE + offset, length)

    def checksums(self, offset: int, length: int) -> bytes:
        """See ports.hosting.HostedReader."""
        self._checked(offset, length)
        return self._blocks.table[8 * (offset // BLOCK_BYTES) : 8 * -(-(offset + length) // BLOCK_BYTES)]

    def forget(self) -> None:
        """Have the kernel drop what it remembers of the record, so that it is read from the device next."""
        file = self._checked(0, 0)
        os.posix_fadvise(file.fd, self._place.offset, PAGE + self.length, os.POSIX_FADV_DONTNEED)
        self._blocks.good = 0

    def close(self) -> None:
        """End the lease. Idempotent."""
        file, self._file = self._file, None
        if file is not None:
            self._readers.release(file, self._place.offset)

    def __enter__(self) -> "SegmentReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _verify(self, fd: int, first: int, end: int) -> None:
        """Verify blocks [first, end) without keeping them."""
        start, stop = first * BLOCK_BYTES, min(end * BLOCK_BYTES, self.length)
        at = self._place.offset + PAGE
        if stop - start <= _INLINE_BYTES_MAX:
            data = self._readers.fetch(fd, at + start, stop - start)
            bad = record.damaged_block(self._blocks.table, first, memoryview(data))
        else:
            try:
                bad = self._readers.offload.call(_first_damaged, fd, at, start, stop, self._blocks.table)
            except OSError as error:
                raise disk.store_error(error, "reading a segment") from error
        if bad is not None:
            raise self._corrupt(bad)

    def _checked(self, offset: int, length: int) -> SegmentFile:
        if self._file is None:
            raise ValueError("the reader is closed")
        if offset < 0 or length < 0 or offset + length > self.length:
            raise ValueError(f"[{offset}, {offset + length}) is not within a blob of {self.length} bytes")
        return self._file

    def _corrupt(self, block: int) -> Corrupt:
        place = self._place
        return Corrupt(f"block {block} of the record at {place.offset} in segment {place.segment_id:016x} is damaged")


def _first_damaged(fd: int, at: int, start: int, stop: int, table: bytes) -> int | None:
    """The first bad block of payload bytes [start, stop), read in slices. Raises OSError; runs in a native thread."""
    buffer = memoryview(bytearray(min(SLICE_BYTES, stop - start)))
    while start < stop:
        size = min(len(buffer), stop - start)
        data = buffer[:size]
        got = os.preadv(fd, [data], at + start)
        bad = start // BLOCK_BYTES + got // BLOCK_BYTES if got < size else None
        bad = record.damaged_block(table, start // BLOCK_BYTES, data) if bad is None else bad
        if bad is not None:
            return bad
        start += size
    return None
