"""The promises of app/ports/metadata.py, held against every implementation."""

from dataclasses import replace

import gevent
import pytest

from app.core.errors import Conflict, Missing, S3Error, Unavailable
from app.core.limits import MANIFEST_PAGE_ENTRIES
from app.core.types import Attributes, Checksum, ChunkEntry, Content, Usage, Version
from app.ports.metadata import Completion, Deletion, MetadataStore
from tests.contract.metadata import (
    BUCKET,
    OWNER,
    bucket,
    chunk,
    chunked,
    drain,
    entry,
    inline,
    marker,
    new_id,
    part,
    upload,
    version,
)


def refuse(_: Version | None) -> None:
    raise S3Error("PreconditionFailed")


def keys(versions: list[Version]) -> list[bytes]:
    return [one.key for one in versions]


class TestBuckets:
    def test_a_bucket_is_read_back_as_it_was_created(self, store: MetadataStore) -> None:
        made = replace(bucket("other", new_id()), region="eu-west-1")
        store.bucket_create(made)
        assert store.bucket_get("other") == made

    def test_a_name_is_taken_once_whoever_asks(self, store: MetadataStore) -> None:
        with pytest.raises(Conflict):
            store.bucket_create(bucket("bucket", new_id(), "somebody else"))

    def test_a_bucket_that_is_not_there_is_missing(self, store: MetadataStore) -> None:
        with pytest.raises(Missing):
            store.bucket_get("nowhere")
        with pytest.raises(Missing):
            store.bucket_delete(new_id())

    def test_a_bucket_goes_only_when_versions_and_uploads_are_gone(self, store: MetadataStore) -> None:
        store.commit(inline(b"k"))
        with pytest.raises(Conflict):
            store.bucket_delete(BUCKET)
        store.delete_current(BUCKET, b"k", marker(b"k"))
        begun = upload()
        store.upload_create(begun)
        with pytest.raises(Conflict):
            store.bucket_delete(BUCKET)
        store.upload_abort(begun.upload_id)
        store.bucket_delete(BUCKET)
        with pytest.raises(Missing):
            store.bucket_get("bucket")

    def test_buckets_are_scanned_by_owner_prefix_and_name(self, store: MetadataStore) -> None:
        for name in ("alpha", "beta-1", "beta-2", "beta-3"):
            store.bucket_create(bucket(name, new_id()))
        store.bucket_create(bucket("beta-4", new_id(), "another"))

        def names(owner: str, prefix: str, after: str, limit: int) -> list[str]:
            return [one.name for one in store.buckets_scan(owner, prefix, after, limit)]

        assert names(OWNER, "", "", 10) == ["alpha", "beta-1", "beta-2", "beta-3", "bucket"]
        assert names(OWNER, "beta-", "beta-1", 1) == ["beta-2"]
        assert names("", "beta-", "", 10) == ["beta-1", "beta-2", "beta-3", "beta-4"]

    def test_nothing_is_written_into_a_bucket_that_is_gone(self, store: MetadataStore) -> None:
        store.bucket_delete(BUCKET)
        with pytest.raises(Missing):
            store.commit(inline(b"k"))
        with pytest.raises(Missing):
            store.delete_current(BUCKET, b"k", marker(b"k"))
        with pytest.raises(Missing):
            store.upload_create(upload())


class TestVersions:
    def test_a_version_and_its_inline_bytes_are_read_back_whole(self, store: MetadataStore) -> None:
        ask = inline(b"k", b"\x00bytes")
        attributes = Attributes({"content-type": "text/plain"}, {"who": "Zoë \udc80"[:3]}, "ARCHIVE", {"t": "1"})
        checksum = Checksum("CRC32", "AAAA==", "COMPOSITE")
        ask = ask._replace(version=ask.version._replace(attributes=attributes, checksum=checksum))
        made = store.commit(ask)
        assert made == ask.version._replace(seq=made.seq)
        assert made.seq > 0
        found, page = store.current_with_content(BUCKET, b"k")
        assert found == made == store.current(BUCKET, b"k")
        assert page is not None
        assert (page.inline, page.chunks, page.start, page.more) == (b"\x00bytes", (), 0, False)
        assert store.content_page(made.ref_id, 0) == page

    def test_an_empty_object_has_empty_inline_bytes(self, store: MetadataStore) -> None:
        store.commit(inline(b"k", b""))
        page = store.current_with_content(BUCKET, b"k")[1]
        assert page is not None
        assert page.inline == b""

    def test_a_key_without_version_is_missing(self, store: MetadataStore) -> None:
        for read in (store.current, store.current_with_content):
            with pytest.raises(Missing):
                read(BUCKET, b"nothing")
        with pytest.raises(Missing):
            store.content_page(new_id(), 0)

    def test_a_long_manifest_is_cut_into_pages_with_their_starts(self, store: MetadataStore) -> None:
        entries = tuple(ChunkEntry(chunk(f"c{n}"), new_id(), 10) for n in range(MANIFEST_PAGE_ENTRIES + 3))
        made = store.commit(chunked(b"k", *entries))
        first = store.current_with_content(BUCKET, b"k")[1]
        second = store.content_page(made.ref_id, 1)
        assert first is not None
        assert (first.start, first.more, len(first.chunks)) == (0, True, MANIFEST_PAGE_ENTRIES)
        assert (second.start, second.more) == (MANIFEST_PAGE_ENTRIES * 10, False)
        assert first.chunks + second.chunks == entries
        with pytest.raises(Missing):
            store.content_page(made.ref_id, 2)

    def test_overwriting_replaces_and_releases_and_seq_grows(self, store: MetadataStore) -> None:
        first = store.commit(inline(b"k", b"1"))
        second = store.commit(inline(b"k", b"2"))
        assert second.seq > first.seq
        assert store.current(BUCKET, b"k") == second
        with pytest.raises(Missing):
            store.content_page(first.ref_id, 0)
        assert store.versions_walk(None, 10) == [second]

    def test_deleting_answers_what_was_there(self, store: MetadataStore) -> None:
        made = store.commit(inline(b"k"))
        assert store.delete_current(BUCKET, b"k", marker(b"k")) == Deletion(made)
        assert store.delete_current(BUCKET, b"k", marker(b"k")) == Deletion()
        with pytest.raises(Missing):
            store.content_page(made.ref_id, 0)

    def test_a_check_sees_the_current_version_and_refuses_without_a_trace(self, store: MetadataStore) -> None:
        seen: list[Version | None] = []
        store.commit(inline(b"k")._replace(check=seen.append))
        made = store.commit(inline(b"k")._replace(check=seen.append))
        refused = inline(b"k")._replace(check=refuse)
        with pytest.raises(S3Error):
            store.commit(refused)
        with pytest.raises(S3Error):
            store.delete_current(BUCKET, b"k", marker(b"k"), refuse)
        assert seen[0] is None
        assert seen[1] is not None
        assert store.current(BUCKET, b"k") == made
        with pytest.raises(Missing):
            store.content_page(refused.content.ref_id, 0)


class TestScans:
    EDGES = sorted(
        [b"\x00", b"\x00\x00", b"a", b"a\x00", b"a\xff", b"b", b"\xff", b"\xff\xff", b"k" * 1024, b"k" * 1023]
    )

    def test_keys_come_in_binary_order_between_the_bounds(self, store: MetadataStore) -> None:
        for key in self.EDGES:
            store.commit(inline(key))
        assert keys(store.currents_scan(BUCKET, b"", True, None, 100)) == self.EDGES
        for at, key in enumerate(self.EDGES):
            assert keys(store.currents_scan(BUCKET, key, True, None, 100)) == self.EDGES[at:]
            assert keys(store.currents_scan(BUCKET, key, False, None, 100)) == self.EDGES[at + 1 :]
            assert keys(store.currents_scan(BUCKET, b"", True, key, 100)) == self.EDGES[:at]
        assert keys(store.currents_scan(BUCKET, b"a", False, b"\xff", 2)) == [b"a\x00", b"a\xff"]

    def test_a_scan_stays_in_its_bucket_and_carries_what_a_listing_shows(self, store: MetadataStore) -> None:
        other = new_id()
        store.bucket_create(bucket("other", other))
        store.commit(inline(b"theirs", bucket_id=other))
        ask = inline(b"mine")
        made = store.commit(ask._replace(version=ask.version._replace(attributes=Attributes(storage_class="COLD"))))
        assert store.currents_scan(BUCKET, b"", True, None, 10) == [made]

    def test_the_walk_visits_every_bucket_once(self, store: MetadataStore) -> None:
        other = b"C" * 16
        store.bucket_create(bucket("other", other))
        made = [store.commit(inline(key, bucket_id=where)) for where in (BUCKET, other) for key in (b"a", b"b")]
        walked: list[Version] = []
        while step := store.versions_walk(
            (walked[-1].bucket_id, walked[-1].key, walked[-1].seq) if walked else None, 1
        ):
            walked += step
        assert walked == made


class TestUploads:
    def test_an_upload_is_read_back_until_it_is_aborted(self, store: MetadataStore) -> None:
        begun = upload()
        store.upload_create(begun)
        assert store.upload_get(begun.upload_id) == begun
        store.upload_abort(begun.upload_id)
        for forget in (store.upload_get, store.upload_abort):
            with pytest.raises(Missing):
                forget(begun.upload_id)
        with pytest.raises(Missing):
            store.part_commit(part(begun.upload_id, 1))

    def test_uploads_are_scanned_by_key_and_id(self, store: MetadataStore) -> None:
        begun = [upload(key) for key in (b"a", b"a", b"b", b"\xff")]
        for one in begun:
            store.upload_create(one)
        a, a2, b, ff = sorted(begun, key=lambda one: (one.key, one.upload_id))
        assert store.uploads_scan(BUCKET, b"", b"", None, 10) == [a, a2, b, ff]
        assert store.uploads_scan(BUCKET, b"a", b"", None, 10) == [a, a2, b, ff]
        assert store.uploads_scan(BUCKET, b"a", a.upload_id, b"\xff", 10) == [a2, b]
        assert store.uploads_scan(BUCKET, b"a", b"\xff" * 16, None, 1) == [b]

    def test_parts_are_scanned_by_number_and_a_part_sent_again_replaces(self, store: MetadataStore) -> None:
        begun = upload()
        store.upload_create(begun)
        first, again, third = part(begun.upload_id, 1), part(begun.upload_id, 1), part(begun.upload_id, 3)
        for one in (first, third, again):
            store.part_commit(one)
        assert store.parts_scan(begun.upload_id, 0, 10) == [again.part, third.part]
        assert store.parts_scan(begun.upload_id, 1, 10) == [third.part]
        with pytest.raises(Missing):
            store.content_page(first.part.ref_id, 0)

    def test_completing_makes_a_version_of_the_chosen_parts_and_releases_the_rest(self, store: MetadataStore) -> None:
        begun = upload()
        store.upload_create(begun)
        sent = [part(begun.upload_id, number, data=b"x" * number) for number in (1, 2, 5)]
        for one in sent:
            store.part_commit(one)
        chosen = [replace(sent[0].part, start=0), replace(sent[2].part, start=1)]
        made = store.complete_upload(Completion(version(b"key", begun.upload_id, 6), chosen))
        assert made.part_count == 2
        assert store.current_with_content(BUCKET, b"key") == (made, None)
        assert store.parts_scan(begun.upload_id, 0, 10) == chosen
        assert [store.part_at(begun.upload_id, offset).number for offset in range(6)] == [1, 5, 5, 5, 5, 5]
        with pytest.raises(Missing):
            store.part_at(begun.upload_id, 6)
        for gone in (store.upload_get, store.upload_abort):
            with pytest.raises(Missing):
                gone(begun.upload_id)
        drain(store)
        with pytest.raises(Missing):
            store.content_page(sent[1].part.ref_id, 0)

    @pytest.mark.parametrize("wrong", ["etag", "ref_id", "number"])
    def test_completing_with_a_part_that_is_not_the_stored_one_conflicts(
        self, store: MetadataStore, wrong: str
    ) -> None:
        begun = upload()
        store.upload_create(begun)
        sent = part(begun.upload_id, 1)
        store.part_commit(sent)
        changed = {
            "etag": replace(sent.part, etag="f" * 32),
            "ref_id": replace(sent.part, ref_id=new_id()),
            "number": replace(sent.part, number=2),
        }[wrong]
        with pytest.raises(Conflict):
            store.complete_upload(Completion(version(b"key", begun.upload_id, 4), [changed]))
        assert store.upload_get(begun.upload_id) == begun

    def test_completing_obeys_its_check_and_needs_the_upload(self, store: MetadataStore) -> None:
        begun = upload()
        store.upload_create(begun)
        with pytest.raises(S3Error):
            store.complete_upload(Completion(version(b"key", begun.upload_id), [], refuse))
        with pytest.raises(Missing):
            store.complete_upload(Completion(version(b"key", new_id()), []))

    def test_many_parts_are_released_in_bounded_steps(self, store: MetadataStore) -> None:
        begun = upload()
        store.upload_create(begun)
        gevent.joinall(
            [gevent.spawn(store.part_commit, part(begun.upload_id, number)) for number in range(1, 901)],
            raise_error=True,
        )
        store.upload_abort(begun.upload_id)
        assert drain(store, limit=30) >= 30
        assert store.parts_scan(begun.upload_id, 0, 1) == []
        assert store.gc_counts().outbox == 0


class TestLeases:
    def test_one_holder_at_a_time_until_the_lease_is_over(self, store: MetadataStore) -> None:
        assert store.lease_take("sweep", "a", 100, 50)
        assert not store.lease_take("sweep", "b", 149, 50)
        assert store.lease_take("other", "b", 149, 50)
        assert store.lease_take("sweep", "a", 149, 50)
        assert not store.lease_take("sweep", "b", 198, 50)
        assert store.lease_take("sweep", "b", 199, 50)


class TestGroupCommit:
    def test_one_refusal_in_a_batch_leaves_the_others_alone(self, store: MetadataStore) -> None:
        asks = [inline(b"%03d" % number) for number in range(60)]
        asks = [ask._replace(check=refuse) if number % 3 == 0 else ask for number, ask in enumerate(asks)]
        jobs = [gevent.spawn(store.commit, ask) for ask in asks]
        gevent.joinall(jobs)
        failed = [number for number, job in enumerate(jobs) if job.exception is not None]
        assert failed == list(range(0, 60, 3))
        assert len(store.currents_scan(BUCKET, b"", True, None, 100)) == 40

    def test_a_failure_after_writes_is_undone_alone(self, store: MetadataStore) -> None:
        taken = inline(b"taken")
        store.commit(taken)
        jobs = [gevent.spawn(store.commit, inline(b"good"))]
        late = chunked(b"bad", entry("x"), ChunkEntry(chunk("y"), new_id(), 1), uploaded=False)
        jobs.append(gevent.spawn(store.commit, late._replace(uploaded=frozenset([chunk("x")]))))
        gevent.joinall(jobs)
        assert jobs[0].exception is None
        assert isinstance(jobs[1].exception, Conflict)
        assert store.gc_counts().chunk_references == 0

    def test_of_racing_creators_in_one_process_exactly_one_wins(self, store: MetadataStore) -> None:
        def absent(current: Version | None) -> None:
            if current is not None:
                raise S3Error("PreconditionFailed")

        jobs = [gevent.spawn(store.commit, inline(b"k")._replace(check=absent)) for _ in range(50)]
        gevent.joinall(jobs)
        assert sum(job.exception is None for job in jobs) == 1

    def test_closing_finishes_what_waits_and_refuses_what_comes(self, store: MetadataStore) -> None:
        jobs = [gevent.spawn(store.commit, inline(b"%d" % number)) for number in range(20)]
        gevent.sleep(0)
        store.close()
        gevent.joinall(jobs, raise_error=True)
        store.close()
        with pytest.raises(Unavailable):
            store.commit(inline(b"late"))
        with pytest.raises(Unavailable):
            store.current(BUCKET, b"0")

    def test_a_content_may_be_read_while_its_key_is_replaced(self, store: MetadataStore) -> None:
        made = store.commit(chunked(b"k", entry("one")))
        store.commit(inline(b"k"))
        assert store.content_page(made.ref_id, 0).chunks
        assert Content(made.ref_id, 1, b"1").inline == b"1"


class TestUsage:
    def test_what_a_bucket_holds_is_its_versions_and_their_bytes(self, store: MetadataStore) -> None:
        store.commit(inline(b"one", b"12345"))
        store.commit(inline(b"two", b"123"))
        store.commit(inline(b"one", b"1"))
        assert store.bucket_usage(BUCKET) == Usage(2, 4)
        assert store.owner_usage(OWNER) == Usage(2, 4)
        store.delete_current(BUCKET, b"two", marker(b"two"))
        assert store.bucket_usage(BUCKET) == store.bucket_recount(BUCKET) == Usage(1, 1)

    def test_an_account_has_what_all_its_buckets_hold(self, store: MetadataStore) -> None:
        other = bucket("other", new_id())
        store.bucket_create(other)
        store.commit(inline(b"one", b"12345"))
        store.commit(inline(b"two", b"123", other.bucket_id))
        assert store.owner_usage(OWNER) == Usage(2, 8)
        assert store.owner_usage("nobody") == Usage(0, 0)

    def test_parts_count_until_their_upload_ends(self, store: MetadataStore) -> None:
        first, second = upload(b"first"), upload(b"second")
        for one in (first, second):
            store.upload_create(one)
        small, large = part(first.upload_id, 1, data=b"1"), part(first.upload_id, 1, data=b"12345")
        for ask in (small, large, part(first.upload_id, 2, data=b"123"), part(second.upload_id, 1, data=b"12")):
            store.part_commit(ask)
        assert store.bucket_usage(BUCKET) == store.bucket_recount(BUCKET) == Usage(0, 0, 10)
        done = version(b"first", first.upload_id, 5)
        store.complete_upload(Completion(done, [replace(large.part, start=0)]))
        assert store.bucket_usage(BUCKET) == store.bucket_recount(BUCKET) == Usage(1, 5, 2)
        store.upload_abort(second.upload_id)
        assert store.owner_usage(OWNER) == store.bucket_recount(BUCKET) == Usage(1, 5)

    def test_a_bucket_made_anew_holds_nothing(self, store: MetadataStore) -> None:
        store.commit(inline(b"one"))
        store.delete_current(BUCKET, b"one", marker(b"one"))
        store.bucket_delete(BUCKET)
        assert store.bucket_usage(BUCKET) == Usage(0, 0)
