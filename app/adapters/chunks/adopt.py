"""What dead writers left: unsealed segments and unfinished merges, brought to a state that needs no thought.

Knows how to end other processes' work. Must not know when to: recovery.py does it at start, reclaim.py any time.
Native threads only. Raises OSError, StoreError.
"""

import os
from contextlib import suppress

from app.adapters.chunks import disk, erase, scan
from app.adapters.chunks.disk import Device
from app.adapters.chunks.index import Entry, Index, Place
from app.adapters.chunks.record import Head, SegmentHead
from app.adapters.chunks.scan import Contents, Damage
from app.adapters.chunks.segment import read_end, read_head, seal_file
from app.core.types import BlobId


def adopt(device: Device, index: Index, segment_id: int) -> Contents | None:
    """Seal a segment whose writer is gone and publish what it holds; None when there is nothing to do yet.

    Records nobody was told of are published as well: they are whole, and the sweep of orphans finds them by name.
    Torn ones are killed. What follows the last record is cut off. A segment without a head is damaged and left alone.
    """
    try:
        fd = os.open(device.path(segment_id), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if not disk.own_file(fd):
            return None
        head = read_head(fd)
        if head is None:
            size = os.fstat(fd).st_size
            return Contents(damage=[Damage(segment_id, 0, size)], end=size)
        if read_end(fd, head) is not None or not disk.own_byte(fd, erase.GATE):
            return None
        contents = scan.open_contents(fd, head, lambda offset, found: is_known(index, head, (offset, found)))
        erase.kill(fd, head, [placed(head, found) for found in contents.torn])
        device.sync(fd)
        index.remove(placed(head, found) for found in contents.dead)
        publish(device, index, fd, head, contents)
        seal_file(fd, head, contents.end)  # the last step: a segment is not adopted twice
        return contents
    finally:
        os.close(fd)


def publish(device: Device, index: Index, fd: int, head: SegmentHead, contents: Contents) -> None:
    """Enter live records into the index. One whose blob lies elsewhere already is killed: either copy would do."""
    entries = [Entry(found.name, Place(head.segment_id, offset, found.length)) for offset, found in contents.live]
    refused = index.add(entries)
    if refused:
        erase.kill(fd, head, [(entry.name.blob_id, entry.place) for entry in refused])
        device.sync(fd)
        gone = {entry.place.offset for entry in refused}
        contents.live = [found for found in contents.live if found[0] not in gone]


def finish_merge(device: Device, index: Index, segment_id: int) -> bool:
    """End a merge whose process is gone: carried out if the index was switched already, otherwise undone.

    The switch was one transaction, and nothing dies in a merged segment before its commit, so any one of its records
    tells. False when the merge is still under way.
    """
    path = device.path(segment_id, disk.UNFINISHED)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        if not disk.own_file(fd):
            return False
        head = read_head(fd)
        if head is not None and _switched(index, fd, head):
            commit_merge(device, head)
        else:
            os.unlink(path)
    finally:
        os.close(fd)
    return True


def commit_merge(device: Device, head: SegmentHead) -> None:
    """Give a merged segment its final name, durably, then remove what it replaces.

    The caller owns the segment and its bytes are durable. From the name on, a recovery ignores the sources.
    """
    os.rename(device.path(head.segment_id, disk.UNFINISHED), device.path(head.segment_id))
    disk.sync_directory(device.segments)
    drop_replaced(device, head)


def drop_replaced(device: Device, head: SegmentHead) -> None:
    """Remove the segments a committed one replaces. Their open readers keep reading."""
    for source in head.replaces:
        with suppress(FileNotFoundError):
            os.unlink(device.path(source))
    disk.sync_directory(device.segments)


def _switched(index: Index, fd: int, head: SegmentHead) -> bool:
    for found in scan.walk(fd, head, os.fstat(fd).st_size):
        if not isinstance(found, Damage):
            return is_known(index, head, found)
    return False


def is_known(index: Index, head: SegmentHead, found: tuple[int, Head]) -> bool:
    """True when the index leads to this very record."""
    blob_id, place = placed(head, found)
    return index.get(blob_id) == place


def placed(head: SegmentHead, found: tuple[int, Head]) -> tuple[BlobId, Place]:
    """A record that was found, as the index would know it."""
    offset, which = found
    return which.name.blob_id, Place(head.segment_id, offset, which.length)
