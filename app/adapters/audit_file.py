"""The audit log's file: lines appended by several processes, begun anew when somebody moved the file away.

Knows one local file. Must not know what lines say. Lines are handed over by one write under O_APPEND, which local file
systems do not mix with others'; fsync is not promised: a power loss may take the last seconds.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.core.errors import Unavailable

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


class AuditFile:
    """One per process. Not for several threads at one time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._torn = False

    def write(self, lines: Sequence[bytes]) -> None:
        """Append them. Raises Unavailable when not all of them are in the file; a line that was cut short by a full
        disk ends there, and all are to be written again."""
        try:
            self._follow()
            text = (b"\n" if self._torn else b"") + b"".join(lines)
            written = os.write(self._fd, text)
        except OSError as error:
            raise Unavailable(f"{self._path}: {error.strerror}") from error
        self._torn = written < len(text)
        if self._torn:
            raise Unavailable(f"{self._path}: it took {written} bytes of {len(text)}")

    def close(self) -> None:
        """The next write opens it again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _follow(self) -> None:
        """Have the file of that name open, not the one that had it."""
        if self._fd >= 0:
            with suppress(FileNotFoundError):
                found, own = self._path.stat(), os.fstat(self._fd)
                if (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino):
                    return
            self.close()
        self._fd = os.open(self._path, _FLAGS, 0o600)
        self._torn = False
