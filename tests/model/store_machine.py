"""The real store beside a dictionary: every kind of change and sweep in any order.

`model` says what the stacks hold; `device` has the blobs that exist, so that what is visible can be held against it.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.core.errors import Conflict, Missing, S3Error
from app.core.s3.version_ids import place_of
from app.core.types import (
    NULL_PLACE,
    Attributes,
    BlobClaim,
    BlobId,
    ChunkEntry,
    ChunkId,
    Content,
    ContentPage,
    Lock,
    Part,
    RefId,
    Usage,
    Version,
    Versioning,
)
from app.ports.metadata import Appending, Commit, Completion, PartCommit
from tests.contract.metadata import BUCKET, OWNER, bucket, chunk, inline, marker, new_id, part, upload, version
from tests.model.stacks import Stacks, held
from tests.model.stores import count, opened

KEYS = st.sampled_from([b"a", b"key", b"\xff"])
CHUNKS = st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3)
HELD = Attributes(lock=Lock(legal_hold=True))
GRACE_MS = 100


def keep(one: Version | None) -> None:
    """The check every removal brings along."""
    if held(one):
        raise S3Error("AccessDenied")


class StoreMachine(RuleBasedStateMachine):
    """Rules about objects and versions; references and sweeps are StoreMachine's heirs' (sweeping_machine)."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.store = opened(Path(self.directory.name))
        self.store.bucket_create(bucket())
        self.model = Stacks()
        self.device: dict[BlobId, tuple[ChunkId, RefId]] = {}
        self.replaced: set[BlobId] = set()
        self.uploads: dict[RefId, dict[int, tuple[Part, list[ChunkId]]]] = {}
        self.attempts: dict[RefId, list[ChunkId]] = {}
        self.now = 1_000

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    # --- attempts write blobs to the device before anything knows them
    def entries(self, names: list[str], ref_id: RefId) -> tuple[tuple[ChunkEntry, ...], frozenset[ChunkId]]:
        """Entries for the chunks, live ones by their blob, others freshly uploaded."""
        live = self.store.chunks_live([chunk(name) for name in names])
        fresh: dict[ChunkId, BlobId] = {}
        for chunk_id in map(chunk, names):
            if chunk_id not in live and chunk_id not in fresh:
                fresh[chunk_id] = new_id()
                self.device[fresh[chunk_id]] = (chunk_id, ref_id)
        blobs = {**live, **fresh}
        return tuple(ChunkEntry(chunk(name), blobs[chunk(name)], 7) for name in names), frozenset(fresh)

    def asked(self, names: list[str], key: bytes, ref_id: RefId) -> Commit:
        entries, fresh = self.entries(names, ref_id)
        size = 7 * len(entries)
        return Commit(version(key, ref_id, size), Content(ref_id, size, None, entries), None, fresh)

    def commit(self, ask: Commit, content: list[bytes], hold: bool = False) -> bool:
        """Put, as the model says it must go; False when a lock refused it."""
        key, version_id = ask.version.key, new_id()
        attributes = HELD if hold else Attributes()
        ask = ask._replace(version=ask.version._replace(version_id=version_id, attributes=attributes))
        source = None if ask.moved_from is None else ask.moved_from[0]
        if held(self.model.goes(key)) or (source is not None and held(self.model.goes(source))):
            with pytest.raises(S3Error):
                self.store.commit(ask._replace(replaced_check=keep))
            return False
        made = self.store.commit(ask._replace(replaced_check=keep))
        self.model.put(made, content, version_id)
        if source is not None:
            on_top = self.store.newest(BUCKET, source) if self.model.versioning is not Versioning.OFF else None
            self.model.delete(source, on_top, version_id)
        return True

    # --- rules
    @initialize(enabled=st.booleans())
    def begin(self, enabled: bool) -> None:
        """Half of the runs stack versions from the start; the others have null versions to cover first."""
        if enabled:
            self.switch(Versioning.ENABLED)

    @rule(versioning=st.sampled_from([Versioning.ENABLED, Versioning.ENABLED, Versioning.SUSPENDED]))
    def switch(self, versioning: Versioning) -> None:
        self.store.bucket_amend(BUCKET, lambda one: replace(one, versioning=versioning))
        self.model.versioning = versioning

    @rule(key=KEYS, data=st.binary(max_size=3), hold=st.booleans())
    def put_inline(self, key: bytes, data: bytes, hold: bool) -> None:
        self.commit(inline(key, data), [data], hold)

    @rule(key=KEYS, names=CHUNKS)
    def put_unpinned(self, key: bytes, names: list[str]) -> None:
        self.commit(self.asked(names, key, new_id()), [chunk(name) for name in names])

    @rule(source=KEYS, key=KEYS, data=st.binary(max_size=3))
    def move(self, source: bytes, key: bytes, data: bytes) -> None:
        ask = inline(key, data)._replace(moved_from=(source, None))
        if source != key and self.model.current(source) is not None:
            self.commit(ask, [data])

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        on_top, goes = marker(key), self.model.goes(key)
        if held(goes):
            with pytest.raises(S3Error):
                self.store.delete_current(BUCKET, key, on_top, None, keep)
            return
        done = self.store.delete_current(BUCKET, key, on_top, None, keep)
        assert done.removed == goes
        self.model.delete(key, done.marker, on_top.version_id)

    @rule(key=KEYS, at=st.sampled_from([0, 0, 0, 1, 2]))
    def remove_version(self, key: bytes, at: int) -> None:
        if at >= len(self.model.stack(key)):
            return
        entry = self.model.stack(key)[at]
        if held(entry.version):
            with pytest.raises(S3Error):
                self.store.delete_version(BUCKET, key, place_of(entry.version), keep)
            return
        assert self.store.delete_version(BUCKET, key, place_of(entry.version), keep) == entry.version
        self.model.remove(entry)

    @rule(key=KEYS, at=st.integers(0, 2), hold=st.booleans())
    def amend(self, key: bytes, at: int, hold: bool) -> None:
        entry = next(iter(self.model.stack(key)[at : at + 1]), None)
        if entry is None or entry.marker:
            return
        where = None if entry is self.model.current(key) and hold else place_of(entry.version)
        entry.version = self.store.version_amend(BUCKET, key, where, lambda _: HELD if hold else Attributes())
        assert held(entry.version) == hold

    @rule(key=KEYS, names=CHUNKS)
    def append(self, key: bytes, names: list[str]) -> None:
        ref_id = new_id()
        entries, fresh = self.entries(names, ref_id)
        size = 7 * len(names)
        new = Part(b"", 0, ref_id, size, "p" * 32, 5)

        def grow(old: Version | None) -> Version:
            return version(key, ref_id, size) if old is None else old._replace(size=old.size + size)

        ask = Appending(BUCKET, key, new, Content(ref_id, size, None, entries), grow, fresh)
        if self.model.versioning is not Versioning.OFF:
            with pytest.raises(Conflict):
                self.store.append(ask)
            return
        made, entry = self.store.append(ask), self.model.current(key)
        if entry is None:
            self.model.put(made, [chunk(name) for name in names], made.version_id)
        else:
            entry.version, entry.content = made, entry.content + [chunk(name) for name in names]

    # --- multipart
    @rule()
    def upload_begin(self) -> None:
        begun = replace(upload(), owner=OWNER)
        self.store.upload_create(begun)
        self.uploads[begun.upload_id] = {}

    @rule(number=st.integers(1, 3), names=CHUNKS)
    def upload_part(self, number: int, names: list[str]) -> None:
        if not self.uploads:
            return
        upload_id = next(iter(self.uploads))
        ask = part(upload_id, number)
        entries, fresh = self.entries(names, ask.part.ref_id)
        content = ask.content._replace(inline=None, chunks=entries, size=7 * len(entries))
        sent = replace(ask.part, size=content.size)
        self.store.part_commit(PartCommit(sent, content, fresh))
        self.uploads[upload_id][number] = (sent, [chunk(name) for name in names])

    @rule(skip=st.integers(0, 3))
    def upload_complete(self, skip: int) -> None:
        upload_id = next(iter(self.uploads), b"")
        chosen, start, content = [], 0, []
        for number, (sent, chunk_ids) in sorted(self.uploads.get(upload_id, {}).items()):
            if number != skip:
                chosen.append(replace(sent, start=start))
                start += sent.size
                content += chunk_ids
        if not chosen:
            return
        ask = version(b"key", upload_id, start)._replace(version_id=new_id())
        if held(self.model.goes(b"key")):
            with pytest.raises(S3Error):
                self.store.complete_upload(Completion(ask, chosen, None, keep))
            return
        self.model.put(self.store.complete_upload(Completion(ask, chosen, None, keep)), content, ask.version_id)
        del self.uploads[upload_id]

    @rule()
    def upload_abort(self) -> None:
        if self.uploads:
            upload_id, _ = self.uploads.popitem()
            self.store.upload_abort(upload_id)

    # --- what must hold after every rule
    @invariant()
    def listings_and_lookups_tell_the_model(self) -> None:
        StoreMachine.steps += 1
        everything = self.model.everything()
        assert self.store.versions_scan(BUCKET, b"", None, None, 1_000) == [one.version for one in everything]
        currents = [one for one in map(self.model.current, sorted(self.model.keys)) if one is not None]
        listed = self.store.currents_scan(BUCKET, b"", True, None, 100)
        assert [(one.key, one.seq) for one in listed] == [(one.version.key, one.version.seq) for one in currents]
        for key in self.model.keys:
            null = self.model.null(key)
            if null is not None:
                assert self.store.version(BUCKET, key, NULL_PLACE) == null.version
            else:
                with pytest.raises(Missing):
                    self.store.version(BUCKET, key, NULL_PLACE)

    @invariant()
    def what_the_bucket_holds_is_counted_exactly(self) -> None:
        everything = [one.version for one in self.model.everything()]
        parts = sum(sent.size for numbered in self.uploads.values() for sent, _ in numbered.values())
        counted = Usage(len(everything), sum(one.size for one in everything), parts)
        assert self.store.bucket_usage(BUCKET) == self.store.bucket_recount(BUCKET) == counted

    @invariant()
    def every_version_reads_back_and_its_chunks_are_on_the_device(self) -> None:
        for one in self.model.everything():
            found, page = self.store.version_with_content(BUCKET, one.version.key, place_of(one.version))
            assert found == one.version
            assert self._content(found, page) == one.content
            if one is self.model.current(one.version.key):
                assert self.store.current_with_content(BUCKET, one.version.key) == (found, page)

    def _content(self, found: Version, page: ContentPage | None) -> list[bytes]:
        if found.delete_marker:
            assert page is None
            return []
        if page is not None:
            return self._held_by(page)
        pages = [self.store.content_page(one.ref_id, 0) for one in self.store.parts_scan(found.ref_id, 0, 1_000)]
        assert len(pages) == found.part_count
        return [each for one in pages for each in self._held_by(one)]

    def _held_by(self, page: ContentPage) -> list[bytes]:
        if page.inline is not None:
            return [page.inline]
        live = self.store.chunks_live([one.chunk_id for one in page.chunks])
        for one in page.chunks:
            assert self.device[live[one.chunk_id]][0] == one.chunk_id
            assert one.blob_id == live[one.chunk_id] or one.blob_id in self.replaced
        return [one.chunk_id for one in page.chunks]


class SweptMachine(StoreMachine):
    """With pinned attempts, crashes and sweeps; when everything is deleted and swept, nothing is left anywhere."""

    @rule(names=CHUNKS)
    def put_unpinned_and_crash(self, names: list[str]) -> None:
        self.entries(names, new_id())

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
        ask = self.asked(names, key, ref_id)
        mine = [(one.chunk_id, one.blob_id, 7) for one in ask.content.chunks if one.chunk_id in ask.uploaded]
        try:
            if publish_first and mine:
                self.store.publish(ref_id, mine)
                ask = ask._replace(uploaded=frozenset())
            self.commit(ask._replace(pinned=True), list(chunk_ids))
        except Conflict:
            return

    @rule(name=st.sampled_from(["x", "y", "z"]))
    def replace_blob(self, name: str) -> None:
        """Somebody found that the chunk cannot be read, and had its bytes in hand."""
        new = new_id()
        old = self.store.chunks_live([chunk(name)]).get(chunk(name))
        self.device[new] = (chunk(name), new_id())
        if old is None:
            assert self.store.chunk_replace(chunk(name), new_id(), new) is None
            return
        assert self.store.chunk_replace(chunk(name), old, new) == new
        self.replaced.add(old)

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

    def teardown(self) -> None:
        for one in self.model.everything():
            self.store.delete_version(BUCKET, one.version.key, place_of(one.version))
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
        marks = count(self.store, "obj_stack")
        self.store.bucket_delete(BUCKET)
        super().teardown()
        assert left == (0, 0, 0, 0, 0)
        assert marks == 0
        assert self.device == {}
