"""Finding a chunk's bytes: where the manifest says, and where its row says by now.

Knows that a blob which cannot be read may have been replaced by another (docs/design/write-order.md): a manifest names
the blob its chunk had when it was written, the chunk's row the one it has. Must not know contents, nor who asks.
"""

from types import TracebackType

from app.core.errors import StoreError
from app.core.limits import SLICE_BYTES
from app.core.types import BlobId, ChunkEntry, FileSpan
from app.ports.chunks import ChunkReader, ChunkStore
from app.ports.metadata import MetadataStore


class Chunks:
    """Opens chunks. One per worker process."""

    def __init__(self, store: MetadataStore, chunks: ChunkStore) -> None:
        self._store = store
        self._chunks = chunks

    def open(self, entry: ChunkEntry) -> ChunkReader:
        """See ChunkStore.open. The row is asked only when the blob of the manifest cannot be read."""
        try:
            return _Following(self, entry, self._chunks.open(entry.blob_id, entry.length))
        except StoreError as error:
            return self.replacement(entry, error)

    def replacement(self, entry: ChunkEntry, error: StoreError) -> ChunkReader:
        """The chunk in the blob that took the place of the entry's; raises `error` when none did."""
        blob_id = self._store.chunks_live([entry.chunk_id]).get(entry.chunk_id)
        if blob_id is None or blob_id == entry.blob_id:
            raise error
        return self._chunks.open(blob_id, entry.length)

    def whole(self, blob_id: BlobId, length: int) -> bool:
        """Whether every byte of a blob can be read now, and is what was written."""
        try:
            with self._chunks.open(blob_id, length) as reader:
                for start in range(0, length, SLICE_BYTES):
                    reader.read(start, min(SLICE_BYTES, length - start))
        except StoreError:
            return False
        return True


class _Following:
    """A ChunkReader that goes on with the replacement where its own blob fails it."""

    __slots__ = ("_chunks", "_entry", "_reader", "length")

    def __init__(self, chunks: Chunks, entry: ChunkEntry, reader: ChunkReader) -> None:
        self._chunks: Chunks | None = chunks
        self._entry = entry
        self._reader = reader
        self.length = reader.length

    def read(self, offset: int, length: int) -> memoryview:
        """See ChunkReader."""
        try:
            return self._reader.read(offset, length)
        except StoreError as error:
            return self._follow(error).read(offset, length)

    def span(self, offset: int, length: int) -> FileSpan | None:
        """See ChunkReader."""
        try:
            return self._reader.span(offset, length)
        except StoreError as error:
            return self._follow(error).span(offset, length)

    def close(self) -> None:
        """See ChunkReader."""
        self._reader.close()

    def __enter__(self) -> "_Following":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _follow(self, error: StoreError) -> ChunkReader:
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            raise error
        replacement = chunks.replacement(self._entry, error)
        self._reader.close()
        self._reader = replacement
        return replacement
