"""Merging: the live records of sparse segments copied into one new segment that replaces them.

Knows the order that makes a merge safe at every point. Must not know when to merge. Native threads only.

1. The sources' gates are owned: nothing dies in them meanwhile. Reading goes on.
2. The copy is written under an unfinished name and synced. Before this, a crash leaves rubbish and whole sources.
3. One index transaction leads readers to the copy. A kill from here on is finished by the next upkeep; another boot
   drops the copy instead, for the sources are still whole: nothing may die in the copy before its commit.
4. The copy gets its name: the commit. From here on a recovery ignores the sources its head names.
5. The sources are removed. Their readers keep their descriptors; what nobody reads is punched at once.
"""

import os

from app.adapters.chunks import adopt, disk, erase, record, scan
from app.adapters.chunks.disk import Device
from app.adapters.chunks.index import Entry, Index, Place
from app.adapters.chunks.record import PAGE, Head, SegmentHead
from app.adapters.chunks.segment import OpenSegment, head_page, padding
from app.core.errors import Corrupt

Move = tuple[Entry, Place]


class DamagedSource(Corrupt):
    """A segment cannot be merged: it would lose what cannot be read."""

    def __init__(self, segment_id: int, what: str) -> None:
        self.segment_id = segment_id
        super().__init__(f"segment {segment_id:016x}: {what}")


def merge(device: Device, index: Index, sources: list[SegmentHead]) -> bool:
    """Replace sealed segments by one that holds their live records. False when something dies in one just now.

    Raises DamagedSource, Full, Unavailable, OSError; nothing has changed then, or the next upkeep finishes the work.
    """
    fds: dict[int, int] = {}
    try:
        for source in sources:
            fds[source.segment_id] = os.open(device.path(source.segment_id), os.O_RDWR | os.O_CLOEXEC)
            if not disk.own_byte(fds[source.segment_id], erase.GATE):
                return False
        copy = OpenSegment(device, tuple(source.segment_id for source in sources), disk.UNFINISHED)
        try:
            moves = _copy(index, sources, fds, copy)
            disk.own_byte(copy.fd, erase.GATE)
            index.move(moves)
        except BaseException:
            copy.discard()
            raise
        try:
            adopt.commit_merge(device, copy.head)
        finally:
            copy.close()
        for _, old in moves:
            if disk.own_byte(fds[old.segment_id], old.offset):
                erase.give_back(fds[old.segment_id], [old])
        return True
    finally:
        for fd in fds.values():
            os.close(fd)


def _copy(index: Index, sources: list[SegmentHead], fds: dict[int, int], copy: OpenSegment) -> list[Move]:
    """Write every live record of the sources into the copy, durably sealed but still owned."""
    moves: list[Move] = []
    copy.batch = 1
    for source in sources:
        fd = fds[source.segment_id]
        before = len(moves)
        contents = scan.sealed_contents(fd, source, os.fstat(fd).st_size)
        index.remove(adopt.placed(source, found) for found in contents.dead)  # a killed deletion left them there
        for found in contents.live:
            blob_id, place = adopt.placed(source, found)
            if index.get(blob_id) == place:
                moves.append(_copy_record(copy, fd, *found, source))
        if len(moves) - before != index.counts()[source.segment_id].blobs:
            raise DamagedSource(source.segment_id, "records the index knows are not there")
    os.ftruncate(copy.fd, copy.end)
    disk.write_all(copy.fd, [record.encode_end(copy.head, copy.end)], record.END_OFFSET)
    os.fsync(copy.fd)
    return moves


def _copy_record(copy: OpenSegment, fd: int, offset: int, head: Head, source: SegmentHead) -> Move:
    page, data = os.pread(fd, PAGE, offset), os.pread(fd, head.length, offset + PAGE)
    table = record.decode_table(head, page)
    if table is None or len(data) < head.length or record.damaged_block(table, 0, memoryview(data)) is not None:
        raise DamagedSource(source.segment_id, f"the record at {offset} is damaged")
    copy.reserve(head.size)
    fresh = Head(head.name, head.length, copy.batch, False, head.table_digest)
    start = copy.end
    first = head_page(record.encode_head(copy.head, start, fresh), table)
    copy.append([first, data, padding(head.length)], head.size)
    return (
        Entry(head.name, Place(copy.head.segment_id, start, head.length)),
        Place(source.segment_id, offset, head.length),
    )
