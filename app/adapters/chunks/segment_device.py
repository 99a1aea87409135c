"""A device of a file host over a segment store: the DeviceStore port in a directory.

Knows the segment store. Must not know what other devices do: guarded.py keeps them apart.
"""

from collections.abc import Sequence

from app.adapters.chunks.readers import SegmentReader
from app.adapters.chunks.store import SegmentStore
from app.core.cluster_limits import FRAGMENT_BYTES_MAX
from app.core.types import BlobId
from app.ports.chunks import BlobName, ChunkStoreStats


class SegmentDevice:
    """app.ports.devices.DeviceStore; the store is closed with it."""

    def __init__(self, device_id: str, store: SegmentStore) -> None:
        self.device_id = device_id
        self._store = store

    def put(self, name: BlobName, data: memoryview) -> None:
        """See DeviceStore."""
        if not 0 < len(data) <= FRAGMENT_BYTES_MAX:
            raise ValueError(f"a fragment has 1 to {FRAGMENT_BYTES_MAX} bytes, not {len(data)}")
        self._store.put(name, data)

    def open(self, blob_id: BlobId, length: int = 0) -> SegmentReader:
        """See DeviceStore; asks at once."""
        return self._store.open(blob_id, length)

    def whole(self, fragment_id: BlobId) -> memoryview:
        """See DeviceStore."""
        with self._store.open(fragment_id) as reader:
            return reader.read(0, reader.length)

    def delete_many(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        """See DeviceStore."""
        return self._store.delete_many(list(fragment_ids)) if fragment_ids else []

    def held(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        """See DeviceStore."""
        return self._store.held(fragment_ids)

    def page(self, first: bytes, end: bytes | None, after: BlobId, limit: int) -> list[BlobName]:
        """See DeviceStore."""
        return self._store.names_within(first, end, after, limit)

    def verify(self, fragment_id: BlobId) -> int:
        """See DeviceStore: neither the page cache nor what was verified earlier is believed."""
        return self._store.verify(fragment_id)

    def maintain(self) -> int:
        """One bounded step of the store's upkeep; bytes given back."""
        return self._store.maintain()

    def stats(self) -> ChunkStoreStats:
        """See DeviceStore."""
        return self._store.stats()

    def close(self) -> None:
        """Seal what is open and leave the directory."""
        self._store.close()
