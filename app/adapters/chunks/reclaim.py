"""Upkeep: dead writers' segments sealed, empty ones removed, sparse ones merged. One bounded step at a time.

Knows when and in what order. Must not know greenlets. A step owns the device's upkeep lock, so one process works at a
time; it may be killed at any point (docs/design/segments.md says what the next step then finds).
"""

import os
from contextlib import suppress
from dataclasses import dataclass

from app.adapters.chunks import adopt, disk, erase, scan
from app.adapters.chunks.disk import Device
from app.adapters.chunks.index import Counts, Index
from app.adapters.chunks.merge import DamagedSource, merge
from app.adapters.chunks.record import SegmentHead
from app.adapters.chunks.segment import read_end, read_head
from app.core.limits import (
    COMPACT_BYTES_MAX,
    COMPACT_LIVE_PERCENT,
    COMPACT_SOURCES_MAX,
    UNLINK_SEGMENTS_MAX,
)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What never changes in a sealed segment."""

    head: SegmentHead
    end: int


class Reclaim:
    """The upkeep of one device by one process. Not for two threads at once."""

    def __init__(self, device: Device, index: Index) -> None:
        self._device = device
        self._index = index
        self._sealed: dict[int, _Sealed] = {}
        self._damaged: set[int] = set()  # never merged: what cannot be read now may still be rescued by hand

    def step(self) -> int:
        """One step; the bytes it gave back to the file system. Raises StoreError."""
        try:
            lock = os.open(self._device.root / "upkeep", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                return self._step() if disk.own_file(lock) else 0
            finally:
                os.close(lock)
        except OSError as error:
            raise disk.store_error(error, "upkeep") from error

    def _step(self) -> int:
        device, index = self._device, self._index
        index.check_readers()
        for segment_id in device.ids(disk.UNFINISHED):
            adopt.finish_merge(device, index, segment_id)
        present = device.ids()
        self._look_at(present)
        counts = index.counts()
        for sealed in list(self._sealed.values()):
            if any(source in self._sealed for source in sealed.head.replaces):
                adopt.drop_replaced(device, sealed.head)
        given_back = self._unlink_empty(counts)
        for segment_id in set(counts) - set(present):
            if not counts[segment_id].blobs:
                index.forget_segment(segment_id)
        return given_back or self._merge_sparse(counts)

    def _look_at(self, present: list[int]) -> None:
        """Learn of newly sealed segments, and seal at most one whose writer is gone."""
        there = set(present)
        self._sealed = {key: sealed for key, sealed in self._sealed.items() if key in there}
        adopted = False
        for segment_id in present:
            if segment_id in self._sealed or segment_id in self._damaged:
                continue
            sealed = self._read(segment_id)
            if sealed is None and not adopted:
                adopted = adopt.adopt(self._device, self._index, segment_id) is not None
                sealed = self._read(segment_id) if adopted else None
                if adopted and sealed is None:  # its first page is damaged: a recovery reports it, nothing mends it
                    self._damaged.add(segment_id)
            if sealed is not None:
                self._sealed[segment_id] = sealed

    def _read(self, segment_id: int) -> _Sealed | None:
        try:
            fd = os.open(self._device.path(segment_id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            head = read_head(fd)
            end = None if head is None else read_end(fd, head)
        finally:
            os.close(fd)
        return None if head is None or end is None else _Sealed(head, end)

    def _unlink_empty(self, counts: dict[int, Counts]) -> int:
        """Remove sealed segments without a live record. Whoever still reads one has its descriptor."""
        given_back = 0
        empty = [key for key in self._sealed if not counts.get(key, Counts()).blobs]
        for segment_id in empty[:UNLINK_SEGMENTS_MAX]:
            path = self._device.path(segment_id)
            with suppress(FileNotFoundError):
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    if not disk.own_byte(fd, erase.GATE) or self._lives(fd, self._sealed[segment_id]):
                        continue
                    given_back += max(1, os.fstat(fd).st_blocks * 512)
                    os.unlink(path)
                finally:
                    os.close(fd)
            self._index.forget_segment(segment_id)
            del self._sealed[segment_id]
        if given_back:
            disk.sync_directory(self._device.segments)
        return given_back

    def _lives(self, fd: int, sealed: _Sealed) -> bool:
        """Ask each record, whatever the counts say: unlinking is the one step that cannot be taken back."""
        contents = scan.sealed_contents(fd, sealed.head, sealed.end)
        return any(adopt.is_known(self._index, sealed.head, found) for found in contents.live)

    def _merge_sparse(self, counts: dict[int, Counts]) -> int:
        """Copy what lives in sparse segments together, as far as one step goes."""
        chosen: list[SegmentHead] = []
        size = taken = 0
        for segment_id, sealed in self._sealed.items():
            live = counts.get(segment_id, Counts())
            sparse = live.bytes_taken * 100 < sealed.end * COMPACT_LIVE_PERCENT
            if (
                not sparse
                or not live.blobs
                or segment_id in self._damaged
                or size + live.bytes_taken > COMPACT_BYTES_MAX
            ):
                continue
            chosen.append(sealed.head)
            size += live.bytes_taken
            with suppress(FileNotFoundError):
                taken += os.stat(self._device.path(segment_id)).st_blocks * 512
            if len(chosen) == COMPACT_SOURCES_MAX:
                break
        # One segment whose dead pages were punched already gives nothing back.
        worth_it = len(chosen) > 1 or taken * COMPACT_LIVE_PERCENT > size * 100
        if not worth_it or self._device.free_bytes() < size:
            return 0
        try:
            merged = merge(self._device, self._index, chosen)
        except DamagedSource as error:
            self._damaged.add(error.segment_id)
            return 0
        return max(1, taken - size) if merged else 0
