"""A chunk store in memory, for tests: the rules of the port, without a disk.

Knows the port's rules. Nothing survives the process.
"""

from collections.abc import Iterator

from app.core.errors import Conflict, Corrupt, Full, Missing
from app.core.limits import CHUNK_BYTES_MAX, GIB
from app.core.types import BlobId, FileSpan
from app.ports.chunks import BlobName, ChunkStoreStats


class MemoryStore:
    """app.ports.chunks.ChunkStore in a dictionary of at most `bytes_max` bytes."""

    def __init__(self, bytes_max: int = GIB) -> None:
        self._blobs: dict[BlobId, tuple[BlobName, bytes]] = {}
        self._readers: dict[BlobId, int] = {}
        self._bytes_max = bytes_max
        self._bytes = 0

    def put(self, name: BlobName, data: memoryview) -> None:
        """See ChunkStore."""
        if not 0 < len(data) <= CHUNK_BYTES_MAX:
            raise ValueError(f"a blob has 1 to {CHUNK_BYTES_MAX} bytes, not {len(data)}")
        if name.blob_id in self._blobs:
            raise Conflict("a blob id was used twice")
        if self._bytes + len(data) > self._bytes_max:
            raise Full("the store is full")
        self._blobs[name.blob_id] = name, bytes(data)
        self._bytes += len(data)

    def open(self, blob_id: BlobId, length: int = 0) -> "MemoryReader":
        """See ChunkStore."""
        if blob_id not in self._blobs:
            raise Missing("no such blob")
        if length and len(self._blobs[blob_id][1]) != length:
            raise Corrupt(f"a blob of another length than {length}")
        self._readers[blob_id] = self._readers.get(blob_id, 0) + 1
        return MemoryReader(self, blob_id, self._blobs[blob_id][1])

    def release(self, blob_id: BlobId) -> None:
        """End one reader."""
        self._readers[blob_id] -= 1
        if not self._readers[blob_id]:
            del self._readers[blob_id]

    def delete(self, blob_id: BlobId) -> bool:
        """See ChunkStore."""
        if blob_id in self._readers:
            return False
        found = self._blobs.pop(blob_id, None)
        self._bytes -= len(found[1]) if found else 0
        return True

    def delete_many(self, blob_ids: list[BlobId]) -> list[bool]:
        """`delete` for each, in order."""
        return [self.delete(blob_id) for blob_id in blob_ids]

    def names(self) -> Iterator[BlobName]:
        """See ChunkStore."""
        return iter([name for name, _ in self._blobs.values()])

    def verify(self, blob_id: BlobId) -> None:
        """Memory does not decay. Raises Missing."""
        self.open(blob_id).close()

    def maintain(self) -> int:
        """See ChunkStore: there is nothing to do."""
        return 0

    def stats(self) -> ChunkStoreStats:
        """See ChunkStore."""
        return ChunkStoreStats(len(self._blobs), self._bytes, self._bytes, self._bytes_max - self._bytes, 0)

    def room(self) -> int:
        """See ChunkStore."""
        return self._bytes_max - self._bytes

    def close(self) -> None:
        """Forget everything."""
        self._blobs.clear()


class MemoryReader:
    """app.ports.chunks.ChunkReader on bytes."""

    def __init__(self, store: MemoryStore, blob_id: BlobId, data: bytes) -> None:
        self._store: MemoryStore | None = store
        self._blob_id = blob_id
        self._data = data
        self.length = len(data)

    def read(self, offset: int, length: int) -> memoryview:
        """See ChunkReader."""
        if self._store is None:
            raise ValueError("the reader is closed")
        if offset < 0 or length < 0 or offset + length > self.length:
            raise ValueError(f"[{offset}, {offset + length}) is not within a blob of {self.length} bytes")
        return memoryview(self._data)[offset : offset + length]

    def span(self, offset: int, length: int) -> FileSpan | None:
        """None: there is no file."""
        self.read(offset, length)
        return None

    def close(self) -> None:
        """See ChunkReader. Idempotent."""
        store, self._store = self._store, None
        if store is not None:
            store.release(self._blob_id)

    def __enter__(self) -> "MemoryReader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
