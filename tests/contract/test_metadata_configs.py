"""The promises about what a bucket is configured with, and about queues and notes of the background work."""

from dataclasses import replace

import pytest

from app.core.errors import Conflict, Missing, S3Error
from app.core.types import Bucket, Task, Versioning
from app.ports.metadata import MetadataStore
from tests.contract.metadata import BUCKET, OWNER, bucket, new_id


def configure(store: MetadataStore, **documents: bytes) -> Bucket:
    return store.bucket_amend(BUCKET, lambda one: replace(one, configs={**one.configs, **documents}))


class TestBucketAmend:
    def test_versioning_lock_and_documents_are_read_back(self, store: MetadataStore) -> None:
        before = store.bucket_get("bucket")
        wanted = replace(
            before, versioning=Versioning.ENABLED, object_lock=True, configs={"policy": b"{}", "acl": b"a"}
        )
        assert store.bucket_amend(BUCKET, lambda _: wanted) == wanted
        assert store.bucket_get("bucket") == wanted
        assert store.buckets_scan(OWNER, "", "", 10) == [wanted]

    def test_a_bucket_is_created_with_what_it_is_given(self, store: MetadataStore) -> None:
        made = replace(
            bucket("other", new_id()), versioning=Versioning.ENABLED, object_lock=True, configs={"acl": b"public"}
        )
        store.bucket_create(made)
        assert store.bucket_get("other") == made

    def test_a_document_is_replaced_and_removed(self, store: MetadataStore) -> None:
        configure(store, cors=b"1", website=b"w")
        assert configure(store, cors=b"2").configs == {"cors": b"2", "website": b"w"}
        store.bucket_amend(BUCKET, lambda one: replace(one, configs={"website": one.configs["website"]}))
        assert store.bucket_get("bucket").configs == {"website": b"w"}

    def test_object_lock_is_never_off_again_and_the_rest_stays(self, store: MetadataStore) -> None:
        store.bucket_amend(BUCKET, lambda one: replace(one, object_lock=True))
        now = store.bucket_amend(BUCKET, lambda one: replace(one, object_lock=False, owner="x", name="y", region="z"))
        assert now == replace(bucket(), object_lock=True)

    def test_a_refusal_changes_nothing_and_a_bucket_that_is_gone_is_missing(self, store: MetadataStore) -> None:
        def refuse(_: Bucket) -> Bucket:
            raise S3Error("InvalidBucketState")

        with pytest.raises(S3Error):
            store.bucket_amend(BUCKET, refuse)
        with pytest.raises(Missing):
            store.bucket_amend(new_id(), refuse)
        assert store.bucket_get("bucket") == bucket()

    def test_a_bucket_takes_its_documents_with_it(self, store: MetadataStore) -> None:
        configure(store, policy=b"{}")
        store.config_put(BUCKET, "inventory", "one", b"i", 10)
        store.bucket_delete(BUCKET)
        store.bucket_create(bucket())
        assert store.bucket_get("bucket").configs == {}
        assert store.configs_scan(BUCKET, "inventory", "", 10) == []


class TestNamedConfigs:
    def test_they_are_kept_by_kind_and_name_and_not_shown_with_the_bucket(self, store: MetadataStore) -> None:
        for name in ("c", "a", "b"):
            store.config_put(BUCKET, "metrics", name, name.encode(), 10)
        store.config_put(BUCKET, "analytics", "a", b"other", 10)
        store.config_put(BUCKET, "metrics", "b", b"again", 10)
        assert store.configs_scan(BUCKET, "metrics", "", 10) == [("a", b"a"), ("b", b"again"), ("c", b"c")]
        assert store.configs_scan(BUCKET, "metrics", "a", 1) == [("b", b"again")]
        assert store.config_get(BUCKET, "analytics", "a") == b"other"
        assert store.bucket_get("bucket").configs == {}
        store.config_delete(BUCKET, "metrics", "b")
        for ask in (store.config_get, store.config_delete):
            with pytest.raises(Missing):
                ask(BUCKET, "metrics", "b")

    def test_a_bucket_has_only_so_many_of_a_kind(self, store: MetadataStore) -> None:
        for name in ("a", "b"):
            store.config_put(BUCKET, "metrics", name, b"", 2)
        store.config_put(BUCKET, "metrics", "b", b"again", 2)
        store.config_put(BUCKET, "inventory", "c", b"", 2)
        with pytest.raises(Conflict):
            store.config_put(BUCKET, "metrics", "c", b"", 2)
        with pytest.raises(Missing):
            store.config_put(new_id(), "metrics", "c", b"", 2)


class TestQueues:
    def test_tasks_wait_until_they_are_due_and_stay_until_they_are_done(self, store: MetadataStore) -> None:
        late, soon = Task(b"1", 50, b"late"), Task(b"2", 10, b"soon")
        store.tasks_put("q", [late, soon])
        store.tasks_put("other", [Task(b"1", 1, b"theirs")])
        assert store.tasks_due("q", 9, 10) == []
        for _ in range(2):
            assert store.tasks_due("q", 50, 10) == [soon, late]
        assert store.tasks_due("q", 50, 1) == [soon]
        store.tasks_done("q", [b"2", b"gone already"])
        assert store.tasks_due("q", 50, 10) == [late]
        assert (store.tasks_count("q"), store.tasks_count("other"), store.tasks_count("none")) == (1, 1, 0)

    def test_a_task_of_an_id_that_waits_replaces_it(self, store: MetadataStore) -> None:
        store.tasks_put("q", [Task(b"1", 10, b"first")])
        store.tasks_put("q", [Task(b"1", 90, b"again")])
        assert store.tasks_due("q", 50, 10) == []
        assert store.tasks_due("q", 90, 10) == [Task(b"1", 90, b"again")]


class TestNotes:
    def test_a_note_is_kept_until_it_is_forgotten(self, store: MetadataStore) -> None:
        for document in (b"one", b"two"):
            store.note_put("sweep/cursor", document)
            assert store.note_get("sweep/cursor") == document
        store.note_put("sweep/cursor", None)
        with pytest.raises(Missing):
            store.note_get("sweep/cursor")

    def test_notes_are_scanned_by_prefix_and_name(self, store: MetadataStore) -> None:
        for name in ("a/1", "a/2", "a/3", "b/1"):
            store.note_put(name, name.encode())
        assert store.notes_scan("a/", "", 10) == [("a/1", b"a/1"), ("a/2", b"a/2"), ("a/3", b"a/3")]
        assert store.notes_scan("a/", "a/1", 1) == [("a/2", b"a/2")]
