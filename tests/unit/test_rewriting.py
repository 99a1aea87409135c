"""Transitions to a class with another profile: the chunks are written again, and the version's bytes stay the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core import limits
from app.core.errors import Conflict, Corrupt, Missing, S3Error, Unavailable
from app.core.integrity import NOTHING
from app.core.layout.blob_ids import fragment_id, profile_of
from app.core.s3.encryption import requested
from app.core.s3.multipart import RequestedPart
from app.core.s3.wanted import Wanted
from app.core.types import Attributes, ChunkEntry, Version
from app.ports.chunks import BlobName
from app.services.background.rewriting import Rewriting
from app.services.background.transitions import Transitions
from app.services.objects.multipart import UploadTarget
from app.services.objects.objects import Incoming, Target
from tests.chunk_room import payload_of
from tests.house import BytesBody
from tests.placed_room import placed
from tests.unit.test_profiles import COLD, LENGTH, Cluster

GRACE_MS = 300_000


class Rig(Cluster):
    """A cluster whose lifecycle may move objects."""

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        house = self.house
        rewriting = Rewriting(house.store, house.chunks, self.profiles, house.offload, house.sources, GRACE_MS)
        self.transitions = Transitions(house.store, {"STANDARD", "COLD"}, rewriting.rewrite)

    def current(self, key: bytes) -> Version:
        return self.house.store.current(self.house.store.bucket_get("bucket").bucket_id, key)

    def move(self, key: bytes, storage_class: str = "COLD") -> Version:
        return self.transitions.move(self.house.store.bucket_get("bucket"), self.current(key), storage_class)

    def blobs(self, key: bytes) -> list[ChunkEntry]:
        return [each for each in self.entries(key) if isinstance(each, ChunkEntry)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with placed(COLD, 8) as room:
        yield Rig(tmp_path, room)


def test_a_moved_object_is_kept_as_its_new_class_says_and_reads_the_same(rig: Rig) -> None:
    data = payload_of(1, LENGTH)
    rig.put(b"k", data)
    before = rig.current(b"k")
    moved = rig.move(b"k")
    assert rig.kept(b"k") == {2}
    assert rig.house.get(b"k") == data
    assert (moved.ref_id, moved.version_id, moved.etag) == (before.ref_id, before.version_id, before.etag)
    assert moved.attributes.storage_class == "COLD"
    rig.move(b"k", "STANDARD")
    assert rig.kept(b"k") == {1}
    assert rig.house.get(b"k") == data


def test_what_others_share_stays_and_what_nobody_needs_any_more_goes_after_the_grace(rig: Rig) -> None:
    data = payload_of(1, LENGTH)
    rig.put(b"a", data)
    rig.put(b"b", data)
    rig.move(b"a")
    assert rig.house.get(b"b") == data
    rig.move(b"b")
    assert rig.entries(b"a") == rig.entries(b"b")  # deduplicated in the new profile as in the old
    rig.house.now_ms += GRACE_MS + limits.ORPHAN_SECONDS_MIN * 1000
    for _ in range(2):
        rig.house.gc.run()
    assert [name.blob_id for name in rig.room.store.names()] == [rig.blobs(b"a")[0].blob_id]
    assert rig.house.get(b"a") == rig.house.get(b"b") == data


def test_parts_and_inline_contents_move_too(rig: Rig) -> None:
    house = rig.house
    upload = house.multipart.create(house.call(), Target("bucket", b"k"), Wanted(Attributes()), "", "")
    target = UploadTarget(Target("bucket", b"k"), upload.upload_id.hex())
    pieces = [payload_of(1, limits.PART_BYTES_MIN), payload_of(2, 10)]
    parts = [
        house.multipart.upload_part(house.call(), target, number, Incoming(BytesBody(piece), NOTHING)).part
        for number, piece in enumerate(pieces, 1)
    ]
    house.multipart.complete(house.call(), target, [RequestedPart(p.number, p.etag, {}) for p in parts], None)
    rig.move(b"k")
    assert rig.kept(b"k") == {0, 2}
    assert house.get(b"k") == b"".join(pieces)


def test_an_encrypted_object_moves_as_it_is_stored_and_opens_as_before(rig: Rig) -> None:
    house, data = rig.house, payload_of(3, LENGTH)
    wanted = Wanted(Attributes(), encryption=requested({"x-amz-server-side-encryption": "AES256"}))
    house.objects.put(house.call(), Target("bucket", b"k"), wanted, Incoming(BytesBody(data), NOTHING))
    before = rig.current(b"k")
    stored = [entry.chunk_id[:31] for entry in house.store.content_page(before.ref_id, 0).chunks]
    rig.move(b"k")
    after = house.store.content_page(before.ref_id, 0).chunks
    assert [entry.chunk_id[:31] for entry in after] == stored
    assert {profile_of(entry.blob_id) for entry in after} == {2}
    assert house.get(b"k") == data


def test_a_damaged_chunk_is_not_written_again_and_the_version_stays_as_it_is(rig: Rig) -> None:
    rig.put(b"k", payload_of(1, LENGTH))
    blob_id = rig.blobs(b"k")[0].blob_id
    for index, number in enumerate(rig.room.placement.homes(blob_id)):
        rig.room.devices[number].rotten.add(fragment_id(blob_id, index))
    with pytest.raises(Corrupt):
        rig.move(b"k")
    assert rig.current(b"k").attributes.storage_class == "STANDARD"
    assert rig.kept(b"k") == {1}


def test_a_move_that_was_cut_off_goes_on_where_it_ended(rig: Rig) -> None:
    data = payload_of(1, 2 * limits.CHUNK_BYTES_MAX + 5)
    rig.put(b"k", data)
    last = rig.blobs(b"k")[-1].blob_id
    rig.room.stop(*rig.room.placement.homes(last))
    with pytest.raises(Unavailable):
        rig.move(b"k")
    rig.room.start()
    assert rig.house.get(b"k") == data  # whatever was moved by then
    rig.move(b"k")
    assert rig.kept(b"k") == {2}
    assert rig.house.get(b"k") == data


def test_a_version_replaced_meanwhile_is_left_alone(rig: Rig) -> None:
    rig.put(b"k", payload_of(1, LENGTH))
    judged = rig.current(b"k")
    rig.put(b"k", payload_of(2, LENGTH))
    with pytest.raises(Conflict):
        rig.transitions.move(rig.house.store.bucket_get("bucket"), judged, "COLD")
    assert rig.kept(b"k") == {1}


class Suspended:
    """A chunk store whose caller sleeps for long after each put, while others go on."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rig.house.chunks, name)

    def put(self, name: BlobName, data: memoryview) -> None:
        house = self._rig.house
        house.chunks.put(name, data)
        for _ in range(4):
            house.now_ms += 2 * limits.ORPHAN_SECONDS_MIN * 1000
            house.gc.run()


def test_a_move_that_stood_still_for_hours_does_not_refer_to_what_was_collected_meanwhile(rig: Rig) -> None:
    house, data = rig.house, payload_of(1, LENGTH)
    rig.put(b"k", data)
    rewriting = Rewriting(house.store, Suspended(rig), rig.profiles, house.offload, house.sources, GRACE_MS)
    with pytest.raises(Conflict):
        rewriting.rewrite(house.store.bucket_get("bucket"), rig.current(b"k"), "COLD")
    assert rig.kept(b"k") == {1}
    assert house.get(b"k") == data


def test_a_put_whose_machine_was_suspended_does_not_commit(rig: Rig) -> None:
    class Sleepy(BytesBody):
        def receive(self, buffer: memoryview) -> int:
            rig.house.now_ms += (limits.ATTEMPT_SECONDS_MAX + 1) * 1000
            return super().receive(buffer)

    with pytest.raises(S3Error, match="SlowDown"):
        rig.house.objects.put(
            rig.house.call(),
            Target("bucket", b"k"),
            Wanted(Attributes()),
            Incoming(Sleepy(payload_of(1, LENGTH)), NOTHING),
        )
    with pytest.raises(Missing):
        rig.current(b"k")
