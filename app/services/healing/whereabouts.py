"""Which device holds which fragment of which blob: the lists of several devices, merged blob by blob.

Knows pages of ids. A device that does not answer is named as silent from there on: what it holds is not known, which is
not the same as absent. Memory: one page of names of each device.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.core import cluster_limits
from app.core.errors import StoreError
from app.core.layout.blob_ids import blob_of, fragment_id, index_of
from app.core.types import BlobId
from app.ports.chunks import BlobName
from app.ports.devices import DeviceStore

_PREFIX: Final = 14  # bytes of an id that all fragments of a blob share, but for the profile's number
_LAST: Final = b"\xff\xff"

Span = tuple[bytes, bytes | None]
Devices = Callable[[int], DeviceStore]


@dataclass(slots=True)
class Sighting:
    """A blob and where its fragments were seen: index -> numbers of devices. `name`: that of fragment 0. `moved`: one
    was gone when it was asked for, perhaps pushed home in the meantime."""

    name: BlobName
    where: dict[int, set[int]] = field(default_factory=dict)
    moved: bool = False

    @property
    def blob_id(self) -> BlobId:
        return self.name.blob_id

    def fragment(self, index: int) -> BlobName:
        """The name fragment `index` is kept under."""
        return BlobName(fragment_id(self.blob_id, index), self.name.chunk_id, self.name.ref_id)

    def seen(self, index: int, device: int) -> None:
        """Fragment `index` is on `device`."""
        self.where.setdefault(index, set()).add(device)

    def gone(self, index: int, device: int) -> None:
        """It is not, or no more, or not fit to be read."""
        self.where.get(index, set()).discard(device)

    def holds(self, index: int, device: int) -> bool:
        return device in self.where.get(index, ())

    @property
    def distinct(self) -> int:
        """How many different fragments were seen, wherever."""
        return sum(bool(devices) for devices in self.where.values())


@dataclass(slots=True)
class Batch:
    """Blobs in the order of their ids. `silent`: devices that were asked and did not answer."""

    sightings: list[Sighting]
    silent: frozenset[int]


def walk(devices: Devices, numbers: Sequence[int], span: Span) -> Iterator[Batch]:
    """Every blob any of these devices has a fragment of within the span; at least one batch, perhaps an empty one.

    Blobs written or deleted meanwhile may show or not. A blob's fragments come in one batch, whole.
    """
    after, silent = b"", set[int]()
    while True:
        pages: dict[int, list[BlobName]] = {}
        for number in dict.fromkeys(numbers):
            if number in silent:
                continue
            try:
                pages[number] = devices(number).page(*span, after, cluster_limits.HEAL_PAGE_NAMES)
            except StoreError:
                silent.add(number)
        # A full page may end within a blob: everything before the last prefix of the shortest one is known whole.
        full = [page[-1].blob_id[:_PREFIX] for page in pages.values() if len(page) >= cluster_limits.HEAL_PAGE_NAMES]
        end = min(full, default=None)
        yield Batch(_merged(pages, end), frozenset(silent))
        if end is None:
            return
        after = end + b"\x00\x00"  # profile 0 is never placed, so this precedes every fragment of the blob


def find(devices: Devices, numbers: Sequence[int], blob_id: BlobId) -> Batch:
    """The same of one blob."""
    span = blob_id[:_PREFIX] + b"\x00\x00", blob_id[:_PREFIX] + _LAST
    batch = next(walk(devices, numbers, span))
    return Batch([each for each in batch.sightings if each.blob_id == fragment_id(blob_id, 0)], batch.silent)


def look_on(devices: Devices, number: int, wanted: Sequence[tuple[Sighting, int]]) -> bool:
    """Ask a device for fragments, by blob and index, and note what it has. False when it does not answer."""
    try:
        for start in range(0, len(wanted), cluster_limits.HEAL_PAGE_NAMES):
            part = wanted[start : start + cluster_limits.HEAL_PAGE_NAMES]
            answers = devices(number).held([fragment_id(sighting.blob_id, index) for sighting, index in part])
            for (sighting, index), held in zip(part, answers, strict=True):
                if held:
                    sighting.seen(index, number)
    except StoreError:
        return False
    return True


def every_fragment(sightings: Sequence[Sighting], width: int) -> list[tuple[Sighting, int]]:
    """What to ask a device for that may have any of them."""
    return [(sighting, index) for sighting in sightings for index in range(width)]


def _merged(pages: dict[int, list[BlobName]], end: bytes | None) -> list[Sighting]:
    found: dict[BlobId, Sighting] = {}
    for number, page in pages.items():
        for name in page:
            if end is not None and name.blob_id[:_PREFIX] >= end:
                break
            blob_id = blob_of(name.blob_id)
            sighting = found.get(blob_id)
            if sighting is None:
                sighting = found[blob_id] = Sighting(BlobName(blob_id, name.chunk_id, name.ref_id))
            sighting.seen(index_of(name.blob_id), number)
    return [found[blob_id] for blob_id in sorted(found)]
