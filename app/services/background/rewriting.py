"""Moving a version's chunks to another profile, one after the other, each under the name it has there.

Knows contents and chunks. Must not know versions' rows: who asks changes the storage class afterwards. Every step is a
whole: a content half moved is as good as any, and moving it again goes on where it ended.

Encrypted contents are carried over as they are stored, not opened and sealed anew: frames are bound to their content's
`ref_id`, which stays, so the sweep needs no key, and an object under a customer's key, which nobody here has, moves as
any other. What is read is verified against the chunk's name before it is written again.
"""

from collections.abc import Iterator

from app.core import limits
from app.core.checksums import hasher
from app.core.errors import Conflict, Corrupt, Missing
from app.core.layout.blob_ids import blob_id_for, chunk_id_for, profile_of
from app.core.types import Bucket, ChunkEntry, RefId, Version
from app.ports.chunks import BlobName, ChunkStore
from app.ports.metadata import ChunkMove, MetadataStore
from app.runtime.offload import Offload
from app.services.call import Sources
from app.services.content.chunks import Chunks
from app.services.content.digesting import CHUNK_NAME
from app.services.content.profiles import Profiles


class Rewriting:
    """One per keeper. Holds one chunk in memory. `grace_ms`: as garbage collection's, for readers of what is left."""

    def __init__(
        self,
        store: MetadataStore,
        chunks: ChunkStore,
        profiles: Profiles,
        offload: Offload,
        sources: Sources,
        grace_ms: int,
    ) -> None:
        self._store = store
        self._chunks = chunks
        self._present = Chunks(store, chunks)
        self._profiles = profiles
        self._offload = offload
        self._sources = sources
        self._grace_ms = grace_ms

    def rewrite(self, bucket: Bucket, version: Version, storage_class: str) -> None:
        """Make every chunk lie as `storage_class` says; durable on return. What lies inline stays.

        Raises Missing or Conflict when the version was replaced or changed meanwhile, Corrupt where a chunk is damaged,
        Full, Unavailable.
        """
        profile = self._profiles.of(bucket, storage_class).profile
        if not profile:
            return
        for ref_id in self._contents(version):
            page = self._store.content_page(ref_id, 0)
            self._rewrite_page(ref_id, 0, page.chunks, profile)
            while page.more:
                page = self._store.content_page(ref_id, page.page + 1)
                self._rewrite_page(ref_id, page.page, page.chunks, profile)

    def _contents(self, version: Version) -> Iterator[RefId]:
        if not version.part_count:
            yield version.ref_id
            return
        after = 0
        while parts := self._store.parts_scan(version.ref_id, after, limits.LIST_KEYS_MAX):
            yield from (part.ref_id for part in parts)
            after = parts[-1].number

    def _rewrite_page(self, ref_id: RefId, page: int, entries: tuple[ChunkEntry, ...], profile: int) -> None:
        for entry in dict.fromkeys(entries):
            if profile_of(entry.blob_id) != profile:
                self._move(ref_id, page, entry, profile)

    def _move(self, ref_id: RefId, page: int, old: ChunkEntry, profile: int) -> None:
        data, digest = self._read(old)
        chunk_id = chunk_id_for(profile, digest)
        blob_id = self._store.chunks_live([chunk_id]).get(chunk_id)
        uploaded, begun_ms = blob_id is None, self._sources.now_ms()
        if blob_id is None:
            blob_id = blob_id_for(profile, self._sources.new_id())
            # An attempt of its own: should it end here, the orphan sweep asks for a reference nobody ever had.
            self._chunks.put(BlobName(blob_id, chunk_id, self._sources.new_id()), memoryview(data))
        new = ChunkEntry(chunk_id, blob_id, old.length)
        now_ms = self._sources.now_ms()
        try:
            if uploaded and not 0 <= now_ms - begun_ms <= limits.ATTEMPT_SECONDS_MAX * 1000:
                raise Conflict("the blob is so old that it may have been collected as an orphan")
            self._store.chunk_move(ChunkMove(ref_id, page, old, new, uploaded, now_ms + self._grace_ms))
        except (Conflict, Missing):  # nothing refers to the blob, and nothing will
            if uploaded:
                self._chunks.delete(blob_id)
            raise

    def _read(self, entry: ChunkEntry) -> tuple[bytearray, bytes]:
        """A chunk's bytes and their digest, which is its name but for the profile."""
        data = bytearray(entry.length)
        with self._present.open(entry) as reader:
            for start in range(0, entry.length, limits.SLICE_BYTES):
                piece = reader.read(start, min(limits.SLICE_BYTES, entry.length - start))
                data[start : start + len(piece)] = piece
        naming = hasher(CHUNK_NAME)
        self._offload.call(naming.update, memoryview(data))
        digest = naming.digest()
        if digest[:31] != entry.chunk_id[:31]:
            raise Corrupt(f"the bytes of chunk {entry.chunk_id.hex()} have another name")
        return data, digest
