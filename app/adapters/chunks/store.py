"""The local chunk store: the ChunkStore port on one device directory.

Knows how the pieces of this room fit. Must not know what blobs are for. Built after the fork; its methods are for
greenlets of one thread. `recovery.recover` must have run on the device since the machine started.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from app.adapters.chunks import recovery
from app.adapters.chunks.appender import Appender, Write
from app.adapters.chunks.disk import Device
from app.adapters.chunks.erase import Outcome, erase
from app.adapters.chunks.gather import Gather
from app.adapters.chunks.index import Index
from app.adapters.chunks.readers import Readers, SegmentReader
from app.adapters.chunks.reclaim import Reclaim
from app.core.checksums import block_checksums
from app.core.errors import Corrupt, StoreError, Unavailable
from app.core.limits import (
    BATCH_BYTES_MAX,
    BLOCK_BYTES,
    CHUNK_BYTES_MAX,
    COMMIT_BATCH_MAX,
    SLICE_BYTES,
)
from app.core.types import BlobId
from app.ports.chunks import BlobName, ChunkStoreStats
from app.runtime.offload import Offload

_HASHED_INLINE_BYTES_MAX = 4 * BLOCK_BYTES  # 6 us a MiB: a native thread costs more below this


class SegmentStore:
    """app.ports.chunks.ChunkStore. Raises Unavailable when the device needs a recovery."""

    def __init__(self, device: Device, offload: Offload) -> None:
        self._device = device
        self._offload = offload
        self._lock = recovery.enter(device)
        try:
            self._index = Index(device.index)
            if not self._index.complete:
                raise Unavailable(f"{device.root} needs a recovery: its index was lost")
        except StoreError:
            os.close(self._lock)
            raise
        self._appender = Appender(device, self._index)
        self._readers = Readers(device, self._index, offload)
        self._reclaim = Reclaim(device, self._index)
        self._tasks: Gather[Callable[[], Any], Any] = Gather(offload, _called, lambda _: 1, 1, 1)
        self._writes: Gather[Write, StoreError | None] = Gather(
            offload, self._appender.commit, lambda write: write.size, COMMIT_BATCH_MAX, BATCH_BYTES_MAX
        )
        self._deletes: Gather[list[BlobId], list[Outcome]] = Gather(
            offload, self._erase, len, COMMIT_BATCH_MAX, COMMIT_BATCH_MAX
        )
        self._closed = False

    def put(self, name: BlobName, data: memoryview) -> None:
        """See ChunkStore. Puts of many greenlets share one fdatasync."""
        if not 0 < len(data) <= CHUNK_BYTES_MAX:
            raise ValueError(f"a blob has 1 to {CHUNK_BYTES_MAX} bytes, not {len(data)}")
        if len(data) <= _HASHED_INLINE_BYTES_MAX:
            table = block_checksums(data)
        else:
            table = self._offload.call(block_checksums, data)
        error = self._writes.submit(Write(name, data, table))
        if error is not None:
            raise _fresh(error)

    def open(self, blob_id: BlobId, length: int = 0) -> SegmentReader:
        """See ChunkStore."""
        reader = self._readers.open(blob_id)
        if length and reader.length != length:
            reader.close()
            raise Corrupt(f"a blob of {reader.length} bytes where {length} belong")
        return reader

    def delete(self, blob_id: BlobId) -> bool:
        """See ChunkStore. Deletions of many greenlets share fdatasyncs; one caller with many uses `delete_many`."""
        return self.delete_many([blob_id])[0]

    def delete_many(self, blob_ids: list[BlobId]) -> list[bool]:
        """`delete` for each, in order, with one fdatasync per segment concerned. One that fails counts as held.

        Raises its error when all fail.
        """
        outcomes = self._deletes.submit(blob_ids)
        errors = [outcome for outcome in outcomes if isinstance(outcome, StoreError)]
        if errors and len(errors) == len(outcomes):
            raise _fresh(errors[0])
        return [outcome is True for outcome in outcomes]

    def names(self) -> Iterator[BlobName]:
        """See ChunkStore."""
        return (entry.name for entry in self._index.entries())

    def names_within(self, first: bytes, end: bytes | None, after: BlobId, limit: int) -> list[BlobName]:
        """At most `limit` blobs with first <= id < end and id > `after`, by id."""
        return self._index.names_within(first, end, after, limit)

    def held(self, blob_ids: Sequence[BlobId]) -> list[bool]:
        """Which of these are stored, as the index says."""
        places = self._index.places(blob_ids)
        return [blob_id in places for blob_id in blob_ids]

    def verify(self, blob_id: BlobId) -> int:
        """Read a blob from disk, all of it and past what the kernel keeps of it, and compare; its length. Raises
        Missing, Corrupt, Unavailable."""
        with self.open(blob_id) as reader:
            reader.forget()
            for start in range(0, reader.length, SLICE_BYTES):
                reader.read(start, min(SLICE_BYTES, reader.length - start))
            return reader.length

    def maintain(self) -> int:
        """See ChunkStore."""
        self._readers.drop_unlinked()
        return int(self._tasks.submit(self._reclaim.step))

    def stats(self) -> ChunkStoreStats:
        """See ChunkStore. Reads the size of every segment file; waits for a step of upkeep under way."""
        stats: ChunkStoreStats = self._tasks.submit(self._stats)
        return stats

    def room(self) -> int:
        """See ChunkStore."""
        return self._device.free_bytes()

    def close(self) -> None:
        """Finish what was accepted, seal the open segment, leave the device. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for gather in (self._writes, self._deletes, self._tasks):
            gather.close()
        try:
            self._offload.call(self._appender.seal)
        finally:
            self._readers.close()
            recovery.leave(self._device, self._index, self._lock)

    def _erase(self, wanted: list[list[BlobId]]) -> list[list[Outcome]]:
        outcomes = iter(erase(self._device, self._index, [blob_id for blob_ids in wanted for blob_id in blob_ids]))
        return [list(islice(outcomes, len(blob_ids))) for blob_ids in wanted]

    def _stats(self) -> ChunkStoreStats:
        counts = self._index.counts().values()
        allocated = segments = 0
        with os.scandir(self._device.segments) as files:
            for file in files:
                with suppress(FileNotFoundError):
                    allocated += file.stat().st_blocks * 512
                    segments += 1
        return ChunkStoreStats(
            blobs=sum(each.blobs for each in counts),
            bytes_live=sum(each.bytes_live for each in counts),
            bytes_allocated=allocated,
            bytes_free=self._device.free_bytes(),
            segments=segments,
        )


def _called(tasks: list[Callable[[], Any]]) -> list[Any]:
    return [task() for task in tasks]


def _fresh(error: StoreError) -> StoreError:
    """An exception of one's own: those of one batch share theirs, and raising it in each would mix their tracebacks."""
    return type(error)(*error.args)
