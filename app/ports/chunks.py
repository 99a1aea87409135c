"""The promise of a chunk store: named blobs, durable when put returns, verified when read.

Knows what durability and verification mean. Must not know segments, files' names or HTTP.

Rules for every implementation (tests/contract/test_chunks.py):
- `put` returns only after the blob would survive power loss; a failed put leaves nothing visible.
- Every byte a reader hands out was verified against the checksum written with it; a mismatch is Corrupt.
- A reader that is open keeps its blob readable, whatever is deleted, compacted or unlinked meanwhile, by any process;
  but a store over several machines gives no such lease: there the grace of garbage collection is what readers have.
- A call blocks only its own greenlet. Buffers handed in stay the caller's and must not change until the call returns.
- StoreError subclasses only: Full, Missing, Corrupt, Unavailable.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from app.core.types import BlobId, ChunkId, FileSpan, RefId


@dataclass(frozen=True, slots=True)
class BlobName:
    """Who a blob is: its own id (16 bytes, never reused), its chunk's content name, the attempt that wrote it."""

    blob_id: BlobId
    chunk_id: ChunkId
    ref_id: RefId


@dataclass(frozen=True, slots=True)
class ChunkStoreStats:
    """Bytes and counts. `bytes_free` is what may still be written before Full."""

    blobs: int
    bytes_live: int
    bytes_allocated: int
    bytes_free: int
    segments: int


class ChunkReader(Protocol):
    """An open blob; `close` (or leaving the context) releases it. Not shared between greenlets."""

    length: int

    def read(self, offset: int, length: int) -> memoryview:
        """Exactly `length` verified bytes from `offset`; the view is the caller's. Raises Corrupt, Unavailable, and
        what `open` left to the first read."""

    def span(self, offset: int, length: int) -> FileSpan | None:
        """The same bytes as a verified file span valid until close, or None where the store cannot."""

    def close(self) -> None: ...

    def __enter__(self) -> "ChunkReader": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None, /
    ) -> None: ...


class ChunkStore(Protocol):
    """See the module docstring for the rules every method obeys."""

    def put(self, name: BlobName, data: memoryview) -> None:
        """Store 1..CHUNK_BYTES_MAX bytes under a new blob id. Full, Unavailable."""

    def open(self, blob_id: BlobId, length: int = 0) -> ChunkReader:
        """`length`: the chunk's bytes as its manifest has them, 0 when the caller does not know (ValueError where the
        chunk is stored as something else: compressed, coded). Missing when provably absent; Corrupt when it has another
        length. Given the length a store may ask nothing before the first read, which raises all this then."""

    def delete(self, blob_id: BlobId) -> bool:
        """Remove a blob and give its space back. False when readers hold it: try again later. True when it is gone
        already. Survives a crash: a deleted blob does not come back once True was answered."""

    def delete_many(self, blob_ids: list[BlobId]) -> list[bool]:
        """`delete` of each, sharing what it costs to make them durable; the answers in the same order."""
        ...

    def names(self) -> Iterator[BlobName]:
        """Every stored blob, in no order; blobs put or deleted meanwhile, or whose deletion was cut off, may show."""

    def maintain(self) -> int:
        """One bounded step of upkeep (seal what dead writers left, compact, unlink, checkpoint the index). Returns
        the bytes given back to the file system. Safe from any process at any time."""

    def stats(self) -> ChunkStoreStats: ...

    def room(self) -> int:
        """Bytes that may still be written before Full: for what shares the device without being a chunk. One system
        call, no waiting."""

    def close(self) -> None: ...
