"""The promises about a chunk's move to another profile or blob, held against every MetadataStore."""

import pytest

from app.core.errors import Conflict, Missing
from app.core.types import BlobClaim, ChunkEntry, RefId
from app.ports.metadata import ChunkMove, MetadataStore
from tests.contract.metadata import BUCKET, chunk, chunked, drain, entry, inline, marker, new_id


def move(ref_id: RefId, old: ChunkEntry, new: ChunkEntry, uploaded: bool = True, page: int = 0) -> ChunkMove:
    return ChunkMove(ref_id, page, old, new, uploaded, 500)


def references(store: MetadataStore) -> dict[bytes, int]:
    return {row.chunk_id: row.references for row in store.chunks_walk(b"", 100)}


def test_a_moved_chunk_is_referred_to_under_its_new_name_and_the_old_blob_waits_out_the_grace(
    store: MetadataStore,
) -> None:
    old, other, new = entry("old"), entry("other"), entry("new")
    made = store.commit(chunked(b"k", old, other, old))
    store.chunk_move(move(made.ref_id, old, new))
    assert store.content_page(made.ref_id, 0).chunks == (new, other, new)
    assert store.current(BUCKET, b"k") == made
    assert references(store) == {chunk("new"): 1, chunk("other"): 1}
    assert (store.blobs_due(499, 10), store.blobs_due(500, 10)) == ([], [old.blob_id])


def test_a_chunk_others_refer_to_stays(store: MetadataStore) -> None:
    old, new = entry("old"), entry("new")
    made = store.commit(chunked(b"a", old))
    store.commit(chunked(b"b", old, uploaded=False))
    store.chunk_move(move(made.ref_id, old, new))
    assert references(store) == {chunk("new"): 1, chunk("old"): 1}
    assert store.blobs_due(10_000, 10) == []


def test_a_blob_that_was_there_first_wins_and_the_content_names_it(store: MetadataStore) -> None:
    old, first, second = entry("old"), entry("new"), entry("new")
    made = store.commit(chunked(b"a", old))
    store.commit(chunked(b"b", first))
    store.chunk_move(move(made.ref_id, old, second))
    assert store.content_page(made.ref_id, 0).chunks == (first,)
    assert store.blobs_due(0, 10) == [second.blob_id]


def test_a_move_to_a_chunk_that_is_live_needs_no_upload_and_to_one_that_is_not_conflicts(store: MetadataStore) -> None:
    old, live, gone = entry("old"), entry("live"), entry("gone")
    made = store.commit(chunked(b"a", old))
    store.commit(chunked(b"b", live))
    with pytest.raises(Conflict):
        store.chunk_move(move(made.ref_id, old, gone, uploaded=False))
    assert store.content_page(made.ref_id, 0).chunks == (old,)
    store.chunk_move(move(made.ref_id, old, live, uploaded=False))
    assert references(store) == {chunk("live"): 2}


def test_a_move_of_what_the_content_does_not_name_changes_nothing(store: MetadataStore) -> None:
    old, new = entry("old"), entry("new")
    made = store.commit(chunked(b"a", old))
    for stranger in (entry("old"), entry("other"), new):
        with pytest.raises(Conflict):
            store.chunk_move(move(made.ref_id, stranger, new))
    small = store.commit(inline(b"b"))
    with pytest.raises(Conflict):
        store.chunk_move(move(small.ref_id, old, new))
    for ref_id, page in ((new_id(), 0), (made.ref_id, 1)):
        with pytest.raises(Missing):
            store.chunk_move(move(ref_id, old, new, page=page))
    assert references(store) == {chunk("old"): 1}


def test_a_move_done_twice_is_a_conflict_the_second_time(store: MetadataStore) -> None:
    old, new = entry("old"), entry("new")
    made = store.commit(chunked(b"a", old))
    store.chunk_move(move(made.ref_id, old, new))
    with pytest.raises(Conflict):
        store.chunk_move(move(made.ref_id, old, entry("new")))
    assert store.content_page(made.ref_id, 0).chunks == (new,)


def test_what_was_moved_goes_with_its_version(store: MetadataStore) -> None:
    old, new = entry("old"), entry("new")
    made = store.commit(chunked(b"a", old))
    store.chunk_move(move(made.ref_id, old, new))
    store.delete_current(BUCKET, b"a", marker(b"a"))
    drain(store)
    counts = store.gc_counts()
    assert (counts.chunks, counts.chunk_references, counts.outbox) == (0, 0, 0)
    assert sorted(store.blobs_due(10_000, 10)) == sorted([old.blob_id, new.blob_id])


def test_a_replaced_blob_goes_and_the_chunk_lies_in_the_new_one_for_all_who_refer_to_it(store: MetadataStore) -> None:
    old, new = entry("old"), entry("old")
    made = store.commit(chunked(b"a", old))
    assert store.chunk_replace(old.chunk_id, old.blob_id, new.blob_id) == new.blob_id
    assert store.chunks_live([old.chunk_id]) == {old.chunk_id: new.blob_id}
    assert store.blobs_due(0, 10) == [old.blob_id]
    assert store.content_page(made.ref_id, 0).chunks == (old,)
    late = store.commit(chunked(b"b", old, uploaded=False))
    assert store.content_page(late.ref_id, 0).chunks == (new,)
    for key in (b"a", b"b"):
        store.delete_current(BUCKET, key, marker(key))
    drain(store)
    assert sorted(store.blobs_due(10_000, 10)) == sorted([old.blob_id, new.blob_id])
    assert store.gc_counts().chunks == 0


def test_only_the_first_of_two_replacements_holds_and_the_other_is_queued(store: MetadataStore) -> None:
    old, first, second = entry("old"), entry("old"), entry("old")
    store.commit(chunked(b"a", old))
    store.chunk_replace(old.chunk_id, old.blob_id, first.blob_id)
    assert store.chunk_replace(old.chunk_id, old.blob_id, second.blob_id) == first.blob_id
    assert sorted(store.blobs_due(0, 10)) == sorted([old.blob_id, second.blob_id])


def test_what_is_not_live_is_not_replaced(store: MetadataStore) -> None:
    old, new, attempt = entry("old"), entry("old"), new_id()
    assert store.chunk_replace(old.chunk_id, old.blob_id, new.blob_id) is None
    store.intent_open(attempt, 500)
    store.pin(attempt, [old.chunk_id])
    assert store.chunk_replace(old.chunk_id, old.blob_id, new.blob_id) is None
    assert (store.chunks_live([old.chunk_id]), store.blobs_due(10_000, 10)) == ({}, [])


def test_a_blob_taken_for_an_orphan_replaces_nothing(store: MetadataStore) -> None:
    old, new = entry("old"), entry("old")
    store.commit(chunked(b"a", old))
    store.blobs_queue_orphans([BlobClaim(new.blob_id, new.chunk_id, new_id())], 500)
    with pytest.raises(Conflict):
        store.chunk_replace(old.chunk_id, old.blob_id, new.blob_id)
    assert store.chunks_live([old.chunk_id]) == {old.chunk_id: old.blob_id}
