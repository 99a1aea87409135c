"""One blob made whole: missing fragments put where they belong, damaged ones replaced, each verified on its device.

Knows the order that loses nothing: the new bytes are in hand before anything is deleted, and nothing but a fragment
that just failed its checksum is. Two menders of one blob do no harm: what both put is the same bytes under one id.
"""

from collections.abc import Iterable, Mapping, Sequence

from app.core import cluster_limits
from app.core.errors import Conflict, Corrupt, Full, Missing, StoreError, Unavailable
from app.core.layout.profiles import Profile
from app.core.types import BlobId
from app.ports.chunks import BlobName
from app.services.healing.judging import CRITICAL, FULL, LOST, level
from app.services.healing.pace import Pace
from app.services.healing.parts import DataParts, DeviceErrors, Tally
from app.services.healing.view import View
from app.services.healing.whereabouts import Sighting
from app.services.placing.fragments import Source, collect, remade

Place = tuple[int, int]
"""Index of a fragment, number of the device."""


class Mending:
    """Used by every kind of work that writes fragments. A call holds at most a chunk's bytes and what is made of them.

    Sightings handed in are kept true: what was put is noted in them, what proved damaged or absent is taken out.
    """

    def __init__(self, data: DataParts, pace: Pace, errors: DeviceErrors, tally: Tally) -> None:
        self._data = data
        self._pace = pace
        self.errors = errors
        self._tally = tally
        self._replacing: set[tuple[int, BlobId]] = set()
        self._damaged: dict[BlobId, str] = {}

    @property
    def damaged(self) -> Mapping[BlobId, str]:
        """Blobs that lists show whole, but with a damaged fragment that nothing could replace when it was met last, and
        their level. A restart forgets them, and at most HEAL_DAMAGED_KEPT_MAX are kept: scrub meets the others again.
        Longest ago first."""
        return self._damaged

    def forget_damage(self, blob_id: BlobId) -> None:
        """The blob was read and nothing of it is damaged, or it is no more."""
        self._damaged.pop(blob_id, None)

    def fill(self, view: View, profile: Profile, sighting: Sighting, places: Sequence[Place]) -> list[Place]:
        """Put the fragments that are missing at these places; those that are there now and verified. Raises nothing of
        a store's: what failed is counted and left to the next sweep."""
        try:
            made = self._fragments(view, profile, sighting, [index for index, _ in places])
        except StoreError as error:
            self._tally.errors += 1
            if isinstance(error, Corrupt):
                self._take_out_damaged(view, sighting)
            return []
        return [place for place in places if place[0] in made and self._put(view, sighting, place, made[place[0]])]

    def verify(self, view: View, profile: Profile, sighting: Sighting, places: Iterable[Place]) -> bool:
        """Read these fragments on their devices and replace those that are damaged; whether all are sound now."""
        outcomes = [self._verified(view, profile, sighting, place) for place in places]
        return all(outcomes)

    def replace(self, view: View, profile: Profile, sighting: Sighting, place: Place) -> bool:
        """A fragment that failed its checksum gives way to one made of others, which is in hand before it goes. While
        too few others are readable it stays: some of it may be worth having. False when it could not be done."""
        index, number = place
        listed = level(profile, view.placement.homes(sighting.blob_id), sighting, everybody_answered=False)
        sighting.gone(index, number)
        name = sighting.fragment(index)
        fresh: memoryview | None = None
        if (number, name.blob_id) in self._replacing:
            return False  # another greenlet is at it
        self._replacing.add((number, name.blob_id))
        try:
            fresh = self._fragments(view, profile, sighting, [index])[index]
            if self._is_sound(number, name):  # another mender was faster
                sighting.seen(index, number)
                return True
            if not all(self._data.device(number).delete_many([name.blob_id])):
                return False  # held by a reader: the next look finds it again
            return self._put(view, sighting, place, fresh)
        except StoreError as error:
            if fresh is None and listed == FULL:
                self._note_damaged(sighting.blob_id, LOST if isinstance(error, Corrupt) else CRITICAL)
            self._failed(number, error)
            return False
        finally:
            self._replacing.discard((number, name.blob_id))

    def _verified(self, view: View, profile: Profile, sighting: Sighting, place: Place) -> bool:
        index, number = place
        try:
            self._pace.spend(self._data.device(number).verify(sighting.fragment(index).blob_id))
        except Corrupt as error:
            self.errors.note(number, error)
            return self.replace(view, profile, sighting, place)
        except Missing:
            sighting.gone(index, number)
            return bool(self.fill(view, profile, sighting, [place]))
        except StoreError as error:
            self._failed(number, error)
            return False
        return True

    def _put(self, view: View, sighting: Sighting, place: Place, data: memoryview) -> bool:
        """Durable and read back, or False. A device that is full leaves the fragment to another for the time being."""
        index, number = place
        try:
            self._store(number, sighting.fragment(index), data)
        except Full:
            self._tally.errors += 1
            self._shelter(view, sighting, index, data)
            return False
        except StoreError as error:
            self._failed(number, error)
            return False
        sighting.seen(index, number)
        self._tally.done += 1
        return True

    def _store(self, number: int, name: BlobName, data: memoryview) -> None:
        """Put and read back. What a device holds already is what would have been put, if it is sound."""
        device = self._data.device(number)
        self._pace.spend(len(data))
        try:
            device.put(name, data)
        except Conflict:
            if not self._is_sound(number, name):
                if not all(device.delete_many([name.blob_id])):
                    raise Unavailable("a damaged fragment is held by a reader") from None
                device.put(name, data)
        device.verify(name.blob_id)

    def _is_sound(self, number: int, name: BlobName) -> bool:
        try:
            self._data.device(number).verify(name.blob_id)
        except (Corrupt, Missing):
            return False
        return True

    def _shelter(self, view: View, sighting: Sighting, index: int, data: memoryview) -> None:
        """A fragment that is nowhere goes to a device that has none of its blob; from there it is pushed home later."""
        if sighting.where.get(index):
            return
        used = set[int]().union(*sighting.where.values(), view.placement.homes(sighting.blob_id))
        for number in view.elsewhere(sighting.blob_id, used)[:4]:
            try:
                self._store(number, sighting.fragment(index), data)
            except StoreError as error:
                self._failed(number, error)
            else:
                sighting.seen(index, number)
                return

    def _fragments(self, view: View, profile: Profile, sighting: Sighting, wanted: list[int]) -> dict[int, memoryview]:
        """These fragments, from whoever has them, else made of others. With too few others: those somebody has; raises
        Missing, Corrupt or Unavailable when there is not one."""
        have: dict[int, memoryview] = {}
        for index in wanted:
            copied = self._copied(view, sighting, index)
            if copied is not None:
                have[index] = copied
        rest = [index for index in wanted if index not in have]
        if not rest:
            return have
        sources = [
            Source(index, self._data.device(number))
            for index in sorted(sighting.where)
            for number in self._nearest(view, sighting, index)
        ]
        codec = self._data.codec(profile.data, profile.parity) if profile.erasure else None
        try:
            found = collect(profile, sighting.blob_id, sources)
            self._pace.spend(sum(map(len, found.values())))
            return have | self._data.offload.call(remade, profile, codec, found, rest)
        except StoreError:
            if have:
                return have
            raise

    def _take_out_damaged(self, view: View, sighting: Sighting) -> None:
        """Too much of a blob is damaged to make anything of it: what is damaged does not count as being there."""
        for index in list(sighting.where):
            for number in self._nearest(view, sighting, index):
                try:
                    self._pace.spend(self._data.device(number).verify(sighting.fragment(index).blob_id))
                except Corrupt as error:
                    self.errors.note(number, error)
                    sighting.gone(index, number)
                except Missing:
                    sighting.gone(index, number)
                    sighting.moved = True
                except StoreError as error:
                    self._failed(number, error)

    def _copied(self, view: View, sighting: Sighting, index: int) -> memoryview | None:
        for number in self._nearest(view, sighting, index):
            try:
                data = self._data.device(number).whole(sighting.fragment(index).blob_id)
            except Corrupt as error:
                self.errors.note(number, error)
                sighting.gone(index, number)
            except Missing:
                sighting.gone(index, number)
                sighting.moved = True
            except StoreError as error:
                self.errors.note(number, error)
            else:
                self._pace.spend(len(data))
                return data
        return None

    def _nearest(self, view: View, sighting: Sighting, index: int) -> list[int]:
        """Devices that hold a fragment and answer, this node's own first."""
        numbers = sighting.where.get(index, set()) & view.up
        return sorted(numbers, key=lambda number: (number not in view.own, number))

    def _note_damaged(self, blob_id: BlobId, now: str) -> None:
        self._damaged.pop(blob_id, None)
        if len(self._damaged) < cluster_limits.HEAL_DAMAGED_KEPT_MAX:
            self._damaged[blob_id] = now

    def _failed(self, number: int, error: StoreError) -> None:
        self._tally.errors += 1
        self.errors.note(number, error)
