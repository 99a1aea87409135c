"""Reading a chunk from its devices: any copy, or any k fragments; ranges, verified, ahead of a reader that goes on.

Knows how bytes of a chunk follow from bytes of fragments. Must not know writing. Nothing is asked before the first
read, which therefore raises what `ChunkStore.open` may raise: Missing, Corrupt, Unavailable.

Memory: what one read asks for (a lost fragment: the same range of k others); what is read ahead, from one budget of the
process; and a compressed chunk whole, since no range of it opens by itself.
"""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

import gevent

from app.core import cluster_limits, limits
from app.core.errors import Corrupt, StoreError, Unavailable
from app.core.layout.profiles import ZSTD
from app.core.types import FileSpan
from app.ports.erasure import ErasureCodec
from app.services.placing.ahead import Ahead
from app.services.placing.budget import Budget
from app.services.placing.holders import Holders, Place
from app.services.placing.homes import copies_near, home_of, places_of
from app.services.placing.stored import clear_fragment_bytes


class PlacedReader:
    """app.ports.chunks.ChunkReader; what copies and coded chunks have in common.

    It differs from a reader on one machine in that it holds no lease: a blob deleted meanwhile may end it with Missing.
    What protects readers here is the grace of garbage collection.
    """

    def __init__(self, holders: Holders, length: int, budget: Budget, ahead_bytes: int) -> None:
        self.length = length
        self._holders = holders
        self._ahead = Ahead(self._fetch, budget, ahead_bytes)
        self._codec = holders.ground.codec_of(holders.profile)
        self._compresses = holders.profile.compression == ZSTD
        self._clear_bytes = clear_fragment_bytes(holders.profile, self._codec, length)
        self._chunk: bytes | None = None  # of a compressed chunk
        self._closed = False
        if not self._compresses:
            holders.stored_length = self._clear_bytes

    def read(self, offset: int, length: int) -> memoryview:
        """See ChunkReader. Missing besides, as the class says."""
        self._check(offset, length)
        if not length:
            return memoryview(b"")
        self._holders.hedges.earn()
        if self._compresses and not self._holders.stored_length:
            self._learn()
        if self._chunk is not None:
            return memoryview(self._chunk)[offset : offset + length]
        return self._ahead.read(offset, length, self.length)

    def span(self, offset: int, length: int) -> FileSpan | None:
        """None, and a hint: the bytes that will be read are fetched together."""
        self._check(offset, length)
        self._ahead.expect(offset, offset + length)
        return None

    def close(self) -> None:
        """See ChunkReader. Idempotent."""
        self._closed = True
        self._ahead.close()
        self._holders.close()
        self._chunk = None

    def __enter__(self) -> "PlacedReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _check(self, offset: int, length: int) -> None:
        if self._closed:
            raise ValueError("the reader is closed")
        if offset < 0 or length < 0 or offset + length > self.length:
            raise ValueError(f"[{offset}, {offset + length}) is not within a blob of {self.length} bytes")

    def _learn(self) -> None:
        """Find out how long what is stored is, and open it when it is compressed."""
        holders = self._holders
        found = holders.first(1, map(self._length_way, self._belonging()), map(self._length_way, self._elsewhere()))
        if not found:
            raise holders.short(0)
        holders.stored_length = next(iter(found.values()))
        if holders.stored_length > self._clear_bytes:
            raise Corrupt(f"blob {holders.blob_id.hex()} is longer than its chunk of {self.length} bytes")
        if holders.stored_length < self._clear_bytes:
            frame = self._fetch(0, holders.stored_length * (holders.profile.data if self._codec else 1))
            ground = holders.ground
            self._chunk = ground.offload.call(ground.compressor.decompress, frame, self.length)

    def _length_way(self, place: Place) -> tuple[Place, Callable[[], int]]:
        return place, lambda: self._stored_length(place)

    def _stored_length(self, place: Place) -> int:
        reader = self._holders.opened(place)
        length = reader.length
        self._holders.put_back(place, reader)
        return length

    def _belonging(self) -> list[Place]:
        """Every fragment where it belongs, likely places first."""
        raise NotImplementedError

    def _elsewhere(self) -> Iterator[Place]:
        """Fragments wherever else they lie, or where they were not had from before."""
        holders, belonging = self._holders, self._belonging()
        return (place for place in holders.elsewhere() if place not in belonging or place in holders.failures)

    def _fetch(self, start: int, end: int) -> memoryview:
        """Bytes [start, end) of what is stored, in clear order, not empty."""
        raise NotImplementedError


class CopyReader(PlacedReader):
    """Of whole copies: any one will do, the nearest first."""

    def __init__(self, holders: Holders, length: int, budget: Budget) -> None:
        super().__init__(holders, length, budget, limits.SLICE_BYTES)
        self._best: Place | None = None

    def span(self, offset: int, length: int) -> FileSpan | None:
        """A span of this node's own copy; else as PlacedReader."""
        self._check(offset, length)
        ground = self._holders.ground
        here = next((place for place in self._belonging() if ground.near(place[1])), None)
        if here is not None and not self._compresses and length:
            try:
                reader = self._holders.opened(here)
                span = reader.span(offset, length)
            except StoreError as error:
                self._holders.suspect(here, error)
            else:
                self._holders.put_back(here, reader)
                if span is not None:
                    return span
        return super().span(offset, length)

    def _fetch(self, start: int, end: int) -> memoryview:
        holders = self._holders
        here, elsewhere = (holders.ways(places, start, end) for places in (self._belonging(), self._elsewhere()))
        found = holders.first(1, here, elsewhere)
        if not found:
            raise holders.short(0)
        self._best, data = next(iter(found.items()))
        return data

    def _belonging(self) -> list[Place]:
        """The copy that answered before leads."""
        holders = self._holders
        near = copies_near(holders.placement, holders.blob_id, holders.ground.near, holders.prompt)
        return near if self._best is None else [self._best, *(place for place in near if place != self._best)]


class CodedReader(PlacedReader):
    """Of a coded chunk: the data fragments touched, and only where one is lost or late the same range of k others."""

    def __init__(self, holders: Holders, length: int, budget: Budget) -> None:
        super().__init__(holders, length, budget, limits.CHUNK_BYTES_MAX)
        self._asked: dict[Part, int] = {}  # the device each range is being waited for from

    def _fetch(self, start: int, end: int) -> memoryview:
        size = self._holders.stored_length
        parts = _parts(start, end, size)
        hurry = self._enough_are_prompt()
        asking = [gevent.spawn(self._home_range, part, hurry) for part in parts]
        while len(gevent.joinall(asking, timeout=cluster_limits.READ_HEDGE_S)) < len(asking):
            for part in parts:
                if part in self._asked:
                    self._holders.late(self._asked[part])
            if self._holders.hedges.spend():
                break
        have: dict[Part, memoryview] = {}
        lost = [(part, each) for part, each in zip(parts, asking, strict=True) if not _came(each, part, have)]
        for part, each in lost:
            if not _came(each, part, have):
                have[part] = self._recovered(part, have, each)
        views = [have[part] for part in parts]
        return views[0] if len(views) == 1 else memoryview(b"".join(views))

    def _enough_are_prompt(self) -> bool:
        """Whether slow devices can be passed over. When most are slow, asking more of them makes it worse."""
        holders = self._holders
        homes = holders.placement.homes(holders.blob_id)
        prompt = sum(holders.prompt(home_of(homes, index)) for index in range(holders.profile.width))
        return prompt >= holders.profile.needed

    def _home_range(self, part: "Part", hurry: bool) -> memoryview | StoreError:
        """A range of a fragment from where it belongs, or why not. `hurry`: without asking who is slow."""
        failure: StoreError = Unavailable("its device is down or slow")
        for number in places_of(self._holders.placement, self._holders.blob_id, part[0]):
            if hurry and not self._holders.prompt(number):
                continue
            try:
                self._asked[part] = number
                return self._holders.read((part[0], number), part[1], part[2] - part[1])
            except StoreError as error:
                failure = error
            finally:
                self._asked.pop(part, None)
        return failure

    def _recovered(
        self, part: "Part", have: dict["Part", memoryview], late: "gevent.Greenlet[..., memoryview | StoreError]"
    ) -> memoryview:
        """A range of a lost or late fragment, from the same range of as many others as the code needs.

        What was fetched for it stays in `have`: with two fragments lost the second costs nothing more.
        """
        holders, codec = self._holders, self._needed_codec()
        index, start, end = part
        others = {each[0]: view[start - each[1] : end - each[1]] for each, view in have.items() if _covers(each, part)}

        def useful(places: Iterable[Place]) -> Iterator[Place]:
            return (place for place in places if place[0] not in others and place[0] != index)

        here = holders.ways(useful(self._belonging()), start, end)
        elsewhere = holders.ways(useful(self._elsewhere()), start, end)
        while (needed := codec.data - len(others)) > 0:
            found = holders.first(needed, here, elsewhere)
            for (other, _), view in found.items():
                others[other] = have[(other, start, end)] = view
            if len(found) < needed:
                return self._last_resort(part, late, len(others))
        return holders.ground.offload.call(codec.rebuild, others, index)

    def _last_resort(
        self, part: "Part", late: "gevent.Greenlet[..., memoryview | StoreError]", found: int
    ) -> memoryview:
        """Too few others: the fragment itself, late or from wherever it lies."""
        answer = late.get()
        if isinstance(answer, memoryview):
            return answer
        lying = (place for place in self._holders.elsewhere() if place[0] == part[0])
        own = self._holders.first(1, self._holders.ways(lying, part[1], part[2]))
        if not own:
            raise self._holders.short(found)
        return next(iter(own.values()))

    def _belonging(self) -> list[Place]:
        holders = self._holders
        belonging = [
            (index, number)
            for index in range(holders.profile.width)
            for number in places_of(holders.placement, holders.blob_id, index)
        ]
        belonging.sort(key=lambda place: (place in holders.failures, not holders.prompt(place[1])))
        return belonging

    def _needed_codec(self) -> ErasureCodec:
        if self._codec is None:
            raise TypeError("copies are not coded")
        return self._codec


Part = tuple[int, int, int]
"""Bytes [start, end) of data fragment `index`: (index, start, end)."""


def _parts(start: int, end: int, size: int) -> list[Part]:
    """The parts of data fragments of `size` bytes that make up bytes [start, end) of what is coded."""
    return [
        (index, max(start - index * size, 0), min(end - index * size, size))
        for index in range(start // size, (end - 1) // size + 1)
    ]


def _covers(have: Part, wanted: Part) -> bool:
    return have[0] != wanted[0] and have[1] <= wanted[1] and wanted[2] <= have[2]


def _came(asked: "gevent.Greenlet[..., memoryview | StoreError]", part: Part, have: dict[Part, memoryview]) -> bool:
    """Whether a range is here; then it is in `have`. A failure that is no StoreError is raised."""
    answer = asked.get() if asked.ready() else None
    if isinstance(answer, memoryview):
        have[part] = answer
    return isinstance(answer, memoryview)
