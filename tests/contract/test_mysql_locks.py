"""Two transactions that meet on MariaDB: whoever comes second waits, and then decides on what the first one left."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gevent
import pytest

from app.adapters.sql import buckets, commits, references, sweeps, uploads
from app.adapters.sql.mysql import server
from app.adapters.sql.mysql.store import MysqlStore
from app.adapters.sql.mysql.trips import Trips
from app.core.errors import Conflict, Missing
from app.core.s3.version_ids import place_of
from app.core.types import NULL_VERSION, Attributes, BlobClaim, Bucket, Versioning
from app.ports.metadata import Completion, MetadataStore
from tests import mariadb
from tests.contract.metadata import BUCKET, bucket, chunked, entry, inline, marker, new_id, part, upload, version


class First:
    """A transaction held open by hand, and whoever runs into it."""

    def __init__(self) -> None:
        self._connection = mariadb.shared().connect()
        self._observer = mariadb.shared().connect()
        self._trips = Trips(self._connection)
        self._trips.begin()

    def does(self, operation: Callable[..., Any], *args: Any) -> None:
        operation(self._trips, *args)
        self._trips.send()

    def then(self, call: Callable[..., Any], *args: Any) -> Any:
        """`call` waits for a row of ours; it goes on when we have committed. Its outcome, raised or returned."""
        second = gevent.spawn(call, *args)
        with gevent.Timeout(10):
            while not self._waiting():
                assert not second.ready(), f"nobody waited: {second.value!r} {second.exception!r}"
                gevent.sleep(0.01)
        self._trips.commit()
        return second.get(timeout=10)

    def _waiting(self) -> bool:
        cursor = self._observer.cursor()
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
        return cursor.fetchall() != (("Innodb_row_lock_current_waits", "0"),)

    def close(self) -> None:
        server.drop(self._connection)
        server.drop(self._observer)


@pytest.fixture
def store() -> Iterator[MetadataStore]:
    mariadb.shared().wipe()
    opened = MysqlStore(mariadb.shared().url(), 4)
    opened.bucket_create(bucket())
    yield opened
    opened.close()


@pytest.fixture
def first() -> Iterator[First]:
    made = First()
    yield made
    made.close()


class TestChunks:
    def test_a_chunk_somebody_refers_to_just_now_is_not_reclaimed(self, store: MetadataStore, first: First) -> None:
        shared = entry("shared")
        store.commit(chunked(b"old", shared))
        store.delete_current(BUCKET, b"old", marker(b"old"))
        first.does(commits.commit, chunked(b"new", shared, uploaded=False))
        first.then(store.outbox_step, 1_000, 10, 100)
        assert store.chunks_live([shared.chunk_id]) == {shared.chunk_id: shared.blob_id}
        assert store.blobs_due(2**60, 10) == []

    def test_a_chunk_being_reclaimed_is_not_referred_to(self, store: MetadataStore, first: First) -> None:
        shared = entry("shared")
        store.commit(chunked(b"old", shared))
        store.delete_current(BUCKET, b"old", marker(b"old"))
        first.does(sweeps.outbox_step, 1_000, 10, 100)
        with pytest.raises(Conflict):
            first.then(store.commit, chunked(b"new", shared, uploaded=False))
        assert store.gc_counts().chunk_references == 0

    def test_a_chunk_being_reclaimed_is_published_anew(self, store: MetadataStore, first: First) -> None:
        old, new = entry("shared"), entry("shared")
        store.commit(chunked(b"old", old))
        store.delete_current(BUCKET, b"old", marker(b"old"))
        first.does(sweeps.outbox_step, 1_000, 10, 100)
        made = first.then(store.commit, chunked(b"new", new))
        assert store.content_page(made.ref_id, 0).chunks == (new,)
        assert store.blobs_due(2**60, 10) == [old.blob_id]

    def test_of_two_that_publish_a_chunk_the_second_uses_the_blob_of_the_first(
        self, store: MetadataStore, first: First
    ) -> None:
        winner, loser = entry("same"), entry("same")
        first.does(commits.commit, chunked(b"a", winner))
        made = first.then(store.commit, chunked(b"b", loser))
        assert store.content_page(made.ref_id, 0).chunks == (winner,)
        assert store.blobs_due(0, 10) == [loser.blob_id]

    def test_a_blob_being_published_is_no_orphan(self, store: MetadataStore, first: First) -> None:
        mine = entry("mine")
        ask = chunked(b"k", mine)
        first.does(commits.commit, ask)
        claim = BlobClaim(mine.blob_id, mine.chunk_id, ask.content.ref_id)
        assert first.then(store.blobs_queue_orphans, [claim], 5) == 0
        assert store.blobs_due(2**60, 10) == []

    def test_a_blob_being_taken_for_an_orphan_is_not_published(self, store: MetadataStore, first: First) -> None:
        mine = entry("mine")
        ask = chunked(b"k", mine)
        first.does(sweeps.blobs_queue_orphans, [BlobClaim(mine.blob_id, mine.chunk_id, ask.content.ref_id)], 5)
        with pytest.raises(Conflict):
            first.then(store.commit, ask)
        with pytest.raises(Missing):
            store.current(BUCKET, b"k")


class TestAttempts:
    def test_an_attempt_being_given_up_gathers_no_references(self, store: MetadataStore, first: First) -> None:
        attempt = new_id()
        store.intent_open(attempt, 500)
        first.does(sweeps.intents_expire_step, 500, 10)
        with pytest.raises(Conflict):
            first.then(store.pin, attempt, [entry("c").chunk_id])
        assert store.gc_counts().chunk_references == 0

    def test_an_attempt_that_pins_just_now_is_given_up_with_what_it_pinned(
        self, store: MetadataStore, first: First
    ) -> None:
        attempt = new_id()
        store.intent_open(attempt, 500)
        first.does(references.pin, attempt, [entry("c").chunk_id])
        first.then(store.intent_abort, attempt)
        assert store.outbox_step(1_000, 10, 100) > 0
        assert store.gc_counts().chunk_references == 0

    def test_of_a_commit_and_a_janitor_that_meet_the_first_decides(self, store: MetadataStore, first: First) -> None:
        ask = inline(b"k")._replace(pinned=True)
        store.intent_open(ask.content.ref_id, 500)
        first.does(commits.commit, ask)
        assert first.then(store.intents_expire_step, 500, 10) == 0
        assert store.current(BUCKET, b"k").ref_id == ask.content.ref_id


class TestUploads:
    def test_a_part_sent_again_during_the_completion_is_seen_by_it(self, store: MetadataStore, first: First) -> None:
        begun, seen = upload(), part(new_id(), 1)
        store.upload_create(begun)
        seen = seen._replace(part=replace(seen.part, upload_id=begun.upload_id))
        store.part_commit(seen)
        first.does(uploads.part_commit, part(begun.upload_id, 1, data=b"again"))
        with pytest.raises(Conflict):
            first.then(
                store.complete_upload, Completion(version(b"key", begun.upload_id), [replace(seen.part, start=0)])
            )

    def test_a_part_that_comes_after_the_completion_finds_no_upload(self, store: MetadataStore, first: First) -> None:
        begun = upload()
        store.upload_create(begun)
        sent = part(begun.upload_id, 1)
        store.part_commit(sent)
        first.does(uploads.complete, Completion(version(b"key", begun.upload_id), [replace(sent.part, start=0)]))
        with pytest.raises(Missing):
            first.then(store.part_commit, part(begun.upload_id, 2))
        assert len(store.parts_scan(begun.upload_id, 0, 10)) == 1

    def test_of_two_that_send_the_same_part_one_is_released(self, store: MetadataStore, first: First) -> None:
        begun = upload()
        store.upload_create(begun)
        one, other = part(begun.upload_id, 1), part(begun.upload_id, 1)
        first.does(uploads.part_commit, one)
        first.then(store.part_commit, other)
        with pytest.raises(Missing):
            store.content_page(one.part.ref_id, 0)
        assert store.content_page(other.part.ref_id, 0).inline == b"part"


class TestBuckets:
    def test_a_commit_sees_versioning_that_was_switched_on_meanwhile(self, store: MetadataStore, first: First) -> None:
        first.does(buckets.amend, BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED))
        ask = inline(b"k")
        made = first.then(store.commit, ask._replace(version=ask.version._replace(version_id=new_id())))
        assert made.version_id != NULL_VERSION

    def test_a_bucket_is_not_deleted_under_a_commit(self, store: MetadataStore, first: First) -> None:
        first.does(commits.commit, inline(b"k"))
        with pytest.raises(Conflict):
            first.then(store.bucket_delete, BUCKET)

    def test_nothing_is_put_into_a_bucket_being_deleted(self, store: MetadataStore, first: First) -> None:
        first.does(buckets.delete, BUCKET)
        with pytest.raises(Missing):
            first.then(store.commit, inline(b"k"))

    def test_a_name_being_taken_is_taken(self, store: MetadataStore, first: First) -> None:
        first.does(buckets.create, bucket("other", new_id()))
        with pytest.raises(Conflict):
            first.then(store.bucket_create, bucket("other", new_id()))

    def test_changes_of_a_bucket_build_on_each_other(self, store: MetadataStore, first: First) -> None:
        def with_document(kind: str) -> Callable[[Bucket], Bucket]:
            return lambda one: replace(one, configs={**one.configs, kind: b"x"})

        first.does(buckets.amend, BUCKET, with_document("a"))
        assert set(first.then(store.bucket_amend, BUCKET, with_document("b")).configs) == {"a", "b"}


class TestKeys:
    def test_a_change_of_tags_is_not_lost_under_an_overwrite(self, store: MetadataStore, first: First) -> None:
        store.bucket_amend(BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED))
        below = store.commit(inline(b"k"))
        first.does(commits.commit, inline(b"k"))
        tagged = Attributes(tags={"a": "b"})
        amended = first.then(store.version_amend, BUCKET, b"k", place_of(below), lambda _: tagged)
        assert store.version(BUCKET, b"k", place_of(below)) == amended
        assert store.current(BUCKET, b"k").seq > below.seq

    def test_of_two_moves_between_the_same_keys_none_waits_for_ever(self, store: MetadataStore, first: First) -> None:
        for key in (b"a", b"b"):
            store.commit(inline(key, key))
        first.does(commits.commit, inline(b"a", b"1")._replace(moved_from=(b"b", None)))
        made = first.then(store.commit, inline(b"b", b"2")._replace(moved_from=(b"a", None)))
        assert store.currents_scan(BUCKET, b"", True, None, 10) == [made]
