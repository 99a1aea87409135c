"""Reading every byte this node's devices hold, device after device, within the scrub period.

Knows the pace, and where it stands: a small document that outlives the process. A damaged fragment is replaced by one
made of others while it is in hand; where too few others are readable it stays and is met again at the next pass. A
device with more errors in one pass than its budget counts as failing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.core import cluster_limits
from app.core.errors import Corrupt, Missing, StoreError
from app.core.layout.blob_ids import blob_of, index_of, profile_of
from app.core.types import BlobId
from app.ports.chunks import BlobName, ChunkStoreStats
from app.services.healing.judging import CLOCKS_APART_MS
from app.services.healing.mending import Mending
from app.services.healing.pace import Pace
from app.services.healing.parts import ClusterParts, DataParts, Tally, TimeParts
from app.services.healing.view import View
from app.services.healing.whereabouts import Sighting, every_fragment, find, look_on

_FIRST: Final = b"\x00\x00"
DAY_MS: Final = 86_400_000
_EAGER: Final = 2  # a pass is aimed at this fraction of the period, so that one that was held up still ends in time


@dataclass(slots=True)
class Progress:
    """Of one device. `after`: hex of the last id verified in the pass under way, "" between passes. `begun_ms`: of that
    pass, or of the last. `verified_ms`: when the last pass that ended had begun: everything was read since. `done`:
    fragments of the pass. `broken`: hex of ids that are damaged or did not answer, and could not be replaced yet."""

    after: str = ""
    begun_ms: int = 0
    verified_ms: int = 0
    under_way: bool = False
    done: int = 0
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScrubSettings:
    """`days`, 1 or more: within which every byte is read. `bytes_per_s`: the most, 0 = no bound. `asked_ms`: a pass
    begun before this is begun anew at once: scrub now."""

    days: int
    bytes_per_s: int = 0
    asked_ms: int = 0


class Scrubbing:
    """The scrub of one node. Oldest first: the device whose last whole pass began longest ago."""

    def __init__(
        self,
        cluster: ClusterParts,
        data: DataParts,
        clocks: TimeParts,
        mending: Mending,
        settings: Callable[[], ScrubSettings],
    ) -> None:
        self._cluster = cluster
        self._data = data
        self._sources = clocks.sources
        self._clocks = clocks
        self._mending = mending
        self._errors = mending.errors
        self._settings = settings
        self._progress: dict[str, Progress] = _read(data.cursor.load())
        self._bytes_per_s = cluster_limits.SCRUB_BYTES_PER_S_MIN
        self._retry_ms = 0
        self._held_until_ms: dict[int, int] = {}  # devices that did not answer
        self.pace = Pace(lambda: self._bytes_per_s, clocks.monotonic, clocks.pause)
        self.tally = Tally()

    def step(self) -> bool:
        """Verify one page of fragments; False when no pass is due. Broken ones are tried again first."""
        self._retry()
        view = self._cluster.view()
        number = self._next(view)
        if number is not None:
            self._step(view, number)
        return number is not None

    def verified_ms(self) -> int:
        """Since when everything on this node's devices has been read at least once; 0 = something never was."""
        view = self._cluster.view()
        return min((self._of(view, number).verified_ms for number in view.tended), default=0)

    def waiting(self) -> int:
        """Fragments the passes under way have still to read, about."""
        view = self._cluster.view()
        passes = [(number, self._of(view, number)) for number in view.tended]
        return sum(max(0, self._stats(n).blobs - progress.done) for n, progress in passes if progress.under_way)

    def _set_pace(self, view: View) -> None:
        """What it takes to be through in time, within the operator's bound; that bound itself when asked to scrub now.
        What is not read in time then shows as the age of `verified_ms`."""
        settings = self._settings()
        held = sum(self._stats(number).bytes_live for number in view.tended)
        needed = max(cluster_limits.SCRUB_BYTES_PER_S_MIN, held * _EAGER * 1000 // (settings.days * DAY_MS))
        if settings.asked_ms > self.verified_ms():
            self._bytes_per_s = settings.bytes_per_s
        else:
            self._bytes_per_s = min(needed, settings.bytes_per_s) if settings.bytes_per_s else needed

    def _stats(self, number: int) -> ChunkStoreStats:
        try:
            return self._data.device(number).stats()
        except StoreError as error:
            self._errors.note(number, error)
            return ChunkStoreStats(0, 0, 0, 0, 0)

    def _of(self, view: View, number: int) -> Progress:
        device = view.placement.devices.get(number)
        return self._progress.setdefault(device.device_id if device else str(number), Progress())

    def _next(self, view: View) -> int | None:
        """A device whose pass is under way or due, the longest unread first."""
        settings, now_ms, at_ms = self._settings(), self._sources.now_ms(), self._clocks.at_ms()
        due: list[tuple[int, int]] = []
        for number in view.tended:
            if at_ms < self._held_until_ms.get(number, 0):
                continue
            progress = self._of(view, number)
            if progress.begun_ms > now_ms + CLOCKS_APART_MS:
                progress.under_way, progress.begun_ms, progress.verified_ms = False, 0, 0
            if progress.under_way and progress.begun_ms < settings.asked_ms:
                progress.under_way = False
            old = now_ms - progress.begun_ms >= settings.days * DAY_MS // _EAGER
            if progress.under_way or old or progress.begun_ms < settings.asked_ms:
                due.append((progress.verified_ms, number))
        return min(due)[1] if due else None

    def _step(self, view: View, number: int) -> None:
        progress = self._of(view, number)
        if not progress.under_way:
            progress.under_way, progress.begun_ms, progress.after = True, self._sources.now_ms(), ""
            progress.done = 0
            self._errors.forgive(number)
        self._set_pace(view)
        after = bytes.fromhex(progress.after)
        try:
            page = self._data.device(number).page(_FIRST, None, after, cluster_limits.SCRUB_PAGE_NAMES)
        except StoreError as error:
            self._failed(number, error)
            self._held_until_ms[number] = self._clocks.at_ms() + cluster_limits.HEAL_RETRY_SECONDS * 1000
            return
        progress.done += len(page)
        self._verify(view, number, page)
        if len(page) < cluster_limits.SCRUB_PAGE_NAMES:
            progress.under_way, progress.verified_ms, progress.after = False, progress.begun_ms, ""
        else:
            progress.after = page[-1].blob_id.hex()
        self._save()

    def _retry(self) -> None:
        """Look again at what could not be replaced: others may be readable by now."""
        view, at_ms = self._cluster.view(), self._clocks.at_ms()
        if at_ms < self._retry_ms:
            return
        self._retry_ms = at_ms + cluster_limits.HEAL_RETRY_SECONDS * 1000
        for number in view.tended:
            progress = self._of(view, number)
            broken, progress.broken = progress.broken, ()
            for fragment in map(bytes.fromhex, broken):
                try:
                    page = self._data.device(number).page(fragment, None, b"", 1)
                except StoreError as error:
                    self._failed(number, error)
                    self._note_broken(view, number, fragment)
                else:
                    self._verify(view, number, [name for name in page if name.blob_id == fragment])
            if broken != progress.broken:
                self._save()

    def _verify(self, view: View, number: int, names: list[BlobName]) -> None:
        for name in names:
            self.tally.done += 1
            try:
                self.pace.spend(self._data.device(number).verify(name.blob_id))
            except Missing:
                pass  # deleted since it was listed
            except Corrupt as error:
                self._failed(number, error)
                if not self._replaced(view, number, name):
                    self._note_broken(view, number, name.blob_id)
            except StoreError as error:
                self._failed(number, error)
                self._note_broken(view, number, name.blob_id)

    def _replaced(self, view: View, number: int, name: BlobName) -> bool:
        """Find the blob's other fragments and make this one of them, or bring it home from there."""
        profile = view.placement.profiles.get(profile_of(name.blob_id))
        if profile is None:
            return False
        homes = {*view.placement.homes(name.blob_id), *view.placement.former_homes(name.blob_id)} & view.up
        batch = find(self._data.device, sorted(homes), name.blob_id)
        known = Sighting(BlobName(blob_of(name.blob_id), name.chunk_id, name.ref_id))
        sighting = batch.sightings[0] if batch.sightings else known
        if sighting.distinct <= profile.needed:
            for other in view.elsewhere(name.blob_id, homes):
                look_on(self._data.device, other, every_fragment([sighting], profile.width))
        return self._mending.replace(view, profile, sighting, (index_of(name.blob_id), number))

    def _note_broken(self, view: View, number: int, fragment: BlobId) -> None:
        """Beyond the bound the next pass finds them; a device with so many is failing anyway."""
        progress = self._of(view, number)
        progress.broken = (*progress.broken, fragment.hex())[-cluster_limits.HEAL_DEVICE_ERRORS_MAX :]

    def _failed(self, number: int, error: StoreError) -> None:
        self._errors.note(number, error)
        self.tally.errors += 1

    def _save(self) -> None:
        self._data.cursor.store(json.dumps({key: asdict(each) for key, each in self._progress.items()}).encode())


def _read(document: bytes) -> dict[str, Progress]:
    """What was stored; nothing where it is damaged or of another form: then everything is read anew."""
    try:
        found: Mapping[str, Any] = json.loads(document or b"{}")
        return {key: Progress(**{**value, "broken": tuple(value["broken"])}) for key, value in found.items()}
    except (ValueError, TypeError, AttributeError, KeyError):
        return {}
