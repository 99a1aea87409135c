"""The index: where each blob lies, and what is alive in each segment. A cache that segments can rebuild.

Knows LMDB. Must not know files of segments. One environment per device is shared by all processes; it is never synced
but at a clean end, so a commit costs no disk wait: a killed process loses nothing (the kernel has the pages), another
boot means another index (recovery.py). Write transactions may wait for those of other processes: never on the hub.
The address space is reserved once and for all (INDEX_MAP_BYTES), so no process ever meets a resized map.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from app.adapters.chunks.record import record_size
from app.core.errors import Full, StoreError, Unavailable
from app.core.limits import INDEX_MAP_BYTES, INDEX_READERS_MAX, NAMES_PAGE
from app.core.types import BlobId
from app.ports.chunks import BlobName

_ENTRY = struct.Struct(">QQI32s16s")
_COMPLETE = b"complete"
_COUNTS = struct.Struct(">QQQ")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record starts and how long its payload is, in bytes."""

    segment_id: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One blob of the index."""

    name: BlobName
    place: Place


@dataclass(frozen=True, slots=True)
class Counts:
    """What is alive in one segment: blobs, bytes of their payloads, bytes of their records."""

    blobs: int = 0
    bytes_live: int = 0
    bytes_taken: int = 0


class Index:
    """Every method is one short transaction; none blocks but the four that write. Raises Unavailable, Full."""

    def __init__(self, path: Path, *, wary: bool = False) -> None:
        """`wary`: refuse a file that is shorter than its pages, for reading one of them would be a bus error."""
        try:
            self._env: Any = lmdb.open(
                str(path),
                map_size=INDEX_MAP_BYTES,
                max_dbs=2,
                max_readers=INDEX_READERS_MAX,
                max_spare_txns=8,
                sync=False,
                metasync=False,
            )
            if wary and not _whole(self._env, path):
                self._env.close()
                raise Unavailable("the chunk index is cut short")
            self._env.reader_check()  # a killed process leaves its slots behind
            self._blobs: Any = self._env.open_db(b"blobs")
            self._segments: Any = self._env.open_db(b"segments")
        except lmdb.Error as error:
            raise Unavailable(f"the chunk index cannot be opened: {error}") from error

    @property
    def complete(self) -> bool:
        """True once `declare_complete` was called: an environment LMDB has just made up knows nothing."""
        try:
            with self._env.begin() as txn:
                return txn.get(_COMPLETE) is not None
        except lmdb.Error as error:
            raise Unavailable(f"the chunk index cannot be read: {error}") from error

    def declare_complete(self) -> None:
        """Say that every segment has been entered."""
        self._write(lambda txn, _: txn.put(_COMPLETE, b"1"))

    def get(self, blob_id: BlobId) -> Place | None:
        """Where a blob lies now."""
        try:
            with self._env.begin(db=self._blobs) as txn:
                value = txn.get(blob_id)
        except lmdb.Error as error:
            raise Unavailable(f"the chunk index cannot be read: {error}") from error
        return None if value is None else Place(*_ENTRY.unpack(value)[:3])

    def places(self, blob_ids: Iterable[BlobId]) -> dict[BlobId, Place]:
        """The places of those blobs that are known."""
        try:
            with self._env.begin(db=self._blobs) as txn:
                found = ((blob_id, txn.get(blob_id)) for blob_id in blob_ids)
                return {blob_id: Place(*_ENTRY.unpack(value)[:3]) for blob_id, value in found if value is not None}
        except lmdb.Error as error:
            raise Unavailable(f"the chunk index cannot be read: {error}") from error

    def add(self, entries: Iterable[Entry]) -> list[Entry]:
        """Publish entries in one transaction. Returns those refused because their blob is known elsewhere already."""

        def change(txn: Any, counts: "_Ledger") -> list[Entry]:
            refused = []
            for entry in entries:
                place, name = entry.place, entry.name
                value = _ENTRY.pack(place.segment_id, place.offset, place.length, name.chunk_id, name.ref_id)
                if txn.put(name.blob_id, value, db=self._blobs, overwrite=False):
                    counts.add(place, 1)
                elif txn.get(name.blob_id, db=self._blobs) != value:
                    refused.append(entry)
            return refused

        refused: list[Entry] = self._write(change)
        return refused

    def remove(self, gone: Iterable[tuple[BlobId, Place]]) -> None:
        """Forget blobs that still lie at the given places, in one transaction."""

        def change(txn: Any, counts: "_Ledger") -> None:
            for blob_id, place in gone:
                value = txn.get(blob_id, db=self._blobs)
                if value is not None and Place(*_ENTRY.unpack(value)[:3]) == place:
                    txn.delete(blob_id, db=self._blobs)
                    counts.add(place, -1)

        self._write(change)

    def move(self, moves: Iterable[tuple[Entry, Place]]) -> None:
        """Let blobs lie at new places, all in one transaction: (new entry, old place). Raises Unavailable when one of
        them lies elsewhere than said; nothing has moved then."""

        def change(txn: Any, counts: "_Ledger") -> None:
            for entry, old in moves:
                name, new = entry.name, entry.place
                value = txn.get(name.blob_id, db=self._blobs)
                if value is None or Place(*_ENTRY.unpack(value)[:3]) != old:
                    raise Unavailable("a blob moved while its segment was being merged")
                fresh = _ENTRY.pack(new.segment_id, new.offset, new.length, name.chunk_id, name.ref_id)
                txn.put(name.blob_id, fresh, db=self._blobs)
                counts.add(old, -1)
                counts.add(new, 1)

        self._write(change)

    def forget_segment(self, segment_id: int) -> None:
        """Drop the counts of a segment that was unlinked. Those of one in which something lives are kept."""

        def change(txn: Any, _: "_Ledger") -> None:
            key = segment_id.to_bytes(8, "big")
            value = txn.get(key, db=self._segments)
            if value is not None and not Counts(*_COUNTS.unpack(value)).blobs:
                txn.delete(key, db=self._segments)

        self._write(change)

    def counts(self) -> dict[int, Counts]:
        """What is alive in each segment; one with nothing alive may be missing."""
        try:
            with self._env.begin(db=self._segments) as txn:
                return {int.from_bytes(key, "big"): Counts(*_COUNTS.unpack(value)) for key, value in txn.cursor()}
        except lmdb.Error as error:
            raise Unavailable(f"the chunk index cannot be read: {error}") from error

    def page(self, after: BlobId = b"") -> list[Entry]:
        """Up to NAMES_PAGE entries with greater ids, in order of ids."""
        page: list[Entry] = []
        try:
            with self._env.begin(db=self._blobs) as txn, txn.cursor() as cursor:
                found = cursor.set_range(after + b"\0") if after else cursor.first()
                while found and len(page) < NAMES_PAGE:
                    blob_id, value = cursor.item()
                    segment_id, offset, length, chunk_id, ref_id = _ENTRY.unpack(value)
                    page.append(Entry(BlobName(blob_id, chunk_id, ref_id), Place(segment_id, offset, length)))
                    found = cursor.next()
        except lmdb.Error as error:
            raise Unavailable(f"the chunk index cannot be read: {error}") from error
        return page

    def names_within(self, first: bytes, end: bytes | None, after: BlobId, limit: int) -> list[BlobName]:
        """Up to `limit` names with first <= id < end (None: to the end) and id > `after`, in order of ids."""
        names: list[BlobName] = []
        start = max(first, after + b"\0") if after else first
        try:
            with self._env.begin(db=self._blobs) as txn, txn.cursor() as cursor:
                found = cursor.set_range(start) if start else cursor.first()
                while found and len(names) < limit:
                    blob_id, value = cursor.item()
                    if end is not None and blob_id >= end:
                        break
                    names.append(BlobName(blob_id, *_ENTRY.unpack(value)[3:]))
                    found = cursor.next()
        except lmdb.Error as error:
            raise Unavailable(f"the chunk index cannot be read: {error}") from error
        return names

    def entries(self) -> Iterator[Entry]:
        """Every entry, page by page: no transaction stays open between two of them."""
        page = self.page()
        while page:
            yield from page
            page = self.page(page[-1].name.blob_id)

    def check_readers(self) -> None:
        """Free the slots of processes that were killed."""
        self._env.reader_check()

    def sync(self) -> None:
        """Write the index to disk: the last act of a clean end."""
        try:
            self._env.sync(True)
        except lmdb.Error as error:
            raise Unavailable(f"the chunk index cannot be synced: {error}") from error

    def close(self) -> None:
        """Release the environment. No transaction may be open."""
        self._env.close()

    def _write(self, change: Callable[[Any, "_Ledger"], Any]) -> Any:
        try:
            with self._env.begin(write=True) as txn:
                counts = _Ledger(txn, self._segments)
                result = change(txn, counts)
                counts.settle()
                return result
        except lmdb.Error as error:
            raise _translated(error) from error


class _Ledger:
    """Changes of the counts in one transaction, written once per segment."""

    def __init__(self, txn: Any, segments: Any) -> None:
        self._txn = txn
        self._segments = segments
        self._changes: dict[int, Counts] = {}

    def add(self, place: Place, sign: int) -> None:
        """One blob more (1) or less (-1) in the segment of `place`."""
        old = self._changes.get(place.segment_id, Counts())
        self._changes[place.segment_id] = Counts(
            old.blobs + sign,
            old.bytes_live + sign * place.length,
            old.bytes_taken + sign * record_size(place.length),
        )

    def settle(self) -> None:
        """Write the changes."""
        for segment_id, change in self._changes.items():
            key = segment_id.to_bytes(8, "big")
            value = self._txn.get(key, db=self._segments)
            old = Counts(*_COUNTS.unpack(value)) if value else Counts()
            sums = (old.blobs + change.blobs, old.bytes_live + change.bytes_live, old.bytes_taken + change.bytes_taken)
            self._txn.put(key, _COUNTS.pack(*(max(0, value) for value in sums)), db=self._segments)


def _whole(env: Any, path: Path) -> bool:
    pages = env.info()["last_pgno"] + 1
    return (path / "data.mdb").stat().st_size >= int(pages * env.stat()["psize"])


def _translated(error: lmdb.Error) -> StoreError:
    full = isinstance(error, (lmdb.MapFullError, lmdb.DiskError)) or "No space left" in str(error)
    return (Full if full else Unavailable)(f"the chunk index cannot be written: {error}")
