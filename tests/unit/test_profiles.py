"""Storage classes as profiles: which one a write is kept under, and what that means for chunks and copies."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core import limits
from app.core.errors import S3Error, Unavailable
from app.core.integrity import NOTHING
from app.core.layout.blob_ids import index_of, profile_of
from app.core.layout.placement import EMPTY, Layout, Placement
from app.core.layout.profiles import erasure, replication
from app.core.s3.wanted import NOTHING_WANTED, Wanted
from app.core.types import Attributes, Bucket, ChunkEntry
from app.services.content.bucket_profiles import BucketProfiles
from app.services.content.profiles import HERE, Keeping, Profiles
from app.services.objects.copying import CopyRequest
from app.services.objects.multipart import UploadTarget
from app.services.objects.objects import Incoming, Selection, Target
from app.services.objects.renaming import RenameRequest
from tests.chunk_room import payload_of
from tests.house import OWNER, BytesBody, House
from tests.placed_room import PlacedRoom, placed, placement_of

STANDARD, COLD, TINY = replication(1, "STANDARD", 3), erasure(2, "COLD", 4, 2), replication(3, "TINY", 3)
LENGTH = 70_000


def several() -> Placement:
    wide = placement_of(COLD, 8)
    narrow = placement_of(STANDARD, 8)
    tiny = replace(TINY, inline_bytes=100)
    return replace(
        wide,
        profiles={1: STANDARD, 2: COLD, 3: tiny},
        classes={"STANDARD": 1, "COLD": 2, "TINY": 3},
        current=Layout(1, {**narrow.current.maps, **wide.current.maps}),
    )


class Cluster:
    """Use cases over devices in memory, three storage classes and one bucket."""

    def __init__(self, root: Path, room: PlacedRoom) -> None:
        room.placement = several()
        self.room = room
        self.house = house = House(root, room.store)  # type: ignore[arg-type]
        house.drafts.profiles = self.profiles = Profiles(lambda: room.placement)
        self.bucket_profiles = BucketProfiles(house.store, lambda: room.placement)
        house.store.bucket_create(Bucket(house.sources.new_id(), "bucket", OWNER.canonical_id, house.now_ms))

    def put(self, key: bytes, data: bytes, storage_class: str = "STANDARD") -> None:
        wanted = Wanted(Attributes(storage_class=storage_class))
        self.house.objects.put(self.house.call(), Target("bucket", key), wanted, Incoming(BytesBody(data), NOTHING))

    def entries(self, key: bytes) -> list[ChunkEntry | bytes]:
        bucket = self.house.store.bucket_get("bucket")
        return list(self.house.reading.contents(self.house.store.current(bucket.bucket_id, key)))

    def kept(self, key: bytes) -> set[int]:
        """The profiles of an object's chunks, as ids and names tell them; 0 for what lies inline."""
        told = set()
        for each in self.entries(key):
            if isinstance(each, ChunkEntry):
                assert index_of(each.blob_id) == 0
                assert each.chunk_id[31] == profile_of(each.blob_id)
                told.add(profile_of(each.blob_id))
            else:
                told.add(0)
        return told


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with placed(COLD, 8) as room:
        yield Cluster(tmp_path, room)


def test_each_class_is_kept_under_its_profile_and_read_back(cluster: Cluster) -> None:
    data = payload_of(1, LENGTH)
    for storage_class, number in (("STANDARD", 1), ("COLD", 2), ("TINY", 3)):
        key = storage_class.encode()
        cluster.put(key, data, storage_class)
        assert cluster.kept(key) == {number}
        assert cluster.house.get(key) == data


def test_the_same_bytes_are_shared_within_a_profile_and_never_across(cluster: Cluster) -> None:
    data = payload_of(1, LENGTH)
    for key, storage_class in ((b"a", "STANDARD"), (b"b", "STANDARD"), (b"c", "COLD")):
        cluster.put(key, data, storage_class)
    assert cluster.entries(b"a") == cluster.entries(b"b")
    assert len(list(cluster.room.store.names())) == 2


def test_a_class_without_a_profile_is_kept_as_standard_is(cluster: Cluster) -> None:
    cluster.put(b"k", payload_of(1, LENGTH), "STANDARD_IA")
    assert cluster.kept(b"k") == {1}


def test_a_class_nobody_knows_is_refused(cluster: Cluster) -> None:
    with pytest.raises(S3Error) as refused:
        cluster.put(b"k", b"x", "WARM")
    assert refused.value.code == "InvalidStorageClass"


def test_a_bucket_may_name_the_class_its_standard_writes_are_kept_as(cluster: Cluster) -> None:
    assert cluster.bucket_profiles.get("bucket") == ""
    cluster.bucket_profiles.put("bucket", "COLD")
    assert cluster.bucket_profiles.get("bucket") == "COLD"
    for storage_class, number in (("STANDARD", 2), ("STANDARD_IA", 2), ("TINY", 3)):
        cluster.put(b"k", payload_of(1, LENGTH), storage_class)
        assert cluster.kept(b"k") == {number}
    assert cluster.house.store.current(cluster.house.store.bucket_get("bucket").bucket_id, b"k")
    cluster.bucket_profiles.delete("bucket")
    cluster.bucket_profiles.delete("bucket")
    cluster.put(b"k", payload_of(1, LENGTH))
    assert cluster.kept(b"k") == {1}


def test_a_bucket_can_name_no_class_and_no_bucket_that_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(S3Error) as refused:
        cluster.bucket_profiles.put("bucket", "WARM")
    assert refused.value.code == "InvalidStorageClass"
    for ask in (cluster.bucket_profiles.get, cluster.bucket_profiles.delete):
        with pytest.raises(S3Error) as absent:
            ask("nowhere")
        assert absent.value.code == "NoSuchBucket"


def test_the_profile_says_up_to_what_size_contents_live_with_their_row(cluster: Cluster) -> None:
    cluster.put(b"small", b"x" * 100, "TINY")
    cluster.put(b"large", b"x" * 101, "TINY")
    assert (cluster.kept(b"small"), cluster.kept(b"large")) == ({0}, {3})


def test_a_copy_within_a_profile_moves_no_byte_and_one_to_another_writes_the_chunks_anew(cluster: Cluster) -> None:
    data = payload_of(1, LENGTH)
    cluster.put(b"source", data)
    for storage_class, number in (("STANDARD", 1), ("COLD", 2)):
        wanted = NOTHING_WANTED._replace(attributes=Attributes(storage_class=storage_class))
        request = CopyRequest(Target("bucket", b"source"), Selection(), Target("bucket", b"copy"), wanted)
        cluster.house.copying.copy(cluster.house.call(), request)
        assert cluster.kept(b"copy") == {number}
        assert (cluster.entries(b"copy") == cluster.entries(b"source")) == (number == 1)
        assert cluster.house.get(b"copy") == data


def test_a_rename_moves_no_byte_whatever_the_class_means_by_now(cluster: Cluster) -> None:
    cluster.put(b"old", payload_of(1, LENGTH))
    before = cluster.entries(b"old")
    cluster.bucket_profiles.put("bucket", "COLD")
    cluster.house.renaming.rename(cluster.house.call(), RenameRequest(Target("bucket", b"new"), b"old"))
    assert cluster.entries(b"new") == before


def test_parts_are_kept_as_their_upload_asks(cluster: Cluster) -> None:
    house = cluster.house
    wanted = Wanted(Attributes(storage_class="COLD"))
    upload = house.multipart.create(house.call(), Target("bucket", b"k"), wanted, "", "")
    target = UploadTarget(Target("bucket", b"k"), upload.upload_id.hex())
    data = payload_of(1, 9 * limits.MIB)
    house.multipart.upload_part(house.call(), target, 1, Incoming(BytesBody(data), NOTHING))
    page = house.store.content_page(house.store.parts_scan(upload.upload_id, 0, 1)[0].ref_id, 0)
    assert {profile_of(entry.blob_id) for entry in page.chunks} == {2}


def test_on_a_single_machine_there_are_no_profiles() -> None:
    bucket = Bucket(b"b", "b", "o", 0, configs={"profile": b"COLD"})
    assert Profiles(lambda: EMPTY).of(bucket, "COLD") == HERE == Keeping(0, limits.INLINE_BYTES_MAX)
    assert HERE.fits([ChunkEntry(bytes(32), bytes(16), 1)])


def test_a_cluster_without_a_profile_for_standard_is_unavailable() -> None:
    placement = replace(several(), classes={"COLD": 2})
    bucket = Bucket(b"b", "b", "o", 0)
    with pytest.raises(Unavailable):
        Profiles(lambda: placement).of(bucket, "STANDARD")
    assert Profiles(lambda: placement).of(bucket, "COLD").profile == 2


def test_collection_removes_every_fragment_of_what_nobody_refers_to(cluster: Cluster) -> None:
    cluster.put(b"k", payload_of(1, LENGTH), "COLD")
    cluster.house.delete(b"k")
    for _ in range(2):  # released and queued, then removed
        cluster.house.now_ms += 1_000_000
        cluster.house.gc.run()
    assert list(cluster.room.store.names()) == []
    assert cluster.room.store.stats().blobs == 0
