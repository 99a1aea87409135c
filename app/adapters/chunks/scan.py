"""What a segment holds, read from its own bytes: the truth behind the index.

Knows how to walk from record to record and past damage. Must not know the index. Blocks: native threads only.
"""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.adapters.chunks import record
from app.adapters.chunks.record import PAGE, Head, SegmentHead
from app.core.limits import BLOCK_BYTES, RESCAN_FINDINGS_MAX, SLICE_BYTES


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes [offset, offset + length) of a segment that are no record and no hole."""

    segment_id: int
    offset: int
    length: int


@dataclass(slots=True)
class Contents:
    """A segment's live records in order, dead ones not punched yet, records that a crash left torn, its damage, and
    where its records end."""

    live: list[tuple[int, Head]] = field(default_factory=list)
    dead: list[tuple[int, Head]] = field(default_factory=list)
    torn: list[tuple[int, Head]] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    end: int = PAGE


def sealed_contents(fd: int, segment: SegmentHead, end: int) -> Contents:
    """What a sealed segment of `end` bytes holds. Heads only: payloads are verified whenever they are read."""
    contents = Contents(end=end)
    for found in walk(fd, segment, end):
        if isinstance(found, Damage):
            if len(contents.damage) < RESCAN_FINDINGS_MAX:
                contents.damage.append(found)
        else:
            (contents.dead if found[1].dead else contents.live).append(found)
    return contents


def open_contents(fd: int, segment: SegmentHead, acknowledged: Callable[[int, Head], bool]) -> Contents:
    """What a segment holds whose writer is gone, perhaps in the middle of a batch.

    Only the last batch can be incomplete, so only its payloads are read; those that do not match their tables are torn,
    unless they are known to have been `acknowledged`: those have decayed since, and their readers shall hear it.
    Garbage is damage only where a record of an earlier batch follows it: all else is what the last batch left.
    """
    stop = os.fstat(fd).st_size
    found = list(walk(fd, segment, stop))
    records = [item for item in found if not isinstance(item, Damage)]
    last = max((head.batch for _, head in records), default=0)
    durable = max((offset for offset, head in records if not head.dead and head.batch < last), default=0)
    contents = Contents(damage=[item for item in found if isinstance(item, Damage) and item.offset < durable])
    for offset, head in records:
        if head.dead:
            contents.dead.append((offset, head))
            contents.end = max(contents.end, min(offset + head.size, stop))
        elif head.batch == last and not (payload_matches(fd, offset, head) or acknowledged(offset, head)):
            contents.torn.append((offset, head))
        else:
            contents.live.append((offset, head))
            contents.end = max(contents.end, offset + head.size)
    contents.torn = [item for item in contents.torn if item[0] < contents.end]
    return contents


def walk(fd: int, segment: SegmentHead, stop: int) -> Iterator[tuple[int, Head] | Damage]:
    """Every record up to `stop`, dead ones included, and what lies between them that is no hole. Raises OSError."""
    offset = PAGE
    damaged = 0  # where the present stretch of garbage began
    while offset < stop:
        data = os.pread(fd, record.HEAD_BYTES, offset)
        head = record.decode_head(segment, offset, data)
        if damaged and (head is not None or not any(data)):
            yield Damage(segment.segment_id, damaged, offset - damaged)
            damaged = 0
        if head is not None:
            yield offset, head
            offset += head.size
        elif any(data):
            damaged = damaged or offset
            offset += PAGE
        else:
            offset = _next_data(fd, offset, stop)
    if damaged:
        yield Damage(segment.segment_id, damaged, stop - damaged)


def payload_matches(fd: int, offset: int, head: Head) -> bool:
    """True when every block of a record matches its table. Reads all of it. Raises OSError."""
    table = record.decode_table(head, os.pread(fd, PAGE, offset))
    if table is None:
        return False
    for start in range(0, head.length, SLICE_BYTES):
        size = min(SLICE_BYTES, head.length - start)
        data = os.pread(fd, size, offset + PAGE + start)
        if len(data) < size or record.damaged_block(table, start // BLOCK_BYTES, memoryview(data)) is not None:
            return False
    return True


def _next_data(fd: int, offset: int, stop: int) -> int:
    """The next page behind a zero page that may hold something: holes are passed over in one step."""
    try:
        data = os.lseek(fd, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return stop
        raise
    return max(offset + PAGE, data // PAGE * PAGE)
