"""Versions through the use cases: stacks, delete markers, null versions, locks, copies and uploads of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import S3Error
from app.core.integrity import NOTHING
from app.core.s3.listing import Query
from app.core.s3.multipart import RequestedPart
from app.core.s3.version_ids import parse_version, place_of, version_text
from app.core.s3.wanted import NOTHING_WANTED, Wanted
from app.core.types import NULL_PLACE, Attributes, Lock, Version, Versioning, VersionPlace
from app.services.buckets.buckets import Birth
from app.services.objects.copying import CopyRequest
from app.services.objects.deleting import Removal, Wish
from app.services.objects.multipart import UploadTarget
from app.services.objects.objects import Incoming, ObjectRead, Selection, Target
from app.services.objects.renaming import RenameRequest
from tests.house import MIB, BytesBody, House, noise


class Versioned(House):
    """A house with a bucket that has versioning, and what tests do to it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.buckets.create(self.call(), "bucket", Birth())
        self.versioning(Versioning.ENABLED)

    def versioning(self, state: Versioning) -> None:
        self.buckets.set_versioning(self.call(), "bucket", "", state)

    def stack(self, key: bytes, *bodies: bytes) -> list[VersionPlace]:
        return [place_of(self.write(key, body)) for body in bodies]

    def write(self, key: bytes, body: bytes, wanted: Wanted = NOTHING_WANTED) -> Version:
        incoming = Incoming(BytesBody(body), NOTHING)
        return self.objects.put(self.call(), Target("bucket", key), wanted, incoming).version

    def read(self, key: bytes, place: VersionPlace | None = None) -> bytes:
        read = self.objects.get(self.call(), Target("bucket", key, place), Selection())
        assert read.pieces is not None
        try:
            return b"".join(bytes(piece) for piece in read.pieces)
        finally:
            read.pieces.close()

    def head(self, key: bytes, place: VersionPlace | None = None) -> ObjectRead:
        return self.objects.head(self.call(), Target("bucket", key, place), Selection())

    def remove(self, key: bytes, place: VersionPlace | None = None, bypass: bool = False) -> Removal:
        return self.deleting.delete(self.call(), Wish(Target("bucket", key, place), bypass=bypass))

    def listed(self, query: Query = Query(), after: str = "") -> list[tuple[bytes, bool, bool]]:  # noqa: B008 -- a value
        found = self.listing.versions(self.call(), "bucket", "", query, after)
        return [
            (version.key, version.delete_marker, latest)
            for version, latest in zip(found.page.items, found.latest, strict=True)
        ]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Versioned]:
    made = Versioned(tmp_path)
    yield made
    made.close()


def refusal(error: pytest.ExceptionInfo[S3Error]) -> tuple[str, dict[str, str]]:
    return error.value.code, error.value.headers


@pytest.mark.parametrize("size", [3, 70_000])
def test_every_version_keeps_its_bytes_under_its_own_id(house: Versioned, size: int) -> None:
    bodies = [noise(size, seed) for seed in range(4)]
    places = house.stack(b"k", *bodies)
    assert [house.read(b"k", place) for place in places] == bodies
    assert house.read(b"k") == bodies[-1]
    assert [parse_version(version_text(house.head(b"k", place).version)) for place in places] == places
    house.check()


def test_a_delete_puts_a_marker_on_top_and_removing_it_brings_the_object_back(house: Versioned) -> None:
    (place,) = house.stack(b"k", b"body")
    removal = house.remove(b"k")
    assert removal.removed is None
    assert removal.marker is not None
    with pytest.raises(S3Error) as error:
        house.read(b"k")
    marker = version_text(removal.marker)
    assert refusal(error) == ("NoSuchKey", {"x-amz-delete-marker": "true", "x-amz-version-id": marker})
    with pytest.raises(S3Error) as error:
        house.head(b"k", place_of(removal.marker))
    code, headers = refusal(error)
    assert (code, headers["Allow"], headers["x-amz-delete-marker"]) == ("MethodNotAllowed", "DELETE", "true")
    assert "Last-Modified" in headers
    assert house.read(b"k", place) == b"body"
    undone = house.remove(b"k", place_of(removal.marker))
    assert undone.removed is not None
    assert undone.removed.delete_marker
    assert house.read(b"k") == b"body"


def test_a_delete_of_what_is_not_there_marks_it_all_the_same(house: Versioned) -> None:
    assert house.remove(b"absent").marker is not None
    assert house.listed() == [(b"absent", True, True)]


def test_an_absent_version_is_named_so_on_read_and_no_error_on_delete(house: Versioned) -> None:
    (place,) = house.stack(b"k", b"body")
    house.remove(b"k", place)
    with pytest.raises(S3Error, match="NoSuchVersion"):
        house.read(b"k", place)
    assert house.remove(b"k", place) == Removal(Target("bucket", b"k", place))
    with pytest.raises(S3Error, match="NoSuchVersion"):
        house.read(b"k", NULL_PLACE)


def test_a_suspended_bucket_writes_its_null_version_anew_and_keeps_the_others(house: Versioned) -> None:
    (old,) = house.stack(b"k", b"old")
    house.versioning(Versioning.SUSPENDED)
    for body in (b"one", b"two"):
        assert place_of(house.write(b"k", body)) == NULL_PLACE
    assert house.head(b"k").shown == "null"
    assert house.read(b"k", NULL_PLACE) == b"two"
    assert house.read(b"k", old) == b"old"
    assert house.listed() == [(b"k", False, True), (b"k", False, False)]
    removal = house.remove(b"k")
    assert removal.removed is not None
    assert removal.marker is not None
    assert place_of(removal.marker) == NULL_PLACE
    assert house.listed() == [(b"k", True, True), (b"k", False, False)]
    house.check()


def test_what_lay_in_a_bucket_before_versioning_is_its_null_version(house: Versioned) -> None:
    house.buckets.create(house.call(), "plain", Birth())
    target = Target("plain", b"k")
    stored = house.objects.put(house.call(), target, NOTHING_WANTED, Incoming(BytesBody(b"first"), NOTHING))
    assert stored.shown == ""
    house.buckets.set_versioning(house.call(), "plain", "", Versioning.ENABLED)
    assert house.objects.head(house.call(), target, Selection()).shown == "null"
    stored = house.objects.put(house.call(), target, NOTHING_WANTED, Incoming(BytesBody(b"second"), NOTHING))
    assert len(stored.shown) == 32
    first = house.objects.head(house.call(), target._replace(version=NULL_PLACE), Selection())
    assert first.version.size == 5


def test_versions_of_one_key_are_listed_over_pages_newest_first(house: Versioned) -> None:
    places = house.stack(b"k", *(b"%d" % number for number in range(7)))
    house.stack(b"a", b"x")
    house.stack(b"z", b"y")
    seen: list[VersionPlace] = []
    latest: list[bool] = []
    after, marker = b"", ""
    while True:
        found = house.listing.versions(house.call(), "bucket", "", Query(after=after, keys_max=2), marker)
        seen += [place_of(version) for version in found.page.items]
        latest += found.latest
        if found.page.last is None:
            break
        after, marker = found.page.last, version_text(found.page.items[-1])
    assert seen[1:8] == places[::-1]
    assert latest == [True, True, *[False] * 6, True]


def test_a_listing_goes_on_behind_a_version_that_is_gone(house: Versioned) -> None:
    places = house.stack(b"k", b"1", b"2", b"3")
    marker = version_text(house.head(b"k", places[1]).version)
    house.remove(b"k", places[1])
    assert house.listed(Query(after=b"k"), marker) == [(b"k", False, False)]
    assert house.listed(Query(after=b"k")) == []
    assert house.listed(Query(after=b"k"), "null") == []


def test_deep_stacks_fold_into_one_common_prefix(house: Versioned) -> None:
    for key in (b"a/1", b"a/2", b"b"):
        house.stack(key, *(b"%d" % number for number in range(15)))
    found = house.listing.versions(house.call(), "bucket", "", Query(delimiter=b"/", keys_max=3))
    assert found.page.prefixes == [b"a/"]
    assert [version.key for version in found.page.items] == [b"b", b"b"]


def test_a_key_that_follows_a_common_prefix_at_once_is_listed_from_its_newest_version(house: Versioned) -> None:
    house.stack(b"a/x", *(b"%d" % number for number in range(8)))
    newest = house.stack(b"a0", *(b"%d" % number for number in range(100)))[-1]
    found = house.listing.versions(house.call(), "bucket", "", Query(delimiter=b"/"))
    assert place_of(found.page.items[0]) == newest
    assert len(found.page.items) == 100


def locked(mode: str = "GOVERNANCE", hold: bool = False) -> Wanted:
    return Wanted(Attributes(), None, Lock(mode, 1_800_000_100_000 if mode else 0, hold))


def lock_house(house: Versioned) -> None:
    """A second bucket, whose versions may be locked, takes the first one's name in what follows."""
    house.buckets.delete(house.call(), "bucket")
    house.buckets.create(house.call(), "bucket", Birth(object_lock=True))


def test_a_locked_version_goes_only_when_its_time_is_over_or_governance_is_bypassed(house: Versioned) -> None:
    lock_house(house)
    governed = place_of(house.write(b"k", b"1", locked()))
    fixed = place_of(house.write(b"k", b"2", locked("COMPLIANCE")))
    held = place_of(house.write(b"k", b"3", locked("", hold=True)))
    for place in (governed, fixed, held):
        with pytest.raises(S3Error, match="AccessDenied"):
            house.remove(b"k", place)
    for place in (fixed, held):
        with pytest.raises(S3Error, match="AccessDenied"):
            house.remove(b"k", place, bypass=True)
    assert house.remove(b"k", governed, bypass=True).removed is not None
    assert house.remove(b"k").marker is not None  # a marker hides a locked version and takes nothing away
    house.later(1_000)
    assert house.remove(b"k", fixed).removed is not None
    with pytest.raises(S3Error, match="AccessDenied"):
        house.remove(b"k", held)


def test_one_locked_version_among_many_deletions_is_an_error_of_its_own(house: Versioned) -> None:
    lock_house(house)
    locked_place = place_of(house.write(b"k", b"1", locked()))
    free = place_of(house.write(b"k", b"2"))
    wishes = [Wish(Target("bucket", b"k", place)) for place in (locked_place, free)]
    refused, done = house.deleting.delete_many(house.call(), wishes)
    assert refused.error is not None
    assert (refused.error.code, done.error) == ("AccessDenied", None)


def test_a_locked_object_is_not_renamed(house: Versioned) -> None:
    lock_house(house)
    house.write(b"k", b"1", locked())
    with pytest.raises(S3Error, match="AccessDenied"):
        house.renaming.rename(house.call(), RenameRequest(Target("bucket", b"new"), b"k"))


def test_versioning_of_a_bucket_with_locks_cannot_be_suspended(house: Versioned) -> None:
    lock_house(house)
    with pytest.raises(S3Error, match="InvalidBucketState"):
        house.versioning(Versioning.SUSPENDED)


@pytest.mark.parametrize("size", [5, MIB])
def test_an_old_version_is_copied_onto_its_own_key(house: Versioned, size: int) -> None:
    bodies = [noise(size, 1), noise(size, 2)]
    places = house.stack(b"k", *bodies)
    source = Target("bucket", b"k", places[0])
    copied = house.copying.copy(house.call(), CopyRequest(source, Selection(), Target("bucket", b"k")))
    assert house.read(b"k") == bodies[0]
    assert parse_version(copied.source_shown) == places[0]
    assert len(house.listed()) == 3
    house.check()


def test_a_delete_marker_is_no_source_of_a_copy(house: Versioned) -> None:
    house.stack(b"k", b"1")
    marker = house.remove(b"k").marker
    assert marker is not None
    target = Target("bucket", b"new")
    named = CopyRequest(Target("bucket", b"k", place_of(marker)), Selection(), target)
    with pytest.raises(S3Error, match="InvalidRequest"):
        house.copying.copy(house.call(), named)
    request = CopyRequest(Target("bucket", b"k"), Selection(), target)
    with pytest.raises(S3Error, match="NoSuchKey"):
        house.copying.copy(house.call(), request)


def test_a_copy_keeps_tags_or_replaces_them_and_names_its_own_storage_class(house: Versioned) -> None:
    house.write(b"k", b"1", Wanted(Attributes({}, {"a": "b"}, "STANDARD_IA", {"t": "1"})))
    kept = house.copying.copy(house.call(), CopyRequest(Target("bucket", b"k"), Selection(), Target("bucket", b"c")))
    assert kept.version.attributes.tags == {"t": "1"}
    assert kept.version.attributes.metadata == {"a": "b"}
    assert kept.version.attributes.storage_class == "STANDARD"
    wanted = Wanted(Attributes(tags={"t": "2"}))
    request = CopyRequest(Target("bucket", b"k"), Selection(), Target("bucket", b"c"), wanted, replaces_tags=True)
    replaced = house.copying.copy(house.call(), request)
    assert replaced.version.attributes.tags == {"t": "2"}
    assert replaced.version.attributes.metadata == {"a": "b"}


def test_an_unknown_storage_class_is_refused(house: Versioned) -> None:
    with pytest.raises(S3Error, match="InvalidStorageClass"):
        house.write(b"k", b"1", Wanted(Attributes(storage_class="FAST")))


def uploaded(house: Versioned, key: bytes, body: bytes) -> tuple[UploadTarget, list[RequestedPart]]:
    made = house.multipart.create(house.call(), Target("bucket", key), NOTHING_WANTED, "", "")
    target = UploadTarget(Target("bucket", key), made.upload_id.hex())
    part = house.multipart.upload_part(house.call(), target, 1, Incoming(BytesBody(body), NOTHING)).part
    return target, [RequestedPart(1, part.etag)]


def test_completed_uploads_stack_like_any_other_write(house: Versioned) -> None:
    house.stack(b"k", b"old")
    target, requested = uploaded(house, b"k", b"upload")
    stored = house.multipart.complete(house.call(), target, requested, None)
    assert stored.shown == version_text(stored.version)
    assert house.read(b"k") == b"upload"
    assert len(house.listed()) == 2
    house.check()


def test_a_retried_completion_finds_its_version_under_newer_ones_and_a_marker(house: Versioned) -> None:
    target, requested = uploaded(house, b"k", b"upload")
    first = house.multipart.complete(house.call(), target, requested, None)
    house.stack(b"k", b"newer", b"newest")
    house.remove(b"k")
    assert house.multipart.complete(house.call(), target, requested, None) == first


def test_a_part_is_copied_from_an_old_version(house: Versioned) -> None:
    old, _ = house.stack(b"k", b"old bytes", b"new bytes")
    made = house.multipart.create(house.call(), Target("bucket", b"m"), NOTHING_WANTED, "", "")
    target = UploadTarget(Target("bucket", b"m"), made.upload_id.hex())
    (part, _), read = house.multipart.copy_part(house.call(), target, 1, Target("bucket", b"k", old), Selection())
    assert parse_version(read.shown) == old
    house.multipart.complete(house.call(), target, [RequestedPart(1, part.etag)], None)
    assert house.read(b"m") == b"old bytes"


def test_a_bucket_with_a_delete_marker_is_not_empty(house: Versioned) -> None:
    house.remove(b"k")
    with pytest.raises(S3Error, match="BucketNotEmpty"):
        house.buckets.delete(house.call(), "bucket")


def test_a_condition_on_a_version_is_decided_on_that_version(house: Versioned) -> None:
    first, second = house.stack(b"k", b"1", b"22")

    def only_small(version: Version | None) -> None:
        if version is None or version.size > 1:
            raise S3Error("PreconditionFailed")

    with pytest.raises(S3Error, match="PreconditionFailed"):
        house.deleting.delete(house.call(), Wish(Target("bucket", b"k", second), only_small))
    assert house.deleting.delete(house.call(), Wish(Target("bucket", b"k", first), only_small)).removed is not None
