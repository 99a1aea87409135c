"""The promises about chunk references, attempts and sweeps, held against every MetadataStore."""

from dataclasses import replace

import pytest

from app.core.errors import Conflict, Missing
from app.core.types import BlobClaim
from app.ports.metadata import Completion, MetadataStore, PartCommit
from tests.contract.metadata import BUCKET, chunk, chunked, drain, entry, inline, marker, new_id, part, upload, version


class TestReferences:
    def test_an_unpinned_commit_publishes_and_references_its_chunks(self, store: MetadataStore) -> None:
        one, two = entry("one"), entry("two")
        store.commit(chunked(b"k", one, two, one))
        assert store.chunks_live([one.chunk_id, chunk("none")]) == {one.chunk_id: one.blob_id}
        walked = store.chunks_walk(b"", 10)
        assert [(blob.chunk_id, blob.blob_id, blob.length, blob.references) for blob in walked] == [
            (one.chunk_id, one.blob_id, 100, 1),
            (two.chunk_id, two.blob_id, 100, 1),
        ]
        assert store.chunks_walk(one.chunk_id, 10) == walked[1:]

    def test_the_blob_that_was_there_first_wins_and_the_loser_is_queued(self, store: MetadataStore) -> None:
        first, second = entry("same"), entry("same")
        store.commit(chunked(b"a", first))
        made = store.commit(chunked(b"b", second))
        assert store.content_page(made.ref_id, 0).chunks == (first,)
        assert store.blobs_due(0, 10) == [second.blob_id]

    def test_an_unpinned_commit_that_counted_on_a_reclaimed_chunk_conflicts(self, store: MetadataStore) -> None:
        held = entry("held")
        store.commit(chunked(b"a", held))
        assert store.commit(chunked(b"b", held, uploaded=False)).size == 100
        ask = chunked(b"c", entry("fresh"), entry("gone"), uploaded=False)
        ask = ask._replace(uploaded=frozenset([chunk("fresh")]))
        with pytest.raises(Conflict):
            store.commit(ask)
        assert store.chunks_live([chunk("fresh")]) == {}
        with pytest.raises(Missing):
            store.current(BUCKET, b"c")

    def test_the_last_release_queues_the_blob_for_after_the_grace(self, store: MetadataStore) -> None:
        shared = entry("shared")
        made = store.commit(chunked(b"a", shared))
        store.commit(chunked(b"b", shared, uploaded=False))
        store.commit(inline(b"a"))
        drain(store, now_ms=100, grace_ms=50)
        assert store.chunks_live([shared.chunk_id]) == {shared.chunk_id: shared.blob_id}
        with pytest.raises(Missing):
            store.content_page(made.ref_id, 0)
        store.delete_current(BUCKET, b"b", marker(b"b"))
        drain(store, now_ms=100, grace_ms=50)
        assert store.chunks_live([shared.chunk_id]) == {}
        assert store.blobs_due(149, 10) == []
        assert store.blobs_due(150, 10) == [shared.blob_id]
        store.blobs_removed([shared.blob_id])
        store.blobs_removed([shared.blob_id])
        counts = store.gc_counts()
        assert (counts.outbox, counts.blobs_waiting, counts.chunks, counts.chunk_references) == (0, 0, 0, 0)

    def test_a_release_is_bounded_and_can_be_cut_anywhere(self, store: MetadataStore) -> None:
        store.commit(chunked(b"k", *(entry(f"c{n}") for n in range(25))))
        store.delete_current(BUCKET, b"k", marker(b"k"))
        assert drain(store, limit=4) == 7
        assert len(store.blobs_due(10_000, 100)) == 25
        assert store.outbox_step(1, 1, 10) == 0

    def test_a_deleted_multipart_version_releases_every_part(self, store: MetadataStore) -> None:
        begun = upload()
        store.upload_create(begun)
        sent = [part(begun.upload_id, 1, entry("p1")), part(begun.upload_id, 2)]
        for one in sent:
            store.part_commit(one)
        chosen = [sent[0].part, replace(sent[1].part, start=100)]
        store.complete_upload(Completion(version(b"key", begun.upload_id, 104), chosen))
        store.delete_current(BUCKET, b"key", marker(b"key"))
        drain(store)
        assert store.parts_scan(begun.upload_id, 0, 10) == []
        assert store.blobs_due(10_000, 10) == [sent[0].content.chunks[0].blob_id]
        for one in sent:
            with pytest.raises(Missing):
                store.content_page(one.part.ref_id, 0)

    def test_a_pinned_attempt_walks_from_intent_to_version(self, store: MetadataStore) -> None:
        held, mine = entry("held"), entry("mine")
        store.commit(chunked(b"other", held))
        ask = chunked(b"k", held, mine, uploaded=False)
        ref_id = ask.content.ref_id
        store.intent_open(ref_id, 500)
        assert store.pin(ref_id, [held.chunk_id, mine.chunk_id]) == {held.chunk_id: held.blob_id}
        store.delete_current(BUCKET, b"other", marker(b"other"))
        drain(store)
        assert store.publish(ref_id, [(mine.chunk_id, mine.blob_id, 100)]) == {mine.chunk_id: mine.blob_id}
        store.commit(ask._replace(pinned=True))
        assert store.content_page(ref_id, 0).chunks == (held, mine)
        assert store.gc_counts().intents == 0
        assert store.intents_expire_step(10_000, 10) == 0

    def test_a_pinned_commit_may_publish_in_its_own_transaction(self, store: MetadataStore) -> None:
        first, second = entry("same"), entry("same")
        ask = chunked(b"k", second)
        store.intent_open(ask.content.ref_id, 500)
        store.pin(ask.content.ref_id, [second.chunk_id])
        store.commit(chunked(b"rival", first))
        store.commit(ask._replace(pinned=True))
        assert store.content_page(ask.content.ref_id, 0).chunks == (first,)
        assert store.blobs_due(0, 10) == [second.blob_id]

    @pytest.mark.parametrize("way", ["expired", "given up"])
    def test_an_aborted_attempt_is_fenced_everywhere(self, store: MetadataStore, way: str) -> None:
        mine = entry("mine")
        ask = chunked(b"k", mine, uploaded=False)
        ref_id = ask.content.ref_id
        store.intent_open(ref_id, 500)
        store.pin(ref_id, [mine.chunk_id])
        assert store.intents_expire_step(499, 10) == 0
        if way == "expired":
            assert store.intents_expire_step(500, 10) == 1
        store.intent_abort(ref_id)
        store.intent_abort(ref_id)
        drain(store)
        with pytest.raises(Conflict):
            store.publish(ref_id, [(mine.chunk_id, mine.blob_id, 100)])
        with pytest.raises(Conflict):
            store.pin(ref_id, [mine.chunk_id])
        with pytest.raises(Conflict):
            store.commit(ask._replace(pinned=True))
        assert store.blobs_due(0, 10) == [mine.blob_id]
        counts = store.gc_counts()
        assert (counts.intents, counts.outbox, counts.chunks, counts.chunk_references) == (0, 0, 0, 0)

    def test_a_part_of_an_aborted_attempt_is_fenced(self, store: MetadataStore) -> None:
        begun = upload()
        store.upload_create(begun)
        sent = part(begun.upload_id, 1)
        with pytest.raises(Conflict):
            store.part_commit(PartCommit(sent.part, sent.content, pinned=True))
        assert store.parts_scan(begun.upload_id, 0, 10) == []

    def test_a_blob_taken_for_an_orphan_is_published_no_more(self, store: MetadataStore) -> None:
        late = entry("late")
        ask = chunked(b"k", late)
        assert store.blobs_queue_orphans([BlobClaim(late.blob_id, late.chunk_id, ask.content.ref_id)], 7) == 1
        with pytest.raises(Conflict):
            store.commit(ask)
        assert store.chunks_live([late.chunk_id]) == {}
        with pytest.raises(Missing):
            store.current(BUCKET, b"k")

    def test_orphans_are_queued_once_and_nothing_else_is(self, store: MetadataStore) -> None:
        live, pinned = entry("live"), entry("pinned")
        made = store.commit(chunked(b"k", live))
        attempt = new_id()
        store.intent_open(attempt, 500)
        store.pin(attempt, [pinned.chunk_id])
        orphan = BlobClaim(new_id(), live.chunk_id, new_id())
        claims = [
            BlobClaim(live.blob_id, live.chunk_id, made.ref_id),
            BlobClaim(pinned.blob_id, pinned.chunk_id, attempt),
            orphan,
        ]
        assert store.blobs_queue_orphans(claims, 7) == 1
        assert store.blobs_queue_orphans(claims, 7) == 0
        assert store.blobs_due(7, 10) == [orphan.blob_id]

    def test_the_scrub_releases_references_of_dead_attempts_only(self, store: MetadataStore) -> None:
        live, pinned = entry("live"), entry("pinned")
        store.commit(chunked(b"k", live))
        attempt = new_id()
        store.intent_open(attempt, 500)
        store.pin(attempt, [pinned.chunk_id])
        after, dropped, steps = None, 0, 0
        while steps == 0 or after is not None:
            count, after = store.references_scrub_step(after, 1)
            dropped, steps = dropped + count, steps + 1
        assert dropped == 0
        assert store.gc_counts().chunk_references == 2
