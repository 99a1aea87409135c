"""How redundant the chunks of a bucket are: its manifests walked, and devices asked what they hold of each.

Knows rows and devices; for a gateway's keeper, which has both. Only what the rows refer to is counted, so this is the
authority on what is lost: the ledger of the file hosts also sees what nobody was promised. Nothing is changed, and no
byte of a fragment is read.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.core import cluster_limits, limits
from app.core.errors import Corrupt, Missing
from app.core.layout.blob_ids import profile_of
from app.core.types import BlobId, RefId, Version
from app.ports.chunks import BlobName
from app.ports.metadata import MetadataStore
from app.services.healing.judging import CRITICAL, FULL, LOST, REDUCED, homes_of, level
from app.services.healing.view import View
from app.services.healing.whereabouts import Devices, Sighting, every_fragment, look_on

_UNKNOWN: Final = b""
Place = tuple[bytes, bytes, int]
"""Bucket id, key, seq: where a walk over versions goes on."""


@dataclass(slots=True)
class BucketRedundancy:
    """Chunks by level, each counted once an answer; contents that lie in their rows have none. `versions` looked at.
    `after`: where to go on, "" at the end of the bucket."""

    versions: int = 0
    chunks: int = 0
    full: int = 0
    reduced: int = 0
    critical: int = 0
    lost: int = 0
    after: str = ""


class RedundancyOfBuckets:
    """`view` is taken anew for each batch of chunks."""

    def __init__(self, store: MetadataStore, devices: Devices, view: Callable[[], View]) -> None:
        self._store = store
        self._devices = devices
        self._view = view

    def of(
        self, bucket: str, after: str = "", chunks_max: int = cluster_limits.REDUNDANCY_CHUNKS_MAX
    ) -> dict[str, Any]:
        """As JSON values, of about `chunks_max` chunks at most. Missing for an unknown bucket, Corrupt for a place no
        answer gave, Unavailable when the rows cannot be read."""
        bucket_id = self._store.bucket_get(bucket).bucket_id
        report = BucketRedundancy()
        seen: set[BlobId] = set()
        waiting: list[BlobId] = []
        for version in self._versions(bucket_id, _place(bucket_id, after)):
            if report.chunks >= chunks_max:
                break
            report.versions += 1
            report.after = f"{version.key.hex()}.{version.seq}"
            for blob_id in self._blobs(version):
                if blob_id not in seen:
                    seen.add(blob_id)
                    waiting.append(blob_id)
                    report.chunks += 1
                if len(waiting) == cluster_limits.HEAL_PAGE_NAMES:
                    self._count(waiting, report)
                    waiting.clear()
        else:
            report.after = ""
        self._count(waiting, report)
        return asdict(report)

    def _versions(self, bucket_id: bytes, after: Place) -> Iterator[Version]:
        while page := self._store.versions_walk(after, limits.SWEEP_ROWS):
            for version in page:
                if version.bucket_id != bucket_id:
                    return
                yield version
            after = (bucket_id, page[-1].key, page[-1].seq)

    def _blobs(self, version: Version) -> Iterator[BlobId]:
        """Blobs of a version's chunks; none of one that is deleted meanwhile."""
        try:
            if version.delete_marker:
                return
            if not version.part_count:
                yield from self._blobs_of_content(version.ref_id)
                return
            number = 0
            while page := self._store.parts_scan(version.ref_id, number, limits.LIST_KEYS_MAX):
                for part in page:
                    yield from self._blobs_of_content(part.ref_id)
                number = page[-1].number
        except Missing:
            return

    def _blobs_of_content(self, ref_id: RefId) -> Iterator[BlobId]:
        index, more = 0, True
        while more:
            page = self._store.content_page(ref_id, index)
            live = self._store.chunks_live([entry.chunk_id for entry in page.chunks])
            yield from (live.get(entry.chunk_id, entry.blob_id) for entry in page.chunks)
            index, more = index + 1, page.more

    def _count(self, blob_ids: Sequence[BlobId], report: BucketRedundancy) -> None:
        """Ask homes for what belongs there, and everybody else for what is short by that."""
        view = self._view()
        found = [Sighting(BlobName(blob_id, _UNKNOWN, _UNKNOWN)) for blob_id in blob_ids]
        answered = view.serving <= view.up
        wanted: dict[int, list[tuple[Sighting, int]]] = {}
        for sighting in found:
            for index, home in self._homes(view, sighting):
                wanted.setdefault(home, []).append((sighting, index))
        for number in sorted(wanted.keys() & view.up):
            answered = look_on(self._devices, number, wanted[number]) and answered
        for number in sorted(view.up):
            scarce = [s for s in found if self._level(view, s, answered=False) != FULL]
            if scarce:
                width = max(len(self._homes(view, s)) for s in scarce)
                answered = look_on(self._devices, number, every_fragment(scarce, max(width, 1))) and answered
        # What somebody held when homes were asked may have been pushed home before that one was asked.
        for number in sorted(wanted.keys() & view.up):
            again = [(s, index) for s, index in wanted[number] if not s.where.get(index)]
            answered = look_on(self._devices, number, again) and answered
        for sighting in found:
            one = self._level(view, sighting, answered=answered)
            report.full += one == FULL
            report.reduced += one == REDUCED
            report.critical += one == CRITICAL
            report.lost += one == LOST

    def _homes(self, view: View, sighting: Sighting) -> list[tuple[int, int]]:
        profile = view.placement.profile(sighting.blob_id)
        return [] if profile is None else homes_of(profile, view.placement.homes(sighting.blob_id))

    def _level(self, view: View, sighting: Sighting, *, answered: bool) -> str:
        profile = view.placement.profiles.get(profile_of(sighting.blob_id))
        if profile is None:
            return LOST  # no profile says how it could be read
        return level(profile, view.placement.homes(sighting.blob_id), sighting, everybody_answered=answered)


def _place(bucket_id: bytes, after: str) -> Place:
    """Where to go on. The place before all is that of the empty key, which no version has."""
    key, _, seq = after.partition(".")
    try:
        return bucket_id, bytes.fromhex(key), int(seq or "0")
    except ValueError:
        raise Corrupt("this is no place an answer gave") from None
