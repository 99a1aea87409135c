"""Group commit: the blobs waiting in one process become durable together.

Knows the order of durability. Must not know greenlets (gather.py) or readers. Runs in one native thread at a time.

The order for a batch: space reserved, records written, one fdatasync, one index transaction, then and only then the
callers hear of it. Only one batch is under way in a segment, hence after a crash only the records with the highest
batch number of an unsealed segment can be torn.
"""

from contextlib import suppress
from dataclasses import dataclass

from app.adapters.chunks import disk, erase, record
from app.adapters.chunks.disk import Device
from app.adapters.chunks.index import Entry, Index, Place
from app.adapters.chunks.record import Head
from app.adapters.chunks.segment import OpenSegment, head_page, padding
from app.core.errors import Conflict, Full, StoreError
from app.core.limits import BATCH_BYTES_MAX, COMMIT_BATCH_MAX
from app.ports.chunks import BlobName


@dataclass(slots=True)
class Write:
    """A blob to be stored: the payload stays its caller's; `table` is its block table."""

    name: BlobName
    data: memoryview
    table: bytes

    @property
    def size(self) -> int:
        """Bytes its record takes."""
        return record.record_size(len(self.data))


class Appender:
    """The one open segment of this process and device, made at the first write."""

    def __init__(self, device: Device, index: Index) -> None:
        self._device = device
        self._index = index
        self._segment: OpenSegment | None = None

    def commit(self, writes: list[Write]) -> list[StoreError | None]:
        """Store a batch; one outcome for each write, in order. Raises nothing of its own but bugs."""
        outcomes: list[StoreError | None] = []
        at = 0
        while at < len(writes):
            group = self._fitting(writes, at)
            try:
                outcomes += self._commit(group)
            except StoreError as error:
                outcomes += [error] * len(group)
            at += len(group)
        return outcomes

    def seal(self) -> None:
        """End the open segment; the next write makes another. Raises Unavailable."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            segment.seal()
        except OSError as error:
            raise disk.store_error(error, "sealing a segment") from error

    def _fitting(self, writes: list[Write], at: int) -> list[Write]:
        """The writes from `at` on that go into one segment, ending the present one when not even one does."""
        if self._segment is not None and not self._segment.has_room(writes[at].size):
            with suppress(StoreError):  # the segment is whole without its mark: upkeep seals it
                self.seal()
        limit = self._device.segment_bytes_max - (self._segment.end if self._segment else record.PAGE)
        group = [writes[at]]
        size = writes[at].size
        for write in writes[at + 1 : at + COMMIT_BATCH_MAX]:
            size += write.size
            if size > min(limit, BATCH_BYTES_MAX):
                break
            group.append(write)
        return group

    def _commit(self, writes: list[Write]) -> list[StoreError | None]:
        size = sum(write.size for write in writes)
        if self._device.free_bytes() < size:
            raise Full("the device is down to its reserve")
        if self._segment is None:
            self._segment = OpenSegment(self._device)
        segment = self._segment
        segment.reserve(size)
        segment.batch += 1
        entries, pieces = _laid_out(segment, writes)
        start = segment.end
        try:
            segment.append(pieces, size)
            segment.sync()
        except OSError as error:
            self._segment = None
            segment.give_up(start)
            raise disk.store_error(error, "writing a segment") from error
        return self._publish(segment, entries, start)

    def _publish(self, segment: OpenSegment, entries: list[Entry], start: int) -> list[StoreError | None]:
        """Enter durable records into the index; those it will not have are made unreadable again, durably."""
        failure: StoreError | None = None
        try:
            refused = self._index.add(entries)
            outcome: StoreError = Conflict("a blob id was used twice")
        except StoreError as error:
            refused, outcome, failure = entries, error, error
        if refused:
            try:
                erase.kill(segment.fd, segment.head, [(entry.name.blob_id, entry.place) for entry in refused])
                segment.sync()
            except OSError as error:
                self._segment = None
                segment.give_up(start if failure else segment.end)
                raise disk.store_error(error, "taking back a write") from error
        return [outcome if entry in refused else None for entry in entries]


def _laid_out(segment: OpenSegment, writes: list[Write]) -> tuple[list[Entry], list[bytes | memoryview]]:
    """Where each record goes, and the pieces to write in one go."""
    offset = segment.end
    entries: list[Entry] = []
    pieces: list[bytes | memoryview] = []
    for write in writes:
        length = len(write.data)
        head = Head(write.name, length, segment.batch, False, record.table_digest(write.table))
        pieces.append(head_page(record.encode_head(segment.head, offset, head), write.table))
        pieces.append(write.data)
        if length % record.PAGE:
            pieces.append(padding(length))
        entries.append(Entry(write.name, Place(segment.head.segment_id, offset, length)))
        offset += write.size
    return entries, pieces
