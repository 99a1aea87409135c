"""Writing big payloads past the page cache.

Knows O_DIRECT: whole pages from page-aligned memory. Must not know records. A copy into the page cache costs more than
the disk itself for chunk-sized payloads (docs/design/segments.md has the figures), and pushes out what is read often.
"""

import errno
import os

from app.adapters.chunks import disk
from app.core.limits import DIRECT_BYTES_MIN, RECORD_ALIGN_BYTES


class DirectFile:
    """A second way into a file that is open for writing; falls back to the page cache where the file system or the
    memory does not allow it. Ranges written both ways share no page. Functions block."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._direct = _reopen(fd)

    def write_all(self, pieces: list[bytes | memoryview], offset: int) -> None:
        """Write every byte of the pieces from `offset`, a page's start, on. Raises OSError. Not durable yet."""
        waiting: list[bytes | memoryview] = []
        begin = offset
        for piece in pieces:
            at = begin + sum(map(len, waiting))
            body = self._body(piece, at)
            if body == 0:
                waiting.append(piece)
                continue
            disk.write_all(self._fd, waiting, begin)
            view = memoryview(piece)
            self._write_direct(view[:body], at)
            waiting = [view[body:]]
            begin = at + body
        disk.write_all(self._fd, waiting, begin)

    def _body(self, piece: bytes | memoryview, at: int) -> int:
        """Bytes from the piece's start that may bypass the cache: whole pages of a big payload, or none."""
        if self._direct < 0 or len(piece) < DIRECT_BYTES_MIN or at % RECORD_ALIGN_BYTES:
            return 0
        return len(piece) - len(piece) % RECORD_ALIGN_BYTES

    def _write_direct(self, view: memoryview, offset: int) -> None:
        try:
            done = os.pwrite(self._direct, view, offset) if self._direct >= 0 else 0
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            done = 0  # memory that is not page-aligned
        if done < len(view):
            disk.write_all(self._fd, [view[done:]], offset + done)

    def close(self) -> None:
        """Let go of the second descriptor; the first stays its owner's. Idempotent."""
        direct, self._direct = self._direct, -1
        if direct >= 0:
            os.close(direct)


def _reopen(fd: int) -> int:
    """A descriptor of the same file for O_DIRECT, -1 where the file system has none."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
    except OSError:
        return -1
