"""The real store against a dictionary: commits, overwrites, deletes, uploads and sweeps in any order."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.adapters.sql.store import SqliteStore
from app.core.errors import Conflict, Missing
from app.core.types import BlobId, ChunkEntry, ChunkId, Content, Part, RefId
from app.ports.metadata import BlobClaim, Commit, Completion, PartCommit
from migrations.run import migrate
from tests.contract.metadata import BUCKET, bucket, chunk, inline, marker, new_id, part, upload, version

KEYS = st.sampled_from([b"a", b"b", b"\xff"])
CHUNKS = st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3)
GRACE_MS = 100


class StoreMachine(RuleBasedStateMachine):
    """`model`: key -> what a reader must see, inline bytes or chunk ids in order. `device`: blobs that exist."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name) / "zapfs.db"
        migrate(path)
        self.store = SqliteStore(path)
        self.store.bucket_create(bucket())
        self.model: dict[bytes, bytes | list[ChunkId]] = {}
        self.device: dict[BlobId, tuple[ChunkId, RefId]] = {}
        self.uploads: dict[RefId, dict[int, tuple[Part, list[ChunkId]]]] = {}
        self.attempts: dict[RefId, list[ChunkId]] = {}
        self.now = 1_000

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    # --- attempts write blobs to the device before anything knows them
    def _entries(self, names: list[str], ref_id: RefId) -> tuple[tuple[ChunkEntry, ...], frozenset[ChunkId]]:
        """Entries for the chunks, live ones by their blob, others freshly uploaded."""
        live = self.store.chunks_live([chunk(name) for name in names])
        fresh: dict[ChunkId, BlobId] = {}
        for chunk_id in map(chunk, names):
            if chunk_id not in live and chunk_id not in fresh:
                fresh[chunk_id] = new_id()
                self.device[fresh[chunk_id]] = (chunk_id, ref_id)
        blobs = {**live, **fresh}
        return tuple(ChunkEntry(chunk(name), blobs[chunk(name)], 7) for name in names), frozenset(fresh)

    def _commit(self, names: list[str], key: bytes, ref_id: RefId) -> Commit:
        entries, fresh = self._entries(names, ref_id)
        size = 7 * len(entries)
        return Commit(version(key, ref_id, size), Content(ref_id, size, None, entries), None, fresh)

    # --- rules
    @rule(key=KEYS, data=st.binary(max_size=3))
    def put_inline(self, key: bytes, data: bytes) -> None:
        self.store.commit(inline(key, data))
        self.model[key] = data

    @rule(key=KEYS, names=CHUNKS)
    def put_unpinned(self, key: bytes, names: list[str]) -> None:
        self.store.commit(self._commit(names, key, new_id()))
        self.model[key] = [chunk(name) for name in names]

    @rule(names=CHUNKS)
    def put_unpinned_and_crash(self, names: list[str]) -> None:
        self._entries(names, new_id())

    @rule(names=CHUNKS)
    def pin(self, names: list[str]) -> None:
        ref_id = new_id()
        self.store.intent_open(ref_id, self.now + 300)
        self.store.pin(ref_id, [chunk(name) for name in names])
        self.attempts[ref_id] = [chunk(name) for name in names]

    @rule(key=KEYS, publish_first=st.booleans())
    def commit_pinned(self, key: bytes, publish_first: bool) -> None:
        if not self.attempts:
            return
        ref_id, chunk_ids = self.attempts.popitem()
        names = [chunk_id.rstrip(b".").decode() for chunk_id in chunk_ids]
        ask = self._commit(names, key, ref_id)
        mine = [(one.chunk_id, one.blob_id, 7) for one in ask.content.chunks if one.chunk_id in ask.uploaded]
        try:
            if publish_first and mine:
                self.store.publish(ref_id, mine)
                ask = ask._replace(uploaded=frozenset())
            self.store.commit(ask._replace(pinned=True))
        except Conflict:
            return
        self.model[key] = chunk_ids

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        assert (self.store.delete_current(BUCKET, key, marker(key)).removed is not None) == (key in self.model)
        self.model.pop(key, None)

    @rule()
    def upload_begin(self) -> None:
        begun = upload()
        self.store.upload_create(begun)
        self.uploads[begun.upload_id] = {}

    @rule(number=st.integers(1, 3), names=CHUNKS)
    def upload_part(self, number: int, names: list[str]) -> None:
        if not self.uploads:
            return
        upload_id = next(iter(self.uploads))
        ask = part(upload_id, number)
        entries, fresh = self._entries(names, ask.part.ref_id)
        content = ask.content._replace(inline=None, chunks=entries, size=7 * len(entries))
        sent = replace(ask.part, size=content.size)
        self.store.part_commit(PartCommit(sent, content, fresh))
        self.uploads[upload_id][number] = (sent, [chunk(name) for name in names])

    @rule(skip=st.integers(0, 3))
    def upload_complete(self, skip: int) -> None:
        if not self.uploads:
            return
        upload_id = next(iter(self.uploads))
        chosen, start, chunk_ids = [], 0, []
        for number, (sent, content) in sorted(self.uploads[upload_id].items()):
            if number != skip:
                chosen.append(replace(sent, start=start))
                start += sent.size
                chunk_ids += content
        if chosen:
            self.store.complete_upload(Completion(version(b"key", upload_id, start), chosen))
            self.model[b"key"] = chunk_ids
            del self.uploads[upload_id]

    @rule()
    def upload_abort(self) -> None:
        if self.uploads:
            upload_id, _ = self.uploads.popitem()
            self.store.upload_abort(upload_id)

    @rule(limit=st.integers(1, 5))
    def release(self, limit: int) -> None:
        self.store.outbox_step(self.now, GRACE_MS, limit)

    @rule(step=st.sampled_from([10, 500]))
    def time_passes(self, step: int) -> None:
        self.now += step
        self.store.intents_expire_step(self.now, 10)

    @rule()
    def orphans(self) -> None:
        """No attempt of the model is in flight between two rules, so every blob is old enough."""
        claims = [BlobClaim(blob_id, chunk_id, ref_id) for blob_id, (chunk_id, ref_id) in self.device.items()]
        self.store.blobs_queue_orphans(claims, self.now)

    @rule()
    def remove(self) -> None:
        due = self.store.blobs_due(self.now, 100)
        for blob_id in due:
            self.device.pop(blob_id, None)
        self.store.blobs_removed(due)

    @rule()
    def scrub(self) -> None:
        assert self.store.references_scrub_step(None, 1_000) == (0, None)

    # --- what must hold after every rule
    @invariant()
    def readers_see_the_model_and_every_visible_chunk_is_on_the_device(self) -> None:
        listed = self.store.currents_scan(BUCKET, b"", True, None, 100)
        assert [one.key for one in listed] == sorted(self.model)
        for one in listed:
            seen = self._read(one.key)
            assert seen == self.model[one.key]

    def _read(self, key: bytes) -> bytes | list[ChunkId]:
        found, page = self.store.current_with_content(BUCKET, key)
        if page is not None:
            if page.inline is not None:
                return page.inline
            return self._held(page.chunks)
        chunk_ids = []
        for one in self.store.parts_scan(found.ref_id, 0, 100):
            chunk_ids += self._held(self.store.content_page(one.ref_id, 0).chunks)
        return chunk_ids

    def _held(self, entries: tuple[ChunkEntry, ...]) -> list[ChunkId]:
        live = self.store.chunks_live([one.chunk_id for one in entries])
        for one in entries:
            assert self.device[one.blob_id][0] == one.chunk_id
            assert live[one.chunk_id] == one.blob_id
        return [one.chunk_id for one in entries]


class QuietEnd(StoreMachine):
    """The same, and when everything is deleted and swept, nothing is left anywhere."""

    def teardown(self) -> None:
        for key in list(self.model):
            self.store.delete_current(BUCKET, key, marker(key))
        for upload_id in self.uploads:
            self.store.upload_abort(upload_id)
        self.store.intents_expire_step(self.now + 10_000, 1_000)
        while self.store.outbox_step(self.now, GRACE_MS, 50):
            pass
        self.orphans()
        self.now += 10_000
        self.remove()
        counts = self.store.gc_counts()
        left = (counts.intents, counts.outbox, counts.blobs_waiting, counts.chunks, counts.chunk_references)
        with pytest.raises(Missing):
            self.store.current(BUCKET, b"a")
        super().teardown()
        assert left == (0, 0, 0, 0, 0)
        assert self.device == {}


TestStoreMachine = QuietEnd.TestCase
TestStoreMachine.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
