"""The promises about growing an object in place, and about those who read it meanwhile."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.errors import Conflict, Missing, S3Error
from app.core.types import Attributes, Checksum, Content, Part, Task, Version, Versioning
from app.ports.metadata import EVENTS, Appending, Completion, MetadataStore
from tests.contract.metadata import (
    BUCKET,
    OWNER,
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

K = b"log"


def grown(size: int) -> Callable[[Version | None], Version]:
    def grow(old: Version | None) -> Version:
        if old is None:
            return version(K, new_id(), size)
        return old._replace(size=old.size + size, etag=f"{old.etag[:32]}+", modified_ms=old.modified_ms + 1)

    return grow


def appending(data: bytes = b"", *chunks: str, grow: Callable[[Version | None], Version] | None = None) -> Appending:
    ref_id = new_id()
    entries = tuple(entry(name) for name in chunks)
    content = Content(ref_id, 100 * len(entries), None, entries) if entries else Content(ref_id, len(data), data)
    new = Part(b"", 0, ref_id, content.size, "p" * 32, 9, Checksum("CRC32", "AAAA=="))
    fresh = frozenset(one.chunk_id for one in entries)
    return Appending(BUCKET, K, new, content, grow or grown(content.size), fresh)


def told(one: Version) -> list[Task]:
    return [Task(b"%d" % one.size, 1, one.etag.encode())]


def parts(store: MetadataStore) -> list[Part]:
    return store.parts_scan(store.current(BUCKET, K).ref_id, 0, 100)


def data(store: MetadataStore) -> bytes:
    pages = [store.content_page(one.ref_id, 0) for one in parts(store)]
    return b"".join(page.inline or b"" for page in pages)


class TestAppend:
    def test_the_first_append_makes_the_object(self, store: MetadataStore) -> None:
        made = store.append(appending(b"one"))
        found, page = store.current_with_content(BUCKET, K)
        assert found == made
        assert made.part_count == 0
        assert page is not None
        assert page.inline == b"one"

    def test_an_object_of_one_content_grows_into_parts_and_stays_in_its_place(self, store: MetadataStore) -> None:
        ask = inline(K, b"one")
        attributes = Attributes({"content-type": "text/plain"}, storage_class="COLD")
        old = store.commit(ask._replace(version=ask.version._replace(attributes=attributes)))
        made = store.append(appending(b"two")._replace(announce=told))
        again = store.append(appending(b"", "c"))
        assert (made.seq, made.version_id, made.attributes) == (old.seq, old.version_id, old.attributes)
        assert (made.size, made.part_count, again.size, again.part_count) == (6, 2, 106, 3)
        assert store.current_with_content(BUCKET, K) == (again, None)
        assert store.versions_walk(None, 10) == [again]
        assert [(one.number, one.start, one.size) for one in parts(store)] == [(1, 0, 3), (2, 3, 3), (3, 6, 100)]
        assert [one.etag for one in parts(store)] == [old.etag, "p" * 32, "p" * 32]
        assert data(store) == b"onetwo"
        assert [store.part_at(again.ref_id, offset).number for offset in (0, 2, 3, 5, 6, 105)] == [1, 1, 2, 2, 3, 3]
        assert [task.task_id for task in store.tasks_due(EVENTS, 1, 10)] == [b"6"]

    def test_an_empty_object_grows_too(self, store: MetadataStore) -> None:
        store.commit(inline(K, b""))
        made = store.append(appending(b"one"))
        assert store.part_at(made.ref_id, 0).number == 2
        assert data(store) == b"one"

    def test_a_multipart_object_grows_after_its_last_part(self, store: MetadataStore) -> None:
        begun = replace(upload(K), owner=OWNER)
        store.upload_create(begun)
        sent = part(begun.upload_id, 7, data=b"seven")
        store.part_commit(sent)
        store.complete_upload(Completion(version(K, begun.upload_id, 5), [sent.part]))
        made = store.append(appending(b"eight"))
        assert (made.ref_id, made.part_count, made.size) == (begun.upload_id, 2, 10)
        assert [(one.number, one.start) for one in parts(store)] == [(7, 0), (8, 5)]

    def test_readers_of_the_version_as_it_was_go_on(self, store: MetadataStore) -> None:
        old = store.commit(chunked(K, entry("a")))
        page = store.content_page(old.ref_id, 0)
        middle = store.append(appending(b"", "b"))
        store.append(appending(b"", "c"))
        drain(store)
        assert store.content_page(old.ref_id, 0) == page
        assert store.part_at(middle.ref_id, 150).start == 100
        assert store.gc_counts().outbox == 0
        assert store.references_scrub_step(None, 100)[0] == 0

    @pytest.mark.parametrize("way", ["delete", "overwrite"])
    def test_everything_is_released_in_the_end(self, store: MetadataStore, way: str) -> None:
        old = store.commit(chunked(K, entry("a")))
        store.append(appending(b"", "b"))
        last = store.append(appending(b"inline"))
        held = [one.ref_id for one in parts(store)]
        if way == "delete":
            store.delete_current(BUCKET, K, marker(K))
        else:
            store.commit(inline(K))
        drain(store)
        assert old.ref_id in held
        for ref_id in held:
            with pytest.raises(Missing):
                store.content_page(ref_id, 0)
        assert store.parts_scan(last.ref_id, 0, 10) == []
        counts = store.gc_counts()
        assert (counts.outbox, counts.chunks, counts.chunk_references, counts.blobs_waiting) == (0, 0, 0, 2)

    def test_a_refusal_leaves_no_trace(self, store: MetadataStore) -> None:
        def refuse(_: Version | None) -> Version:
            raise S3Error("InvalidWriteOffset")

        old = store.commit(inline(K))
        refused = appending(b"two", grow=refuse)
        with pytest.raises(S3Error):
            store.append(refused._replace(announce=told))
        with pytest.raises(Conflict):
            store.append(appending(b"two")._replace(pinned=True))
        assert store.current(BUCKET, K) == old
        assert store.tasks_count(EVENTS) == 0
        with pytest.raises(Missing):
            store.content_page(refused.content.ref_id, 0)

    @pytest.mark.parametrize("versioning", [Versioning.ENABLED, Versioning.SUSPENDED])
    def test_a_bucket_with_versioning_refuses(self, store: MetadataStore, versioning: Versioning) -> None:
        store.bucket_amend(BUCKET, lambda one: replace(one, versioning=versioning))
        with pytest.raises(Conflict):
            store.append(appending(b"one"))

    def test_a_bucket_that_is_gone_is_missing(self, store: MetadataStore) -> None:
        store.bucket_delete(BUCKET)
        with pytest.raises(Missing):
            store.append(appending(b"one"))

    def test_an_object_that_grew_can_be_covered_by_versions(self, store: MetadataStore) -> None:
        store.commit(inline(K, b"one"))
        made = store.append(appending(b"two"))
        store.bucket_amend(BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED))
        fresh = inline(K, b"new")
        top = store.commit(fresh._replace(version=fresh.version._replace(version_id=new_id())))
        assert store.versions_scan(BUCKET, K, None, None, 10) == [top, made]
