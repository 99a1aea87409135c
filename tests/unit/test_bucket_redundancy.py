"""How redundant a bucket's chunks are, by its rows and what devices hold."""

from dataclasses import replace

import pytest

from app.adapters.sql.store import SqliteStore
from app.core.errors import Corrupt, Missing
from app.core.types import ChunkEntry
from app.ports.metadata import Completion
from app.services.healing.bucket_redundancy import RedundancyOfBuckets
from migrations.run import migrate
from tests.contract.metadata import bucket, chunked, inline, part, upload, version
from tests.unit.test_healing import calm_world, homes, lose, written


@pytest.fixture
def store(tmp_path):
    migrate(tmp_path / "zapfs.db")
    store = SqliteStore(tmp_path / "zapfs.db")
    store.bucket_create(bucket())
    store.bucket_create(bucket("other", b"C" * 16))
    yield store
    store.close()


def entry(blob):
    return ChunkEntry(blob.name.chunk_id, blob.name.blob_id, 96)


def levels(found):
    return tuple(found[word] for word in ("chunks", "full", "reduced", "critical", "lost"))


def asked(world, store):
    """As a gateway's keeper asks: it has no devices of its own."""
    member = next(iter(world.members.values()))
    return RedundancyOfBuckets(store, lambda number: world.reach(member, number), member.healing._cluster.view)


def test_chunks_are_counted_by_how_many_of_their_fragments_are_where(store):
    world = calm_world()
    blobs = [written(world) for _ in range(4)]
    for missing, blob in enumerate(blobs):
        lose(world, blob, *homes(world, blob)[:missing])
    store.commit(chunked(b"a", entry(blobs[0]), entry(blobs[1])))
    store.commit(chunked(b"b", entry(blobs[2])))
    store.commit(chunked(b"c", entry(blobs[3])))
    assert levels(asked(world, store).of("bucket")) == (4, 1, 1, 1, 1)
    assert levels(asked(world, store).of("other")) == (0, 0, 0, 0, 0)


def test_fragments_on_other_devices_keep_a_chunk_from_being_critical(store):
    world = calm_world()
    blob = written(world)
    store.commit(chunked(b"a", entry(blob)))
    moved = homes(world, blob)[:3]
    lose(world, blob, *moved)
    away = [number for number in world.devices if number not in {home for _, home in homes(world, blob)}]
    for (index, _), number in zip(moved[:2], away, strict=False):
        world.devices[number].put(blob.named(index), memoryview(blob.fragments[index]))
    assert levels(asked(world, store).of("bucket")) == (1, 0, 1, 0, 0)


def test_nothing_is_called_lost_while_a_device_does_not_answer(store):
    world = calm_world()
    blob = written(world)
    store.commit(chunked(b"a", entry(blob)))
    lose(world, blob, *homes(world, blob)[:3])
    world.node_of(homes(world, blob)[4][1]).up = False
    world.hear()
    assert levels(asked(world, store).of("bucket")) == (1, 0, 0, 1, 0)


def test_parts_of_a_completed_upload_count_and_contents_in_their_rows_have_no_chunks(store):
    world = calm_world()
    blobs = [written(world) for _ in range(3)]
    sent = upload(b"parts")
    store.upload_create(sent)
    parts = [part(sent.upload_id, number, entry(blobs[number])) for number in (1, 2)]
    for one in parts:
        store.part_commit(one)
    store.commit(inline(b"small"))
    store.commit(chunked(b"whole", entry(blobs[0])))
    assert levels(asked(world, store).of("bucket")) == (1, 1, 0, 0, 0)
    chosen = [replace(one.part, start=96 * place) for place, one in enumerate(parts)]
    store.complete_upload(Completion(version(b"parts", sent.upload_id, 192), chosen))
    found = asked(world, store).of("bucket")
    assert levels(found) == (3, 3, 0, 0, 0)
    assert found["versions"] == 3


def test_an_answer_is_bounded_and_the_next_goes_on_behind_it(store):
    world = calm_world()
    for number in range(5):
        store.commit(chunked(b"key%d" % number, entry(written(world))))
    redundancy, after, answers = asked(world, store), "", []
    while True:
        answers.append(redundancy.of("bucket", after, chunks_max=2))
        after = answers[-1]["after"]
        if not after:
            break
    assert [found["chunks"] for found in answers] == [2, 2, 1]


def test_an_unknown_bucket_and_a_place_no_answer_gave_are_refused(store):
    redundancy = asked(calm_world(), store)
    with pytest.raises(Missing):
        redundancy.of("nobody")
    with pytest.raises(Corrupt):
        redundancy.of("bucket", "not hex")
