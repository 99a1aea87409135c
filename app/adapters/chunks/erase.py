"""Deletion: a record is marked dead durably, then forgotten by the index, then its pages go back to the file system.

Knows the order that keeps a deleted blob deleted. Must not know greenlets. Runs in native threads, in any process.

Marking rewrites a record's head within one sector, so it happens or does not. The index follows it: a crash in between
leaves an entry that leads to a dead record, which readers take for Missing. Punching comes last and may be repeated or
lost; the payload goes before the head, so that a half-punched record still tells its length.
"""

import os
from collections import defaultdict
from collections.abc import Iterable

from app.adapters.chunks import disk, record
from app.adapters.chunks.disk import Device
from app.adapters.chunks.index import Index, Place
from app.adapters.chunks.record import PAGE, Head, SegmentHead
from app.adapters.chunks.segment import read_head
from app.core.errors import StoreError
from app.core.types import BlobId
from app.ports.chunks import BlobName

GATE = 0
"""The byte of a segment deleters share and a merge owns: nothing dies in a segment while it is being copied."""

Outcome = bool | StoreError


def erase(device: Device, index: Index, blob_ids: list[BlobId]) -> list[Outcome]:
    """Delete blobs; for each, in order: True gone, False held (by readers or a merge), or what went wrong.

    One fdatasync per segment concerned and one index transaction for all of a segment.
    """
    outcomes: dict[BlobId, Outcome] = dict.fromkeys(blob_ids, True)
    groups: dict[int, list[tuple[BlobId, Place]]] = defaultdict(list)
    try:
        for blob_id, place in index.places(outcomes).items():
            groups[place.segment_id].append((blob_id, place))
    except StoreError as error:
        return [error] * len(blob_ids)
    for segment_id, group in groups.items():
        try:
            outcomes.update(_erase_in(device, index, segment_id, group))
        except (StoreError, OSError) as failure:
            outcome = disk.store_error(failure, "deleting") if isinstance(failure, OSError) else failure
            outcomes.update((blob_id, outcome) for blob_id, _ in group)
    return [outcomes[blob_id] for blob_id in blob_ids]


def kill(fd: int, segment: SegmentHead, records: Iterable[tuple[BlobId, Place]]) -> None:
    """Mark records of a segment dead in place, not yet durably. A dead record keeps its blob's id and its length.

    Raises OSError.
    """
    for blob_id, place in records:
        dead = Head(BlobName(blob_id, bytes(32), bytes(16)), place.length, 0, True, bytes(8))
        disk.write_all(fd, [record.encode_head(segment, place.offset, dead)], place.offset)


def give_back(fd: int, places: Iterable[Place]) -> None:
    """Punch dead records; where the file system cannot, a merge will get the space back."""
    for place in places:
        if not disk.punch(fd, place.offset + PAGE, record.record_size(place.length) - PAGE):
            return
        disk.punch(fd, place.offset, PAGE)


def _erase_in(
    device: Device, index: Index, segment_id: int, group: list[tuple[BlobId, Place]]
) -> Iterable[tuple[BlobId, Outcome]]:
    held = [(blob_id, False) for blob_id, _ in group]
    try:
        # By its final name only: what dies in a merged segment before its commit would live again with its sources.
        fd = os.open(device.path(segment_id), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return held
    try:
        head = read_head(fd)
        if head is None or not disk.share_byte(fd, GATE) or _unsettled(device, head):
            return held
        owned = [(blob_id, place) for blob_id, place in group if disk.own_byte(fd, place.offset)]
        now = index.places(blob_id for blob_id, _ in owned)
        doomed = [(blob_id, place) for blob_id, place in owned if now.get(blob_id) == place]
        kill(fd, head, doomed)
        device.sync(fd)
        index.remove(doomed)
        give_back(fd, [place for _, place in doomed])
    finally:
        os.close(fd)
    gone = {blob_id for blob_id, _ in doomed}
    gone.update(blob_id for blob_id, _ in owned if blob_id not in now)
    return [(blob_id, blob_id in gone) for blob_id, _ in group]


def _unsettled(device: Device, head: SegmentHead) -> bool:
    """True while a segment this one replaces is still there: until then its records might be read from either."""
    return any(os.path.exists(device.path(source)) for source in head.replaces)
