"""A cluster in memory for tests of placing: devices whose faults are set by the test, a layout over them, a store.

Knows the ports DeviceStore and Suspects. Nothing survives the process.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import gevent
from gevent.event import Event

from app.adapters import erasure
from app.adapters.chunks.memory import MemoryStore
from app.adapters.zstd import Zstd
from app.core.errors import Corrupt, Full, Missing, StoreError, Unavailable
from app.core.ids import make_id
from app.core.layout.blob_ids import blob_id_for
from app.core.layout.placement import IN, Device, Layout, Node, Placement
from app.core.layout.profiles import Profile
from app.core.types import BlobId, FileSpan
from app.ports.chunks import BlobName, ChunkStoreStats
from app.runtime.offload import Offload
from app.services.placing.ground import Ground
from app.services.placing.store import PlacedStore
from tests.chunk_room import payload_of


class Reported:
    """app.ports.suspects.Suspects that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[BlobId, str]] = []

    def report(self, blob_ids: Sequence[BlobId], why: str) -> None:
        self.told += [(blob_id, why) for blob_id in blob_ids]


class FaultyDevice:
    """app.ports.devices.DeviceStore in memory. `fault`: what every call raises. `gate`: cleared, calls wait for it.
    `rotten`: fragments that read as damaged. `calls`: what was asked, for tests that count."""

    def __init__(self, number: int) -> None:
        self.device_id = f"{number:032x}"
        self.store = MemoryStore()
        self.fault: StoreError | None = None
        self.refuses_puts: StoreError | None = None
        self.gate = Event()
        self.gate.set()
        self.rotten: set[BlobId] = set()
        self.calls: list[tuple[str, BlobId, int]] = []

    def _enter(self, what: str, blob_id: BlobId = b"", length: int = 0) -> None:
        self.calls.append((what, blob_id, length))
        self.gate.wait()
        if self.fault is not None:
            raise self.fault

    def put(self, name: BlobName, data: memoryview) -> None:
        self._enter("put", name.blob_id, len(data))
        if self.refuses_puts is not None:
            raise self.refuses_puts
        self.store.put(name, data)

    def open(self, blob_id: BlobId, length: int = 0) -> "FaultyReader":
        if not length:
            self._enter("open", blob_id)
            with self.store.open(blob_id) as reader:
                length = reader.length
        return FaultyReader(self, blob_id, length)

    def read(self, blob_id: BlobId, offset: int, length: int, whole: int) -> memoryview:
        self._enter("read", blob_id, length)
        if blob_id in self.rotten:
            raise Corrupt("rotten")
        with self.store.open(blob_id, whole) as reader:
            return reader.read(offset, length)

    def whole(self, fragment_id: BlobId) -> memoryview:
        with self.store.open(fragment_id) as reader:
            return self.read(fragment_id, 0, reader.length, reader.length)

    def delete_many(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        self._enter("delete")
        return self.store.delete_many(list(fragment_ids))

    def held(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        self._enter("held")
        names = {name.blob_id for name in self.store.names()}
        return [fragment in names for fragment in fragment_ids]

    def page(self, first: bytes, end: bytes | None, after: BlobId, limit: int) -> list[BlobName]:
        self._enter("page")
        names = sorted(self.store.names(), key=lambda name: name.blob_id)
        inside = [name for name in names if name.blob_id >= first and (end is None or name.blob_id < end)]
        return [name for name in inside if name.blob_id > after][:limit]

    def verify(self, fragment_id: BlobId) -> int:
        return len(self.whole(fragment_id))

    def stats(self) -> ChunkStoreStats:
        self._enter("stats")
        return self.store.stats()

    def close(self) -> None:
        self.store.close()


class FaultyReader:
    """app.ports.chunks.ChunkReader that asks with its first read."""

    def __init__(self, device: FaultyDevice, blob_id: BlobId, length: int) -> None:
        self._device = device
        self._blob_id = blob_id
        self.length = length

    def read(self, offset: int, length: int) -> memoryview:
        return self._device.read(self._blob_id, offset, length, self.length)

    def span(self, offset: int, length: int) -> FileSpan | None:
        return None

    def close(self) -> None:
        return None

    def __enter__(self) -> "FaultyReader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def placed_name(profile: int, number: int) -> BlobName:
    """A blob name under a profile; neighbours in number lie in other groups."""
    spread = (number * 40_503 % 65_536).to_bytes(2, "big")
    fresh = make_id(1_700_000_000_000 + number, number.to_bytes(8, "big") + spread)
    return BlobName(blob_id_for(profile, fresh), number.to_bytes(32, "big"), fresh)


class PlacedRoom:
    """`devices` devices, one per node; group g begins at device 1 + g % devices and goes on round. Numbers from 1."""

    def __init__(self, offload: Offload, profile: Profile, devices: int, **ground: Any) -> None:
        self.profile = profile
        self.devices: dict[int, Any] = {number: FaultyDevice(number) for number in range(1, devices + 1)}
        self.suspects = Reported()
        self.placement = placement_of(profile, devices)
        self.store = PlacedStore(
            Ground(
                placement=lambda: self.placement,
                device=self.devices.__getitem__,
                codec=erasure.codec,
                compressor=Zstd(),
                suspects=self.suspects,
                offload=offload,
                now_s=monotonic,
                **ground,
            )
        )

    def name(self, number: int) -> BlobName:
        """A blob name of this room's profile."""
        return placed_name(self.profile.number, number)

    def put(self, number: int, length: int = 1000, data: bytes | None = None) -> bytes:
        """Put a blob and wait until nothing of it is under way any more."""
        data = payload_of(number, length) if data is None else data
        self.store.put(self.name(number), memoryview(data))
        self.store.close()
        return data

    def read(self, number: int, length: int) -> bytes:
        with self.store.open(self.name(number).blob_id, length) as reader:
            return bytes(reader.read(0, length))

    def homes(self, number: int) -> tuple[int, ...]:
        return self.placement.homes(self.name(number).blob_id)

    def holding(self, number: int) -> dict[int, list[int]]:
        """Device -> the fragments of a blob it holds."""
        blob = self.name(number).blob_id[:14]
        held = {
            each: sorted(name.blob_id[14] for name in device.store.names() if name.blob_id[:14] == blob)
            for each, device in self.devices.items()
        }
        return {each: indices for each, indices in held.items() if indices}

    def stop(self, *numbers: int) -> None:
        for number in numbers:
            self.devices[number].fault = Unavailable("down")

    def start(self, *numbers: int) -> None:
        for number in numbers or self.devices:
            self.devices[number].fault = None


def placement_of(profile: Profile, devices: int, groups: int = 16, turn: int = 0) -> Placement:
    """A placement of that many devices; `turn` moves every group on by so many devices."""
    rows = tuple(
        tuple(1 + (group + turn + index) % devices for index in range(min(profile.width, devices)))
        for group in range(groups)
    )
    return Placement(
        groups=groups,
        nodes={f"n{number}": Node(f"n{number}", "", f"z{number % 3}", 0) for number in range(1, devices + 1)},
        devices={number: Device(number, f"{number:032x}", f"n{number}", 1, IN) for number in range(1, devices + 1)},
        profiles={profile.number: profile},
        classes={profile.storage_class: profile.number},
        current=Layout(1 + turn, {profile.width: rows}),
    )


@contextmanager
def placed(profile: Profile, devices: int, **ground: Any) -> Iterator[PlacedRoom]:
    """A room with two native threads, its background work done at the end."""
    offload = Offload(2)
    room = PlacedRoom(offload, profile, devices, **ground)
    try:
        yield room
    finally:
        for device in room.devices.values():
            if isinstance(device, FaultyDevice):
                device.gate.set()
        room.store.close()
        offload.close()


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Let others run until a condition holds."""
    with gevent.Timeout(seconds):
        while not condition():
            gevent.sleep(0)


FULL = Full("full")
ABSENT = Missing("absent")
