"""RenameObject and appends through the use cases: nothing is moved, nothing is lost, nothing half done is seen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.errors import S3Error
from app.core.integrity import NOTHING
from app.core.s3.listing import Query
from app.core.s3.wanted import NOTHING_WANTED
from app.core.types import Version
from app.services.buckets.buckets import Birth
from app.services.objects.objects import Incoming, Selection, Target
from app.services.objects.renaming import RenameRequest
from tests.house import MIB, BytesBody, House, noise
from tests.unit.test_versioned_use_cases import Versioned


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Versioned]:
    made = Versioned(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("size", [0, 5, MIB, 20 * MIB])
def test_a_renamed_object_moves_no_byte_and_leaves_a_marker(house: Versioned, size: int) -> None:
    body = noise(size)
    etag = house.write(b"old", body).etag
    blobs = house.blob_count()
    house.renaming.rename(house.call(), RenameRequest(Target("bucket", b"new"), b"old"))
    assert house.head(b"new").version.etag == etag
    assert house.read(b"new") == body
    assert house.blob_count() == blobs
    assert (b"old", True, True) in house.listed()
    house.check()


def test_a_rename_in_a_bucket_without_versioning_leaves_nothing(house: Versioned) -> None:
    house.buckets.create(house.call(), "plain", Birth())
    house.objects.put(house.call(), Target("plain", b"a"), NOTHING_WANTED, Incoming(BytesBody(b"1"), NOTHING))
    request = RenameRequest(Target("plain", b"b"), b"a", token="token-1")
    house.renaming.rename(house.call(), request)
    keys = [version.key for version in house.listing.objects(house.call(), "plain", "", Query()).items]
    assert keys == [b"b"]
    house.renaming.rename(house.call(), request)  # a client that lost the answer
    with pytest.raises(S3Error, match="IdempotencyParameterMismatch"):
        house.renaming.rename(house.call(), request._replace(source_key=b"c"))
    with pytest.raises(S3Error, match="NoSuchKey"):
        house.renaming.rename(house.call(), request._replace(token="token-2"))


def grow(house: House, key: bytes, body: bytes, offset: int) -> Version:
    incoming = Incoming(BytesBody(body), NOTHING)
    return house.appends.append(house.call(), Target("plain", key), NOTHING_WANTED, incoming, offset)


@pytest.mark.parametrize("sizes", [[0, 3, 4], [5, 20_000, 1], [MIB, MIB, 9 * MIB, 2]])
def test_an_object_grows_by_what_is_put_at_its_end(house: Versioned, sizes: list[int]) -> None:
    house.buckets.create(house.call(), "plain", Birth())
    whole = b""
    etags = set()
    for seed, size in enumerate(sizes):
        added = noise(size, seed)
        version = grow(house, b"log", added, len(whole))
        whole += added
        etags.add(version.etag)
        assert version.size == len(whole)
    assert len(etags) == len(sizes)
    read = house.objects.get(house.call(), Target("plain", b"log"), Selection())
    assert read.pieces is not None
    assert b"".join(bytes(piece) for piece in read.pieces) == whole
    read.pieces.close()
    house.check()


def test_an_append_anywhere_but_at_the_end_is_refused(house: Versioned) -> None:
    house.buckets.create(house.call(), "plain", Birth())
    with pytest.raises(S3Error, match="InvalidWriteOffset"):
        grow(house, b"log", b"x", 1)
    grow(house, b"log", b"abc", 0)
    for offset in (0, 2, 4):
        with pytest.raises(S3Error, match="InvalidWriteOffset"):
            grow(house, b"log", b"x", offset)


def test_an_object_of_a_bucket_with_versioning_does_not_grow(house: Versioned) -> None:
    incoming = Incoming(BytesBody(b"x"), NOTHING)
    with pytest.raises(S3Error, match="InvalidRequest"):
        house.appends.append(house.call(), Target("bucket", b"log"), NOTHING_WANTED, incoming, 0)


def test_what_is_appended_while_an_object_is_renamed_goes_with_it(house: Versioned) -> None:
    house.buckets.create(house.call(), "plain", Birth())
    grow(house, b"log", b"one", 0)
    grow(house, b"log", b"two", 3)  # made of parts by now: one more part leaves their name as it is
    waiting = [b"three"]

    def append_meanwhile(_: Version | None) -> None:
        if waiting:
            grow(house, b"log", waiting.pop(), 6)

    house.renaming.rename(house.call(), RenameRequest(Target("plain", b"kept"), b"log", append_meanwhile))
    read = house.objects.get(house.call(), Target("plain", b"kept"), Selection())
    assert read.pieces is not None
    assert b"".join(bytes(piece) for piece in read.pieces) == b"onetwothree"
    read.pieces.close()
    house.check()


def test_tags_set_while_an_object_is_renamed_go_with_it(house: Versioned) -> None:
    written = house.write(b"old", b"x")
    waiting = [{"keep": "yes"}]

    def tag_meanwhile(_: Version | None) -> None:
        if waiting:
            tags = waiting.pop()
            house.store.version_amend(
                written.bucket_id, b"old", None, lambda found: replace(found.attributes, tags=tags)
            )

    house.renaming.rename(house.call(), RenameRequest(Target("bucket", b"new"), b"old", tag_meanwhile))
    assert house.head(b"new").version.attributes.tags == {"keep": "yes"}


def test_a_rename_asked_again_does_not_take_what_was_put_at_its_source_since(house: Versioned) -> None:
    request = RenameRequest(Target("bucket", b"new"), b"old", token="token-1")
    house.write(b"old", b"first")
    house.renaming.rename(house.call(), request)
    house.write(b"old", b"second")
    house.renaming.rename(house.call(), request)
    assert (house.read(b"new"), house.read(b"old")) == (b"first", b"second")
