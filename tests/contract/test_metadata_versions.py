"""The promises about stacks of versions: versioning on and suspended, the null version, markers, promotion, scans."""

from dataclasses import replace

import pytest

from app.core.errors import Conflict, Missing
from app.core.s3.version_ids import place_of
from app.core.types import (
    NULL_PLACE,
    NULL_VERSION,
    Version,
    Versioning,
    VersionPlace,
)
from app.ports.metadata import Completion, MetadataStore
from tests.contract.metadata import BUCKET, bucket, chunked, drain, entry, inline, new_id, part, upload, version
from tests.contract.stacks import K, data_of, delete, fresh, put, queued, remove, stack, switch, told


class TestEnabled:
    def test_versions_pile_up_and_each_is_found_by_its_place(self, enabled: MetadataStore) -> None:
        made = [put(enabled, b"%d" % number) for number in range(3)]
        assert [one.seq for one in made] == sorted({one.seq for one in made})
        assert len({one.version_id for one in made} - {NULL_VERSION}) == 3
        assert [data_of(enabled, one) for one in made] == [b"0", b"1", b"2"]
        assert enabled.current(BUCKET, K) == enabled.newest(BUCKET, K) == made[2]
        assert stack(enabled) == made[::-1]

    def test_a_place_is_believed_only_with_its_id(self, enabled: MetadataStore) -> None:
        made = put(enabled)
        for wrong in (VersionPlace(made.seq, new_id()), VersionPlace(made.seq + 1, made.version_id), NULL_PLACE):
            with pytest.raises(Missing):
                enabled.version(BUCKET, K, wrong)
            with pytest.raises(Missing):
                enabled.version_with_content(BUCKET, K, wrong)
            assert enabled.delete_version(BUCKET, K, wrong) is None
        assert stack(enabled) == [made]

    def test_a_delete_puts_a_marker_on_top_also_where_nothing_is(self, enabled: MetadataStore) -> None:
        made = put(enabled)
        for _ in range(2):
            deletion = delete(enabled)
            assert deletion.removed is None
            assert deletion.marker is not None
            assert deletion.marker.delete_marker
            assert enabled.newest(BUCKET, K) == deletion.marker
        with pytest.raises(Missing):
            enabled.current(BUCKET, K)
        assert enabled.currents_scan(BUCKET, b"", True, None, 10) == []
        assert data_of(enabled, made) == b"data"
        assert [one.delete_marker for one in stack(enabled)] == [True, True, False]
        assert delete(enabled, b"never").marker is not None
        with pytest.raises(Conflict):
            enabled.bucket_delete(BUCKET)

    def test_what_lies_on_top_is_not_removed_as_a_noncurrent_version(self, enabled: MetadataStore) -> None:
        made = put(enabled)
        marker = delete(enabled).marker
        assert marker is not None
        with pytest.raises(Conflict):
            enabled.delete_version(BUCKET, K, place_of(marker), noncurrent=True)
        assert stack(enabled) == [marker, made]
        assert enabled.delete_version(BUCKET, K, place_of(made), noncurrent=True) == made
        assert enabled.delete_version(BUCKET, K, place_of(made), noncurrent=True) is None

    def test_a_marker_is_read_without_content(self, enabled: MetadataStore) -> None:
        put_marker = delete(enabled).marker
        assert put_marker is not None
        assert enabled.version_with_content(BUCKET, K, place_of(put_marker)) == (put_marker, None)

    def test_removing_the_top_makes_the_next_one_current_unless_it_is_a_marker(self, enabled: MetadataStore) -> None:
        one = put(enabled, b"1")
        first = delete(enabled).marker
        two = put(enabled, b"2")
        three = put(enabled, b"3")
        assert first is not None
        assert remove(enabled, three) == three
        assert enabled.current_with_content(BUCKET, K)[0] == two
        assert remove(enabled, two) == two
        with pytest.raises(Missing):
            enabled.current(BUCKET, K)
        assert enabled.newest(BUCKET, K) == first
        assert remove(enabled, first) == first
        assert enabled.currents_scan(BUCKET, b"", True, None, 10) == [enabled.current(BUCKET, K)]
        assert enabled.current(BUCKET, K) == one
        assert remove(enabled, one) == one
        with pytest.raises(Missing):
            enabled.newest(BUCKET, K)
        enabled.bucket_delete(BUCKET)

    def test_removing_below_the_top_leaves_the_top_alone(self, enabled: MetadataStore) -> None:
        one, two, three = (put(enabled, b"%d" % number) for number in range(3))
        remove(enabled, two)
        assert stack(enabled) == [three, one]
        assert enabled.current(BUCKET, K) == three
        on_top = delete(enabled).marker
        remove(enabled, three)
        assert stack(enabled) == [on_top, one]
        with pytest.raises(Missing):
            enabled.current(BUCKET, K)

    def test_removing_a_version_releases_its_content(self, enabled: MetadataStore) -> None:
        small, large = put(enabled), enabled.commit(chunked(K, entry("c")))
        for one in (small, large):
            remove(enabled, one)
        drain(enabled)
        for one in (small, large):
            with pytest.raises(Missing):
                enabled.content_page(one.ref_id, 0)
        assert enabled.gc_counts().chunk_references == 0

    def test_a_seq_is_never_given_twice_while_the_key_has_a_version(self, enabled: MetadataStore) -> None:
        lowest = put(enabled)
        given = {lowest.seq}
        for _ in range(3):
            first, second = put(enabled), delete(enabled).marker
            assert second is not None
            remove(enabled, second)
            remove(enabled, first)
            assert given.isdisjoint({first.seq, second.seq})
            assert first.seq < second.seq
            given |= {first.seq, second.seq}
        assert put(enabled).seq > max(given)

    def test_a_completed_upload_stacks_its_version_too(self, enabled: MetadataStore) -> None:
        one = put(enabled, key=b"key")
        begun = upload()
        enabled.upload_create(begun)
        sent = part(begun.upload_id, 1)
        enabled.part_commit(sent)
        ask = version(b"key", begun.upload_id, 4)._replace(version_id=new_id())
        made = enabled.complete_upload(Completion(ask, [sent.part], announce=told(b"done ")))
        assert stack(enabled, b"key") == [made, one]
        assert made.version_id == ask.version_id
        assert queued(enabled) == [b"done key"]

    def test_versioning_is_never_off_again(self, enabled: MetadataStore) -> None:
        with pytest.raises(Conflict):
            switch(enabled, Versioning.OFF)
        assert enabled.bucket_get("bucket").versioning is Versioning.ENABLED


class TestNullVersion:
    def test_what_was_there_before_versioning_becomes_the_null_version_below(self, store: MetadataStore) -> None:
        old = store.commit(fresh(b"old"))
        assert old.version_id == NULL_VERSION
        assert data_of(store, old) == b"old"
        switch(store, Versioning.ENABLED)
        new = put(store, b"new")
        assert stack(store) == [new, old]
        assert data_of(store, old) == b"old"
        assert remove(store, new) == new
        assert store.current(BUCKET, K) == store.version(BUCKET, K, NULL_PLACE) == old
        assert remove(store, old) == old
        with pytest.raises(Missing):
            store.version(BUCKET, K, NULL_PLACE)

    @pytest.mark.parametrize("covered", [False, True])
    def test_suspended_replaces_the_null_version_wherever_it_lies(self, store: MetadataStore, covered: bool) -> None:
        old = put(store, b"old")
        switch(store, Versioning.ENABLED)
        kept = [put(store, b"kept")] if covered else []
        switch(store, Versioning.SUSPENDED)
        seen: list[Version | None] = []
        new = store.commit(fresh(b"new")._replace(replaced_check=seen.append))
        assert seen == [old]
        assert new.version_id == NULL_VERSION
        assert stack(store) == [new, *kept]
        assert data_of(store, new) == b"new"
        with pytest.raises(Missing):
            store.content_page(old.ref_id, 0)

    def test_suspended_keeps_what_versioning_stacked(self, enabled: MetadataStore) -> None:
        kept = put(enabled)
        switch(enabled, Versioning.SUSPENDED)
        null = put(enabled, b"null")
        assert null.version_id == NULL_VERSION
        assert stack(enabled) == [null, kept]
        switch(enabled, Versioning.ENABLED)
        top = put(enabled)
        assert stack(enabled) == [top, null, kept]
        assert data_of(enabled, null) == b"null"
        assert remove(enabled, top) == top
        assert enabled.current(BUCKET, K) == null

    def test_a_suspended_delete_removes_the_null_version_and_leaves_a_null_marker(self, enabled: MetadataStore) -> None:
        kept = put(enabled)
        switch(enabled, Versioning.SUSPENDED)
        null = put(enabled, b"null")
        first = delete(enabled)
        assert first.removed == null
        assert first.marker is not None
        assert first.marker.version_id == NULL_VERSION
        assert stack(enabled) == [first.marker, kept]
        assert enabled.version(BUCKET, K, NULL_PLACE) == first.marker
        second = delete(enabled)
        assert second.removed == first.marker
        assert stack(enabled) == [second.marker, kept]
        assert second.marker is not None
        assert remove(enabled, second.marker) == second.marker
        assert enabled.current(BUCKET, K) == kept
        with pytest.raises(Missing):
            enabled.version(BUCKET, K, NULL_PLACE)

    def test_a_null_marker_goes_when_a_null_version_comes(self, enabled: MetadataStore) -> None:
        switch(enabled, Versioning.SUSPENDED)
        delete(enabled)
        switch(enabled, Versioning.ENABLED)
        kept = put(enabled)
        switch(enabled, Versioning.SUSPENDED)
        null = put(enabled, b"null")
        assert stack(enabled) == [null, kept]
        assert enabled.current(BUCKET, K) == null

    def test_a_null_version_uncovered_and_covered_again_is_found(self, store: MetadataStore) -> None:
        null = put(store, b"null")
        switch(store, Versioning.ENABLED)
        for _ in range(3):
            top = delete(store).marker
            assert data_of(store, null) == b"null"
            assert top is not None
            remove(store, top)
            assert store.current(BUCKET, K) == null
            top = put(store)
            assert data_of(store, null) == b"null"
            remove(store, top)
        assert stack(store) == [null]


class TestVersionScans:
    def test_versions_come_by_key_and_newest_first_from_any_place(self, enabled: MetadataStore) -> None:
        for key in (b"a", b"a", b"b", b"c", b"c", b"a"):
            put(enabled, key=key)
        delete(enabled, b"b")
        everything = enabled.versions_scan(BUCKET, b"", None, None, 100)
        assert everything == sorted(everything, key=lambda one: (one.key, -one.seq))
        assert len(everything) == 7
        for at, one in enumerate(everything):
            assert enabled.versions_scan(BUCKET, one.key, one.seq, None, 100) == everything[at + 1 :]
        keys = [one.key for one in everything]
        assert enabled.versions_scan(BUCKET, b"b", None, None, 100) == everything[keys.index(b"b") :]
        assert enabled.versions_scan(BUCKET, b"a", 0, None, 100) == everything[keys.index(b"b") :]
        assert enabled.versions_scan(BUCKET, b"a", 0, b"c", 1) == everything[3:4]

    def test_a_scan_stays_in_its_bucket(self, enabled: MetadataStore) -> None:
        other = b"C" * 16
        enabled.bucket_create(replace(bucket("other", other), versioning=Versioning.ENABLED))
        enabled.commit(inline(K, bucket_id=other))
        assert enabled.versions_scan(BUCKET, b"", None, None, 10) == []
        assert len(enabled.versions_scan(other, b"", None, None, 10)) == 1
