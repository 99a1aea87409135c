"""The few things this room does to its directory, each durable when it returns.

Knows files, fsync and rename. Must not know what is in them. The simulator stands in for it with a disk that loses
power at every one of these calls.
"""

import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """Named files of one node. Everything raises OSError; after a failed `append` the file's end is undefined."""

    def read(self, name: str) -> bytes | None:
        """The whole file; None when there is none."""

    def replace(self, name: str, data: bytes) -> None:
        """Make `data` the file: a crash leaves the old or the new one, whole; durable on return."""

    def append(self, name: str, data: bytes) -> None:
        """Add to the end of an existing file; durable on return."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file; durable on return."""

    def close(self) -> None: ...


class Directory:
    """The real one. One process at a time: the caller holds the directory's lock."""

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._open: dict[str, int] = {}

    def read(self, name: str) -> bytes | None:
        """As the protocol says."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, name: str, data: bytes) -> None:
        """As the protocol says: a new file, fsync, rename, fsync of the directory."""
        self._forget(name)
        fresh = self._path / f"{name}.new"
        fd = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, data)
            os.fsync(fd)
        except OSError:
            # Half a snapshot on a full disk would keep it full.
            fresh.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        fresh.rename(self._path / name)
        self._fsync_directory()

    def append(self, name: str, data: bytes) -> None:
        """As the protocol says: one write, one fdatasync."""
        fd = self._open.get(name)
        if fd is None:
            fd = self._open[name] = os.open(self._path / name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        _write_all(fd, data)
        os.fdatasync(fd)

    def truncate(self, name: str, size: int) -> None:
        """As the protocol says."""
        fd = os.open(self._path / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, size)
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of the files."""
        for name in list(self._open):
            self._forget(name)

    def _forget(self, name: str) -> None:
        fd = self._open.pop(name, None)
        if fd is not None:
            os.close(fd)

    def _fsync_directory(self) -> None:
        fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
