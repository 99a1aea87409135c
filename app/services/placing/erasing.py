"""Deleting blobs from every device that may hold something of them, and telling which blobs devices hold.

Knows that a fragment may lie at a home of either epoch or at a handoff. Must not know reading or writing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import merge

import gevent
from gevent.pool import Pool

from app.core import cluster_limits, limits
from app.core.errors import StoreError
from app.core.layout.blob_ids import blob_of, fragment_id
from app.core.layout.mapping import handoffs
from app.core.layout.placement import Placement
from app.core.types import BlobId
from app.ports.chunks import BlobName, ChunkStoreStats
from app.services.placing.ground import Ground
from app.services.placing.homes import answering, members

_NOTHING = ChunkStoreStats(0, 0, 0, 0, 0)


def delete_many(ground: Ground, blob_ids: Sequence[BlobId]) -> list[bool]:
    """See ChunkStore.delete_many: True only where every device that may hold something of the blob answered so.

    Asked are the homes of both epochs and the first `width` handoffs; of what lies elsewhere the orphan sweep hears.
    A device that does not answer makes it False: the blob stays queued and is tried again.
    """
    placement = ground.placement()
    wanted: dict[int, list[tuple[int, BlobId]]] = defaultdict(list)
    gone = [True] * len(blob_ids)
    for at, blob_id in enumerate(blob_ids):
        fragments, numbers = _spread(placement, blob_id)
        gone[at] = bool(numbers)
        for number in numbers:
            wanted[number].extend((at, fragment) for fragment in fragments)
    pool = Pool(cluster_limits.LOOK_AT_ONCE)
    asking = {
        number: pool.spawn(_deleted, ground, number, [fragment for _, fragment in asked])
        for number, asked in wanted.items()
    }
    for number, each in asking.items():
        for (at, _), deleted in zip(wanted[number], each.get(), strict=True):
            gone[at] = gone[at] and deleted
    return gone


def names(ground: Ground) -> Iterator[BlobName]:
    """See ChunkStore.names: one name per blob, in the order of ids. At most a page of names of each device in memory.

    A device that fails is left out: the others hold the same blobs, and what they do not hold a later walk tells.
    """
    last = b""
    pages = [_fragments(ground, number) for number in members(ground.placement())]
    for name in merge(*pages, key=lambda each: each.blob_id):
        blob_id = blob_of(name.blob_id)
        if blob_id != last:
            last = blob_id
            yield BlobName(blob_id, name.chunk_id, name.ref_id)


def stats(ground: Ground) -> ChunkStoreStats:
    """The sum over the members that answer: fragments, and bytes as they lie on devices."""
    pool = Pool(cluster_limits.LOOK_AT_ONCE)
    told = pool.map(lambda number: _stats(ground, number), members(ground.placement()))
    return ChunkStoreStats(
        sum(each.blobs for each in told),
        sum(each.bytes_live for each in told),
        sum(each.bytes_allocated for each in told),
        sum(each.bytes_free for each in told),
        sum(each.segments for each in told),
    )


class Room:
    """Bytes free on all devices together, as they said a while ago; asking again never keeps anybody waiting."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._bytes = cluster_limits.ROOM_UNKNOWN_BYTES
        self._asked_s = float("-inf")

    def bytes_free(self, now_s: float) -> int:
        """What is known at `now_s` of the monotonic clock."""
        if now_s - self._asked_s >= cluster_limits.ROOM_SECONDS:
            self._asked_s = now_s
            gevent.spawn(self._ask)
        return self._bytes

    def _ask(self) -> None:
        self._bytes = stats(self._ground).bytes_free


def _spread(placement: Placement, blob_id: BlobId) -> tuple[list[BlobId], list[int]]:
    """Every fragment id of a blob, and the devices that may hold one."""
    profile = placement.profile(blob_id)
    if profile is None:
        return [], []
    numbers = [
        *placement.homes(blob_id),
        *placement.former_homes(blob_id),
        *handoffs(placement, blob_id)[: profile.width],
    ]
    asked = [number for number in dict.fromkeys(numbers) if answering(placement, number)]
    return [fragment_id(blob_id, index) for index in range(profile.width)], asked


def _deleted(ground: Ground, number: int, fragments: Sequence[BlobId]) -> list[bool]:
    try:
        return ground.device(number).delete_many(fragments)
    except StoreError:
        return [False] * len(fragments)


def _fragments(ground: Ground, number: int) -> Iterator[BlobName]:
    after = b""
    while True:
        try:
            page = ground.device(number).page(b"", None, after, limits.NAMES_PAGE)
        except StoreError:
            return
        yield from page
        if len(page) < limits.NAMES_PAGE:
            return
        after = page[-1].blob_id


def _stats(ground: Ground, number: int) -> ChunkStoreStats:
    try:
        return ground.device(number).stats()
    except StoreError:
        return _NOTHING
