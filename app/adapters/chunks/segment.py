"""One segment file: created, appended to, sealed; or read, whoever writes it.

Knows one file. Must not know the index or other segments. Functions block and belong into native threads, but opening
one for reading (two system calls).
"""

import errno
import os
from contextlib import suppress

from app.adapters.chunks import disk, record
from app.adapters.chunks.direct import DirectFile
from app.adapters.chunks.disk import Device
from app.adapters.chunks.record import PAGE, SegmentHead
from app.core.errors import Corrupt, Full

_PADDING = memoryview(bytes(PAGE))


class OpenSegment:
    """A segment this process appends to. Its flock tells others that the writer lives; the kernel drops it with us.

    Space is reserved ahead in steps: a write inside it changes no size, so that a sync has little to do. After any
    failed write or sync nobody knows what is on disk (the kernel reports such an error once and marks the pages
    clean), so the segment is given up; it is never synced again as if nothing had happened.
    """

    def __init__(self, device: Device, replaces: tuple[int, ...] = (), suffix: str = disk.SEGMENT) -> None:
        """Create a segment durably: file, first page and name. Raises Full, Unavailable.

        It gets its name last, owned and with a head: a nameless moment in between, and upkeep elsewhere would take it
        for one whose writer died at birth.
        """
        self._device = device
        self.head = SegmentHead(
            int.from_bytes(device.entropy(8), "big"), device.entropy(record.KEY_BYTES), tuple(replaces)
        )
        self.path = device.path(self.head.segment_id, suffix)
        self.end = PAGE
        self.batch = 0
        self._allocated = PAGE
        self._direct: DirectFile | None = None
        unborn = device.path(self.head.segment_id, disk.UNBORN)
        try:
            self.fd = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise disk.store_error(error, "creating a segment") from error
        try:
            disk.own_file(self.fd)
            disk.write_all(self.fd, [record.encode_segment_head(self.head)], 0)
            os.fsync(self.fd)
            os.rename(unborn, self.path)
            disk.sync_directory(device.segments)
        except OSError as error:
            with suppress(OSError):
                os.unlink(unborn)
            self.discard()
            raise disk.store_error(error, "creating a segment") from error

    def has_room(self, size: int) -> bool:
        """True when a record of `size` bytes fits below the size limit. One record always fits."""
        return self.end == PAGE or self.end + size <= self._device.segment_bytes_max

    def reserve(self, size: int) -> None:
        """Make sure that `size` more bytes have their space. Raises Full (the segment stays good) or Unavailable."""
        if self.end + size <= self._allocated:
            return
        for step in (max(size, self._device.step_bytes), size):
            target = min(self.end + step, max(self._device.segment_bytes_max, self.end + size))
            try:
                disk.allocate(self.fd, self._allocated, target - self._allocated)
            except OSError as error:
                if not disk.is_full(error):
                    raise disk.store_error(error, "reserving space") from error
                with suppress(OSError):
                    os.ftruncate(self.fd, self._allocated)
                continue
            self._allocated = target
            return
        raise Full("the device has no space for another record")

    def append(self, pieces: list[bytes | memoryview], size: int) -> int:
        """Write pieces that add up to `size` bytes (whole pages) at the end; their offset. Not durable yet.

        Raises OSError; the segment must be given up then.
        """
        offset = self.end
        if self._direct is None:
            self._direct = DirectFile(self.fd)
        self._direct.write_all(pieces, offset)
        self.end = offset + size
        return offset

    def sync(self) -> None:
        """Make everything appended durable. Raises OSError; the segment must be given up then."""
        self._device.sync(self.fd)

    def seal(self) -> None:
        """Cut the reserved rest, write the end mark durably and let go. Raises OSError."""
        try:
            seal_file(self.fd, self.head, self.end)
        finally:
            self.close()

    def give_up(self, good_end: int) -> None:
        """Leave a segment whose disk failed: drop what is not known to be durable as well as the disk lets us."""
        with suppress(OSError):
            os.ftruncate(self.fd, good_end)
        self.close()

    def discard(self) -> None:
        """Remove a segment nobody has heard of."""
        with suppress(OSError):
            os.unlink(self.path)
        self.close()

    def close(self) -> None:
        """Let go of the file and its flock. Idempotent."""
        if self._direct is not None:
            self._direct.close()
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class SegmentFile:
    """A segment opened for reading. `leases`: readers per record offset in this process; `users`: their sum."""

    __slots__ = ("fd", "head", "leases", "users")

    def __init__(self, device: Device, segment_id: int) -> None:
        """Raises FileNotFoundError, Corrupt, Unavailable."""
        self.fd = open_segment(device, segment_id)
        self.leases: dict[int, int] = {}
        self.users = 0
        try:
            head = read_head(self.fd)
        except OSError as error:
            self.close()
            raise disk.store_error(error, "opening a segment") from error
        if head is None or head.segment_id != segment_id:
            self.close()
            raise Corrupt(f"the first page of segment {segment_id:016x} is damaged")
        self.head = head

    def close(self) -> None:
        """Close the descriptor, and with it every lease. Idempotent."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def open_segment(device: Device, segment_id: int) -> int:
    """A read-only descriptor, of a merged segment too while it awaits its name. FileNotFoundError, Unavailable."""
    try:
        try:
            return os.open(device.path(segment_id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return os.open(device.path(segment_id, disk.UNFINISHED), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise
        raise disk.store_error(error, "opening a segment") from error


def read_head(fd: int) -> SegmentHead | None:
    """The head in the first page. Raises OSError."""
    return record.decode_segment_head(os.pread(fd, PAGE, 0))


def read_end(fd: int, head: SegmentHead) -> int | None:
    """The end of a sealed segment, None while it is open. Raises OSError."""
    return record.decode_end(head, os.pread(fd, PAGE, 0))


def seal_file(fd: int, head: SegmentHead, end: int) -> None:
    """Cut the file at `end` and write the end mark, one sector, durably. Raises OSError."""
    os.ftruncate(fd, end)
    disk.write_all(fd, [record.encode_end(head, end)], record.END_OFFSET)
    os.fsync(fd)


def padding(length: int) -> memoryview:
    """The zeros that fill a payload of `length` bytes up to whole pages."""
    return _PADDING[: -length % PAGE]


def head_page(head: bytes, table: bytes) -> bytes:
    """A record's first page."""
    return (head + table).ljust(PAGE, b"\0")
