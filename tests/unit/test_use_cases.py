"""The use cases over the real metadata store and the memory chunk store, in one process, without a wire."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from app.core.errors import S3Error, Unavailable
from app.core.integrity import NOTHING, Integrity
from app.core.s3.listing import Query
from app.core.s3.multipart import RequestedPart
from app.core.s3.wanted import NOTHING_WANTED
from app.services.background.check import Check
from app.services.buckets.buckets import Birth
from app.services.call import Caller
from app.services.objects.copying import CopyRequest
from app.services.objects.deleting import Wish
from app.services.objects.multipart import UploadTarget
from app.services.objects.objects import Incoming, Selection, Target
from tests.house import MIB, OTHER, BytesBody, House, noise


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.buckets.create(made.call(), "bucket", Birth())
    yield made
    made.close()


SIZES = [0, 1, 5, 16 * 1024, 16 * 1024 + 1, 70_000, MIB, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB + 3]


@pytest.mark.parametrize("size", SIZES)
def test_what_was_put_is_read_back_with_its_md5_as_etag(house: House, size: int) -> None:
    data = noise(size)
    assert house.put(b"key", data) == hashlib.md5(data).hexdigest()
    assert house.get(b"key") == data
    house.check()


@pytest.mark.parametrize("span", [(0, 1), (8 * MIB - 1, 2), (5, 16 * MIB), (20 * MIB, 3), (65_535, 2)])
def test_a_span_is_the_same_slice_of_the_object(house: House, span: tuple[int, int]) -> None:
    data = noise(20 * MIB + 3)
    house.put(b"key", data)
    assert house.get(b"key", span) == data[span[0] : span[0] + span[1]]


def test_equal_chunks_are_stored_once_and_leave_with_the_last_reference(house: House) -> None:
    data = noise(20 * MIB)
    house.put(b"one", data)
    house.put(b"two", data)
    house.put(b"three", data[: 8 * MIB])
    assert house.blob_count() == 3
    house.delete(b"one")
    house.delete(b"two")
    house.gc.run()
    house.later(400)
    house.gc.run()
    assert house.blob_count() == 1
    assert house.get(b"three") == data[: 8 * MIB]
    house.check()


def test_an_object_of_equal_chunks_refers_to_one_blob(house: House) -> None:
    house.put(b"zeros", bytes(33 * MIB))
    assert house.blob_count() == 2
    assert house.get(b"zeros") == bytes(33 * MIB)


def test_a_blob_waits_for_its_grace_unless_in_a_hurry(house: House) -> None:
    house.put(b"key", noise(MIB))
    house.delete(b"key")
    house.later(10)
    assert house.gc.run().blobs_removed == 0
    house.later(10)
    assert house.gc.run(hurry=True).blobs_removed == 1


def test_a_read_under_way_keeps_the_blobs_released_after_it_began(house: House) -> None:
    data = noise(20 * MIB)
    house.put(b"key", data)
    read = house.objects.get(house.call(), Target("bucket", b"key"), Selection())
    house.board.publish(house.reading.oldest_ms())
    house.later(1)
    house.delete(b"key")
    house.gc.run()
    house.later(4000)
    assert house.gc.run(hurry=True).blobs_removed == 0
    assert read.pieces is not None
    assert b"".join(bytes(piece) for piece in read.pieces) == data  # type: ignore[arg-type]
    read.pieces.close()
    house.board.publish(house.reading.oldest_ms())
    assert house.gc.run().blobs_removed == 3


@pytest.mark.parametrize("size", [100, MIB, 20 * MIB])
def test_a_client_that_disconnects_leaves_no_version_and_no_blob(house: House, size: int) -> None:
    data = noise(size)
    with pytest.raises(S3Error, match="IncompleteBody"):
        house.objects.put(
            house.call(), Target("bucket", b"key"), NOTHING_WANTED, Incoming(BytesBody(data, size - 1), NOTHING)
        )
    with pytest.raises(S3Error, match="NoSuchKey"):
        house.get(b"key")
    house.gc.run()
    house.later(400)
    house.gc.run()
    assert house.blob_count() == 0
    counts = house.store.gc_counts()
    assert (counts.intents, counts.outbox, counts.chunks, counts.chunk_references) == (0, 0, 0, 0)


@pytest.mark.parametrize("size", [100, MIB, 20 * MIB])
def test_a_wrong_digest_stores_nothing(house: House, size: int) -> None:
    with pytest.raises(S3Error, match="BadDigest"):
        house.put(b"key", noise(size), Integrity(content_md5=bytes(16)))
    with pytest.raises(S3Error, match="NoSuchKey"):
        house.get(b"key")
    house.gc.run()
    house.later(400)
    house.gc.run()
    assert house.blob_count() == 0


def test_a_deduplicated_chunk_that_is_collected_meanwhile_is_uploaded_after_all(house: House) -> None:
    data = noise(MIB)
    house.put(b"old", data)
    with house.blobs.take_in(house.call(), BytesBody(data), {"MD5"}) as intake:
        house.delete(b"old")
        house.gc.run()
        house.later(400)
        house.gc.run()
        assert house.blob_count() == 0
        house.put(b"x", b"")
        bucket, head = house.objects.find(house.call(), Target("bucket", b"x"), "s3:GetObject")
        version = head._replace(key=b"new", ref_id=intake.ref_id, size=MIB, etag=intake.digests["MD5"].hex())
        house.objects.commit(house.call(), bucket, intake, version, None)
    assert house.get(b"new") == data
    house.check()


@pytest.mark.parametrize("size", [5, MIB, 20 * MIB])
def test_a_copy_moves_no_byte_and_outlives_its_source(house: House, size: int) -> None:
    data = noise(size)
    etag = house.put(b"source", data)
    before = house.blob_count()
    copy = CopyRequest(Target("bucket", b"source"), Selection(), Target("bucket", b"copy"))
    assert house.copying.copy(house.call(), copy).version.etag == etag
    assert house.blob_count() == before
    house.delete(b"source")
    house.gc.run()
    house.later(400)
    house.gc.run()
    assert house.get(b"copy") == data
    house.check()


def test_a_copy_with_a_new_checksum_reads_the_source(house: House) -> None:
    data = noise(20 * MIB)
    house.put(b"source", data)
    copy = CopyRequest(Target("bucket", b"source"), Selection(), Target("bucket", b"copy"), algorithm="SHA256")
    checksum = house.copying.copy(house.call(), copy).version.checksum
    assert checksum is not None
    assert checksum.algorithm == "SHA256"
    assert house.get(b"copy") == data


def test_a_copy_onto_itself_needs_a_change(house: House) -> None:
    house.put(b"key", b"data")
    copy = CopyRequest(Target("bucket", b"key"), Selection(), Target("bucket", b"key"))
    with pytest.raises(S3Error, match="InvalidRequest"):
        house.copying.copy(house.call(), copy)


def upload(house: House, key: bytes, parts: list[bytes]) -> tuple[UploadTarget, list[RequestedPart]]:
    made = house.multipart.create(house.call(), Target("bucket", key), NOTHING_WANTED, "", "")
    target = UploadTarget(Target("bucket", key), made.upload_id.hex())
    requested = []
    for number, data in enumerate(parts, 1):
        part = house.multipart.upload_part(house.call(), target, number, Incoming(BytesBody(data), NOTHING)).part
        requested.append(RequestedPart(number, part.etag))
    return target, requested


def test_a_multipart_object_is_its_parts_in_order_and_copies_like_any_other(house: House) -> None:
    parts = [noise(5 * MIB, 1), noise(9 * MIB, 2), noise(100, 3)]
    target, requested = upload(house, b"big", parts)
    version = house.multipart.complete(house.call(), target, requested, None).version
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    assert version.etag == f"{hashlib.md5(digests).hexdigest()}-3"
    whole = b"".join(parts)
    assert house.get(b"big") == whole
    assert house.get(b"big", (5 * MIB - 1, 9 * MIB + 5)) == whole[5 * MIB - 1 : 14 * MIB + 4]
    copy = CopyRequest(Target("bucket", b"big"), Selection(), Target("bucket", b"copy"))
    house.copying.copy(house.call(), copy)
    house.delete(b"big")
    house.gc.run()
    house.later(400)
    house.gc.run()
    assert house.get(b"copy") == whole
    house.check()


def test_a_retried_completion_answers_as_before_and_an_abort_is_refused(house: House) -> None:
    target, requested = upload(house, b"big", [noise(5 * MIB), b"end"])
    first = house.multipart.complete(house.call(), target, requested, None)
    assert house.multipart.complete(house.call(), target, requested, None) == first
    with pytest.raises(S3Error, match="NoSuchUpload"):
        house.multipart.complete(house.call(), target, requested[:1], None)
    with pytest.raises(S3Error, match="NoSuchUpload"):
        house.multipart.abort(house.call(), target)


def test_a_replaced_part_an_unused_part_and_an_aborted_upload_free_their_blobs(house: House) -> None:
    target, requested = upload(house, b"big", [noise(5 * MIB, 1), noise(5 * MIB, 2), noise(5 * MIB, 3)])
    again = house.multipart.upload_part(house.call(), target, 1, Incoming(BytesBody(noise(6 * MIB, 4)), NOTHING)).part
    house.multipart.complete(house.call(), target, [RequestedPart(1, again.etag), requested[1]], None)
    aborted, _ = upload(house, b"other", [noise(5 * MIB, 9)])
    house.multipart.abort(house.call(), aborted)
    for _ in range(2):
        house.gc.run()
        house.later(400)
    assert house.blob_count() == 2
    assert house.get(b"big") == noise(6 * MIB, 4) + noise(5 * MIB, 2)
    house.check()


def test_a_part_copied_from_a_span_is_that_span(house: House) -> None:
    data = noise(20 * MIB)
    house.put(b"source", data)
    target, _ = upload(house, b"big", [])
    selection = Selection(span=lambda size: (3, 9 * MIB))
    (part, _), _ = house.multipart.copy_part(house.call(), target, 1, Target("bucket", b"source"), selection)
    house.multipart.complete(house.call(), target, [RequestedPart(1, part.etag)], None)
    assert house.get(b"big") == data[3 : 3 + 9 * MIB]


def test_uploads_of_one_key_are_listed_over_several_pages(house: House) -> None:
    made = [house.multipart.create(house.call(), Target("bucket", b"k"), NOTHING_WANTED, "", "") for _ in range(5)]
    other = house.multipart.create(house.call(), Target("bucket", b"l"), NOTHING_WANTED, "", "")
    first = house.listing.uploads(house.call(), "bucket", "", Query(keys_max=3))
    assert [each.upload_id for each in first.items] == [each.upload_id for each in made[:3]]
    assert first.is_truncated
    query = Query(after=b"k", keys_max=10)
    rest = house.listing.uploads(house.call(), "bucket", "", query, first.items[-1].upload_id)
    assert [each.upload_id for each in rest.items] == [each.upload_id for each in [*made[3:], other]]


def test_an_upload_belongs_to_its_key(house: House) -> None:
    target, _ = upload(house, b"key", [])
    elsewhere = UploadTarget(Target("bucket", b"other"), target.upload_id)
    for wrong in (elsewhere, UploadTarget(Target("bucket", b"key"), "x" * 32), UploadTarget(target.object, "")):
        with pytest.raises(S3Error, match="NoSuchUpload"):
            house.multipart.find(house.call(), wrong)


def test_only_the_owner_and_root_may_use_a_bucket(house: House) -> None:
    house.put(b"key", b"data")
    with pytest.raises(S3Error, match="AccessDenied"):
        house.objects.get(house.call(OTHER), Target("bucket", b"key"), Selection())
    root = Caller("000000000000", "c" * 64, "root", "RK", root=True)
    assert house.objects.head(house.call(root), Target("bucket", b"key"), Selection()).version.size == 4
    with pytest.raises(S3Error, match="BucketAlreadyExists"):
        house.buckets.create(house.call(OTHER), "bucket", Birth())
    with pytest.raises(S3Error, match="BucketAlreadyOwnedByYou"):
        house.buckets.create(house.call(), "bucket", Birth())


def test_deletes_of_many_keys_answer_each_in_order(house: House) -> None:
    keys = [b"k%03d" % number for number in range(200)]
    for key in keys[::2]:
        house.put(key, b"x")

    def refuse(version: object) -> None:
        raise S3Error("PreconditionFailed")

    wishes = [Wish(Target("bucket", key), refuse if key == b"k100" else None) for key in keys]
    done = house.deleting.delete_many(house.call(), wishes)
    assert [each.target.key for each in done] == keys
    assert [each.target.key for each in done if each.error] == [b"k100"]
    assert [v.key for v in house.listing.objects(house.call(), "bucket", "", Query()).items] == [b"k100"]


def test_uploads_beyond_the_buffer_budget_wait_and_finish(house: House) -> None:
    bodies = [noise(17 * MIB, seed) for seed in range(8)]
    gevent.joinall(
        [gevent.spawn(house.put, b"k%d" % number, body) for number, body in enumerate(bodies)], raise_error=True
    )
    for number, body in enumerate(bodies):
        assert house.get(b"k%d" % number) == body


def test_a_check_names_a_lost_chunk_and_the_object_it_takes_along(house: House) -> None:
    house.put(b"lost", noise(MIB, 1))
    house.put(b"fine", noise(MIB, 2))
    lost = next(iter(house.store.chunks_walk(b"", 10)))
    house.chunks.delete(lost.blob_id)
    report = Check(house.store, house.chunks, house.sources, lambda line: None).run()
    assert report.unreadable == 1
    assert {finding.kind for finding in report.findings} == {"missing"}


def test_a_store_that_is_busy_for_one_key_answers_for_the_others(house: House) -> None:
    house.put(b"a", b"x")
    house.put(b"b", b"x")

    def busy(version: object) -> None:
        raise Unavailable("busy")

    wishes = [Wish(Target("bucket", b"a"), busy), Wish(Target("bucket", b"b"))]
    first, second = house.deleting.delete_many(house.call(), wishes)
    assert first.error is not None
    assert (first.error.code, second.error) == ("SlowDown", None)
