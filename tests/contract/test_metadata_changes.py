"""The promises about what rides with a change of a stack: checks, announcements, moves, amended attributes."""

from dataclasses import replace

import pytest

from app.core.errors import Conflict, Missing, S3Error
from app.core.s3.version_ids import place_of
from app.core.types import (
    NULL_PLACE,
    Attributes,
    Encryption,
    Lock,
    Version,
    Versioning,
    VersionPlace,
)
from app.ports.metadata import Deletion, MetadataStore
from tests.contract.metadata import BUCKET, chunked, entry, marker, new_id, upload
from tests.contract.stacks import K, delete, fresh, put, queued, refuse, remove, stack, switch, told


class TestChecks:
    def test_what_would_go_for_good_is_shown_and_a_refusal_leaves_no_trace(self, store: MetadataStore) -> None:
        null = put(store, b"null")
        with pytest.raises(S3Error):
            store.commit(fresh()._replace(replaced_check=refuse))
        with pytest.raises(S3Error):
            store.delete_current(BUCKET, K, marker(K), None, refuse)
        switch(store, Versioning.ENABLED)
        top = store.commit(fresh()._replace(replaced_check=refuse))
        covered = store.delete_current(BUCKET, K, marker(K), None, refuse).marker
        with pytest.raises(S3Error):
            store.delete_version(BUCKET, K, place_of(top), refuse)
        switch(store, Versioning.SUSPENDED)
        with pytest.raises(S3Error):
            store.commit(fresh()._replace(replaced_check=refuse, announce=told(b"")))
        with pytest.raises(S3Error):
            store.delete_current(BUCKET, K, marker(K), None, refuse, told(b""))
        assert stack(store) == [covered, top, null]
        assert queued(store) == []

    def test_a_check_of_a_delete_sees_the_version_or_none(self, enabled: MetadataStore) -> None:
        seen: list[Version | None] = []
        made = put(enabled)
        assert enabled.delete_version(BUCKET, K, VersionPlace(9, new_id()), seen.append) is None
        enabled.delete_version(BUCKET, K, place_of(made), seen.append)
        assert seen == [None, made]

    def test_a_check_under_a_marker_sees_nothing(self, enabled: MetadataStore) -> None:
        put(enabled)
        delete(enabled)
        seen: list[Version | None] = []
        enabled.commit(fresh()._replace(check=seen.append))
        assert seen == [None]

    def test_nothing_is_deleted_from_a_bucket_that_is_gone(self, store: MetadataStore) -> None:
        store.bucket_delete(BUCKET)
        with pytest.raises(Missing):
            store.delete_version(BUCKET, K, NULL_PLACE)


class TestAnnouncing:
    def test_tasks_are_queued_with_what_they_tell_of(self, enabled: MetadataStore) -> None:
        made = enabled.commit(fresh()._replace(announce=told(b"put ")))
        enabled.delete_current(BUCKET, K, marker(K), announce=told(b"marked "))
        enabled.delete_version(BUCKET, K, place_of(made), announce=told(b"removed "))
        assert enabled.delete_version(BUCKET, K, place_of(made), announce=told(b"nothing ")) is None
        assert sorted(queued(enabled)) == [b"marked k", b"put k", b"removed k"]

    def test_a_commit_that_fails_announces_nothing(self, store: MetadataStore) -> None:
        late = chunked(K, entry("gone"), uploaded=False)
        with pytest.raises(Conflict):
            store.commit(late._replace(announce=told(b"put ")))
        assert store.delete_current(BUCKET, K, marker(K), announce=told(b"removed ")) == Deletion()
        assert queued(store) == []


class TestMoving:
    def test_a_move_makes_one_key_and_ends_the_other_at_once(self, store: MetadataStore) -> None:
        source = put(store, b"moved", b"from")
        seen: list[Version | None] = []
        made = store.commit(fresh(b"moved", b"to")._replace(moved_from=(b"from", seen.append)))
        assert seen == [source]
        assert store.currents_scan(BUCKET, b"", True, None, 10) == [made]
        assert store.versions_walk(None, 10) == [made]
        with pytest.raises(Missing):
            store.content_page(source.ref_id, 0)

    def test_a_move_in_a_bucket_with_versioning_leaves_a_marker(self, enabled: MetadataStore) -> None:
        source = put(enabled, b"moved", b"from")
        made = enabled.commit(fresh(b"moved", b"to")._replace(moved_from=(b"from", None)))
        on_top, below = stack(enabled, b"from")
        assert below == source
        assert on_top.delete_marker
        assert (on_top.version_id, on_top.modified_ms) == (made.version_id, made.modified_ms)

    def test_a_move_that_is_refused_changes_nothing(self, store: MetadataStore) -> None:
        source = put(store, b"moved", b"from")
        with pytest.raises(S3Error):
            store.commit(fresh(b"moved", b"to")._replace(moved_from=(b"from", refuse)))
        with pytest.raises(Conflict):
            store.commit(fresh(b"moved", b"from")._replace(moved_from=(b"from", None)))
        assert store.versions_walk(None, 10) == [source]


class TestAmending:
    FULL = Attributes(
        {"content-type": "text/plain"},
        {"a": "é"},
        "STANDARD",
        {"t": "1"},
        "acl text",
        Lock("GOVERNANCE", 7, True),
        Encryption("aws:kms", b"\x00\xff", "key", "", '{"a":"b"}', True),
    )

    def test_attributes_of_every_kind_are_kept_as_they_were(self, store: MetadataStore) -> None:
        ask = fresh()
        made = store.commit(ask._replace(version=ask.version._replace(attributes=self.FULL)))
        assert store.current(BUCKET, K) == made
        assert made.attributes == self.FULL
        begun = replace(upload(), attributes=self.FULL, initiator="who arn")
        store.upload_create(begun)
        assert store.upload_get(begun.upload_id) == begun

    @pytest.mark.parametrize("by_place", [False, True])
    def test_the_current_version_changes_where_it_is_read(self, enabled: MetadataStore, by_place: bool) -> None:
        below, made = put(enabled), put(enabled)
        where = place_of(made) if by_place else None
        amended = enabled.version_amend(BUCKET, K, where, lambda one: replace(one.attributes, acl="new"))
        assert amended == made._replace(attributes=Attributes(acl="new"))
        assert enabled.current(BUCKET, K) == enabled.version(BUCKET, K, place_of(made)) == amended
        assert stack(enabled) == [amended, below]

    def test_a_version_below_changes_and_the_current_one_does_not(self, store: MetadataStore) -> None:
        null = put(store)
        switch(store, Versioning.ENABLED)
        top = put(store)
        amended = store.version_amend(BUCKET, K, NULL_PLACE, lambda one: replace(one.attributes, tags={"a": "b"}))
        assert amended == null._replace(attributes=Attributes(tags={"a": "b"}))
        assert stack(store) == [top, amended]
        assert store.current(BUCKET, K) == top
        remove(store, top)
        assert store.current(BUCKET, K) == amended

    def test_what_is_not_there_is_missing_and_is_not_asked(self, enabled: MetadataStore) -> None:
        def never(_: Version) -> Attributes:
            raise AssertionError

        on_top = delete(enabled).marker
        assert on_top is not None
        for where in (None, NULL_PLACE, place_of(on_top)):
            with pytest.raises(Missing):
                enabled.version_amend(BUCKET, K, where, never)

    def test_a_refused_change_changes_nothing(self, store: MetadataStore) -> None:
        made = put(store)

        def refused(one: Version) -> Attributes:
            refuse(one)
            return one.attributes

        with pytest.raises(S3Error):
            store.version_amend(BUCKET, K, None, refused)
        assert store.current(BUCKET, K) == made

    def test_a_change_is_announced_as_it_is_now_and_a_refused_one_is_not(self, store: MetadataStore) -> None:
        put(store)
        store.version_amend(BUCKET, K, None, lambda one: replace(one.attributes, tags={"a": "b"}), told(b"changed "))

        def refused(one: Version) -> Attributes:
            refuse(one)
            return one.attributes

        with pytest.raises(S3Error):
            store.version_amend(BUCKET, K, None, refused, told(b"refused "))
        assert queued(store) == [b"changed " + K]
