"""The promise of a device: fragments of blobs, durable when put returns, verified when read, listed by id.

Knows what one device does, wherever it is. Must not know layouts, profiles or HTTP. A fragment is named as a blob is
(`BlobName`), its id bearing its index (core/layout/blob_ids).

Rules for every implementation (tests/contract/test_devices.py): those of ports.chunks, and
- `put` of an id the device holds is Conflict and changes nothing: ids are never reused, so what is there is the same.
- Missing means that this device provably does not hold the fragment; a device that cannot tell is Unavailable.
- A device that fails answers at once: after repeated errors it is Unavailable without being tried, for a while.
"""

from collections.abc import Sequence
from typing import Protocol

from app.core.types import BlobId
from app.ports.chunks import BlobName, ChunkReader, ChunkStoreStats


class DeviceStore(Protocol):
    """See the module docstring for the rules every method obeys."""

    device_id: str

    def put(self, name: BlobName, data: memoryview) -> None:
        """Store a fragment of 1..FRAGMENT_BYTES_MAX bytes. Conflict, Full, Unavailable."""

    def open(self, blob_id: BlobId, length: int = 0) -> ChunkReader:
        """A reader of a fragment of `length` bytes; given that, nothing need be asked before its first read, so
        Missing, Corrupt (another length) and Unavailable may come from there."""

    def whole(self, fragment_id: BlobId) -> memoryview:
        """All bytes of a fragment whose length the caller does not know, verified. Missing, Corrupt, Unavailable."""
        ...

    def delete_many(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        """As ChunkStore.delete_many."""
        ...

    def held(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        """Which of these the device holds, as its index says; no byte of them is read."""
        ...

    def page(self, first: bytes, end: bytes | None, after: BlobId, limit: int) -> list[BlobName]:
        """Fragments with first <= id < end (None: to the end) and id > `after` (b"": from the start), by id."""
        ...

    def verify(self, fragment_id: BlobId) -> int:
        """Read every byte from the device and check it; the fragment's length. Missing, Corrupt, Unavailable."""

    def stats(self) -> ChunkStoreStats: ...

    def close(self) -> None: ...
