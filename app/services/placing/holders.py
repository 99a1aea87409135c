"""The devices that hold one blob: read from where its fragments belong, looked for everywhere when they are not there.

Knows how a range of one fragment is got from whoever has it, and what the answers of all devices together mean. Must
not know what fragments make up. One per open reader; readers of devices stay open with it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import gevent

from app.core import cluster_limits
from app.core.errors import Corrupt, Missing, StoreError, Unavailable
from app.core.layout.blob_ids import fragment_id
from app.core.layout.mapping import handoffs
from app.core.layout.placement import Placement
from app.core.layout.profiles import Profile
from app.core.types import BlobId
from app.ports.chunks import ChunkReader
from app.services.placing import racing
from app.services.placing.ground import Ground
from app.services.placing.homes import members
from app.services.placing.lately import Hedges, Lately

T = TypeVar("T")
Place = tuple[int, int]
"""(index of a fragment or copy, number of a device)."""


class Holders:
    """`waited`: what readers of this process remember of slow devices. `stored_length`: of each fragment or copy, 0
    while it is not known (a profile that compresses)."""

    def __init__(
        self, ground: Ground, waited: tuple[Lately, Hedges], placement: Placement, profile: Profile, blob_id: BlobId
    ) -> None:
        self.ground = ground
        self._lately, self.hedges = waited
        self.placement = placement
        self.profile = profile
        self.blob_id = blob_id
        self.stored_length = 0
        self.failures: dict[Place, StoreError] = {}
        self._asked = 0  # members asked for anything of the blob, and those that have nothing of it
        self._absent = 0
        self._idle: dict[Place, ChunkReader] = {}
        self._closed = False

    def first(self, wanted: int, ways: racing.Ways[Place, T], otherwise: racing.Ways[Place, T] = ()) -> dict[Place, T]:
        """As racing.first: who fails is noted here, who is late is passed over by other reads for a while."""
        patience = racing.Patience(
            cluster_limits.READ_HEDGE_S, self.hedges.spend, lambda place: self.late(place[1]), self.failures.__setitem__
        )
        return racing.first(wanted, ways, otherwise, patience)

    def late(self, number: int) -> None:
        """A device lets readers wait."""
        self._lately.mark(number)

    def prompt(self, number: int) -> bool:
        """Whether a device is worth asking first: its node is up, and nobody waited for it lately."""
        return self.ground.up(number) and not self._lately.slow(number)

    def ways(self, places: Iterable[Place], start: int, end: int) -> Iterator[tuple[Place, Callable[[], memoryview]]]:
        """Ways to bytes [start, end) of the fragments at these places, for `first`."""
        return ((place, partial(self.read, place, start, end - start)) for place in places)

    def read(self, place: Place, offset: int, length: int) -> memoryview:
        """Verified bytes of a fragment from one device. Missing and Corrupt are told to the suspects' desk."""
        reader = self.opened(place)
        try:
            data = reader.read(offset, length)
        except StoreError as error:
            reader.close()
            self.suspect(place, error)
            raise
        except BaseException:
            reader.close()
            raise
        self.put_back(place, reader)
        return data

    def opened(self, place: Place) -> ChunkReader:
        """The device's own reader of a fragment, for this greenlet until it is put back or closed."""
        reader = self._idle.pop(place, None)
        if reader is not None:
            return reader
        try:
            device = self.ground.device(place[1])
            return device.open(fragment_id(self.blob_id, place[0]), self.stored_length)
        except StoreError as error:
            self.suspect(place, error)
            raise

    def put_back(self, place: Place, reader: ChunkReader) -> None:
        """Keep a reader for the next range."""
        if self._closed or place in self._idle:
            reader.close()
        else:
            self._idle[place] = reader

    def suspect(self, place: Place, error: StoreError) -> None:
        """A device does not have what belongs there, or has it damaged: healing shall look soon."""
        known = place in self.failures
        self.failures[place] = error
        if known or self._closed:
            return
        if isinstance(error, Corrupt):
            self.ground.suspects.report([self.blob_id], "corrupt")
        elif isinstance(error, Missing) and self.placement.previous is None:
            self.ground.suspects.report([self.blob_id], "missing")

    def elsewhere(self) -> Iterator[Place]:
        """Places the fragments do not belong: every member is asked, LOOK_AT_ONCE at a time, handoffs first.

        Homes are asked again, for any fragment: what this tells is whether the blob is missing. Ends after the last
        device; raises nothing. Places that failed already are not told again.
        """
        everyone = dict.fromkeys([*handoffs(self.placement, self.blob_id), *members(self.placement)])
        numbers = list(everyone)
        wanted = [fragment_id(self.blob_id, index) for index in range(self.profile.width)]
        self._absent = 0
        self._asked = len(numbers)
        for start in range(0, len(numbers), cluster_limits.LOOK_AT_ONCE):
            batch = numbers[start : start + cluster_limits.LOOK_AT_ONCE]
            asking = {gevent.spawn(self._held, number, wanted): number for number in batch}
            for each in gevent.iwait(list(asking)):
                number, held = asking[each], each.get()
                self._absent += held is not None and not any(held)
                for index, has in enumerate(held or ()):
                    if has and not isinstance(self.failures.get((index, number)), Corrupt):
                        yield index, number

    def short(self, found: int) -> StoreError:
        """What to raise when `elsewhere` has ended and too little was found: Missing only if every member of the
        cluster answered that it has nothing of the blob."""
        if self._asked and self._absent == self._asked:
            return Missing(f"no device has blob {self.blob_id.hex()}")
        causes = self.failures.values()
        if any(isinstance(each, Corrupt) for each in causes) and not any(
            isinstance(each, Unavailable) for each in causes
        ):
            return Corrupt(f"too much of blob {self.blob_id.hex()} is damaged")
        needed = self.profile.needed
        why = "; ".join(f"device {number}: {error}" for (_, number), error in sorted(self.failures.items())[:4])
        return Unavailable(f"{found} of {needed} fragments needed of blob {self.blob_id.hex()} are readable ({why})")

    def close(self) -> None:
        """Close every device's reader; those still in use close when they are put back."""
        self._closed = True
        idle, self._idle = self._idle, {}
        for reader in idle.values():
            reader.close()

    def _held(self, number: int, wanted: Sequence[BlobId]) -> list[bool] | None:
        try:
            return self.ground.device(number).held(wanted)
        except StoreError:
            return None
