"""Healing on devices in directories: bits flipped in files, and devices recovered as after a crash."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters import erasure
from app.core.ids import make_id
from app.core.layout.blob_ids import blob_id_for, fragment_id
from app.core.layout.profiles import Profile, replication
from app.core.layout.profiles import erasure as coded
from app.ports.chunks import BlobName
from app.runtime.offload import Offload
from app.services.call import Sources
from app.services.healing.healing import Healing, NodeSettings
from app.services.healing.judging import homes_of
from app.services.healing.parts import ClusterParts, DataParts, TimeParts
from tests.chunk_room import device_at, flip, payload_of, recovered_blobs, segment_files
from tests.host_room import guarded_at
from tests.model.healing_members import Memo, Reports
from tests.placed_room import placement_of

LENGTH = 300_000
NOW_MS = 1_800_000_000_000
PROFILES = [replication(1, "COPIES", 3), coded(1, "CODED", 2, 1)]


class Room:
    """One node with three devices in directories, each home to one fragment of every blob."""

    def __init__(self, root: Path, profile: Profile) -> None:
        self.profile = profile
        self.roots = {number: root / f"device-{number}" for number in (1, 2, 3)}
        self.devices = {number: guarded_at(path) for number, path in self.roots.items()}
        self.placement = placement_of(profile, 3)
        self.offload = Offload(2)
        self.cursor = Memo()
        self.now_s = 0.0
        self.healing = Healing(
            ClusterParts(
                lambda: self.placement,
                lambda: frozenset(self.devices),
                dict,
                lambda: True,
                lambda command: pytest.fail("nothing moves"),
                Reports(),
            ),
            DataParts(self.devices.__getitem__, erasure.codec, self.offload, self.cursor),
            TimeParts(Sources(lambda: NOW_MS, lambda: bytes(16)), lambda: self.now_s, self.pause),
            NodeSettings(bytes_per_s=0, scrub_days=30),
        )

    def pause(self, seconds: float) -> None:
        self.now_s += seconds

    def close(self) -> None:
        for device in self.devices.values():
            device.close()
        self.offload.close()

    def write(self, number: int) -> tuple[BlobName, list[bytes]]:
        data = payload_of(number, LENGTH)
        made = [data] * 3
        if self.profile.erasure:
            made = [bytes(each) for each in erasure.codec(2, 1).encode(data)]
        fresh = make_id(NOW_MS - 3_600_000, number.to_bytes(10, "big"))
        name = BlobName(blob_id_for(1, fresh), number.to_bytes(32, "big"), fresh)
        for index, home in homes_of(self.profile, self.placement.homes(name.blob_id)):
            self.devices[home].put(
                BlobName(fragment_id(name.blob_id, index), name.chunk_id, name.ref_id), memoryview(made[index])
            )
        return name, made

    def read(self, name: BlobName, index: int) -> bytes:
        home = self.placement.homes(name.blob_id)[index]
        return bytes(self.devices[home].whole(fragment_id(name.blob_id, index)))


@pytest.fixture(params=PROFILES, ids=["copies", "coded"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path, request.param)
    yield room
    room.close()


def damage(room: Room, number: int) -> None:
    """Flip a bit in the middle of the first record of a device."""
    (segment, *_) = segment_files(device_at(room.roots[number]))
    flip(segment, 100_000)


def test_scrub_replaces_what_a_flipped_bit_damaged_and_the_device_recovers_with_it(room: Room) -> None:
    blobs = [room.write(number) for number in range(1, 4)]
    damage(room, 2)
    assert room.healing.scrub_turn() == 3
    assert room.healing.device_errors(2) == 1
    for name, made in blobs:
        assert [room.read(name, index) for index in range(3)] == made
    assert json.loads(room.cursor.load())["0" * 31 + "2"]["broken"] == []
    for device in room.devices.values():
        device.close()
    found = recovered_blobs(device_at(room.roots[2]))[1]
    assert len(found) == 3
    for name, made in blobs:
        index = room.placement.homes(name.blob_id).index(2)
        assert found[fragment_id(name.blob_id, index)] == made[index]


def test_a_device_that_lost_everything_is_filled_again(room: Room) -> None:
    blobs = [room.write(number) for number in range(1, 6)]
    names = room.devices[3].page(b"", None, b"", 100)
    assert all(room.devices[3].delete_many([name.blob_id for name in names]))
    room.healing.compare_turn()
    assert room.healing.ledger()["1"].full == 0
    room.healing.repair_turn()
    report = room.healing.ledger()["1"]
    assert (report.full, report.reduced, report.critical, report.lost, report.unswept) == (5, 0, 0, 0, 0)
    for name, made in blobs:
        assert [room.read(name, index) for index in range(3)] == made
