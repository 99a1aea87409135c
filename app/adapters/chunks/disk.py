"""Where a device's files lie, and the system calls Python lacks or that need a fixed shape.

Knows paths, locks, allocation. Must not know records. Everything here is safe in native threads.

Two kinds of lock are used. flock on a file: "a process works on this" (a segment's writer, the device's upkeep).
Open-file-description locks on a byte: leases. They belong to a descriptor, not to a process, so that two descriptors of
one process conflict as they should and closing one never drops another's locks (fcntl(2), F_OFD_SETLK).
"""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import Full, StoreError, Unavailable
from app.core.limits import DISK_RESERVE_BYTES, SEGMENT_BYTES_MAX, SEGMENT_STEP_BYTES

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

SEGMENT = ".seg"
UNFINISHED = ".tmp"
UNBORN = ".new"

_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCKED = (errno.EAGAIN, errno.EACCES)
_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux: type, whence, start, length, pid

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate64.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


@dataclass(frozen=True, slots=True)
class Device:
    """One device directory and what is injected into the room: sizes, the boot's id, entropy, fdatasync.

    `boot_id` names the running kernel: an index written under another one may have lost its last changes.
    """

    root: Path
    reserve_bytes: int = DISK_RESERVE_BYTES
    segment_bytes_max: int = SEGMENT_BYTES_MAX
    step_bytes: int = SEGMENT_STEP_BYTES
    boot_id: str = ""
    entropy: Callable[[int], bytes] = os.urandom
    sync: Callable[[int], None] = os.fdatasync

    @property
    def segments(self) -> Path:
        """The directory of segment files."""
        return self.root / "segments"

    @property
    def index(self) -> Path:
        """The directory of the LMDB environment."""
        return self.root / "index"

    def path(self, segment_id: int, suffix: str = SEGMENT) -> str:
        """The file of a segment; UNFINISHED names a merged segment before its commit."""
        return f"{self.segments}/{segment_id:016x}{suffix}"

    def boot(self) -> str:
        """The id of the running boot."""
        return self.boot_id or BOOT_ID.read_text().strip()

    def ids(self, suffix: str = SEGMENT) -> list[int]:
        """The segments present, in ascending order. Names that are none of ours are passed over."""
        found = []
        for entry in os.scandir(self.segments):
            stem, dot, rest = entry.name.partition(".")
            if dot + rest == suffix and len(stem) == 16:
                with suppress(ValueError):
                    found.append(int(stem, 16))
        return sorted(found)

    def free_bytes(self) -> int:
        """What may still be written before the reserve is touched; never negative."""
        room = os.statvfs(self.segments)
        return max(0, room.f_bavail * room.f_frsize - self.reserve_bytes)


def store_error(error: OSError, doing: str) -> StoreError:
    """The store's outcome for a system call that failed."""
    kind = Full if error.errno in _FULL else Unavailable
    return kind(f"{doing}: {os.strerror(error.errno or 0)}")


def is_full(error: OSError) -> bool:
    """True when the file system had no room: nothing was lost."""
    return error.errno in _FULL


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_file(path: Path, data: bytes) -> None:
    """Replace a small file durably, or leave it as it was."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    sync_directory(path.parent)


def allocate(fd: int, offset: int, length: int) -> None:
    """Reserve space and extend the file over it. Raises OSError ENOSPC; a file system without it changes nothing."""
    try:
        os.posix_fallocate(fd, offset, length)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise


def punch(fd: int, offset: int, length: int) -> bool:
    """Give whole pages back to the file system; they read as zeros. False where that is not possible."""
    return length <= 0 or _libc.fallocate64(fd, _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE, offset, length) == 0


def own_file(fd: int) -> bool:
    """Take the file's flock without waiting; False when another descriptor has it. Ends with the descriptor."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _LOCKED:
            return False
        raise
    return True


def share_byte(fd: int, offset: int) -> bool:
    """Lock one byte against `own_byte` of other descriptors. False when one has it."""
    return _lock_byte(fd, offset, fcntl.F_RDLCK)


def own_byte(fd: int, offset: int) -> bool:
    """Lock one byte against everybody else. False when anybody has it. The descriptor must be writable."""
    return _lock_byte(fd, offset, fcntl.F_WRLCK)


def free_byte(fd: int, offset: int) -> None:
    """Release this descriptor's lock on one byte."""
    _lock_byte(fd, offset, fcntl.F_UNLCK)


def write_all(fd: int, pieces: list[bytes | memoryview], offset: int) -> None:
    """Write every byte of the pieces from `offset` on. Raises OSError."""
    for start in range(0, len(pieces), 1000):  # IOV_MAX is 1024
        group = pieces[start : start + 1000]
        total = sum(map(len, group))
        done = os.pwritev(fd, group, offset)
        if done < total:
            rest = memoryview(b"".join(group))
            while done < total:
                done += os.pwrite(fd, rest[done:], offset + done)
        offset += total


def _lock_byte(fd: int, offset: int, kind: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, offset, 1, 0))
    except OSError as error:
        if error.errno in _LOCKED:
            return False
        raise
    return True
