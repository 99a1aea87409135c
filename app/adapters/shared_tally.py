"""The tally of one machine: memory in a file of this run, with a column for every worker.

Knows the file's form and process ids. Must not know limits. A worker writes only in its own column, so that counting
needs no lock; the file is locked for the moment a worker takes a column or a scope its cell. Nothing in it needs to
survive the machine. Form, in 8-byte words: gateways up; columns ever used; the workers' process ids; the cells' keys;
then for each cell the workers' requests, and the workers' bytes.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final

from app.core.limits import RATE_CELLS, RATE_COLUMNS

_WORD: Final = 8
_USED: Final = 1
_PIDS: Final = 2
_KEYS: Final = _PIDS + RATE_COLUMNS
_COUNTS: Final = _KEYS + RATE_CELLS
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_WORDS: Final = _COUNTS + RATE_CELLS * RATE_COLUMNS * 2


class SharedTally:
    """See app/ports/tallies.py. `counts`: False for a process that only says how many gateways there are. `alone`: the
    disk had no room, and what is counted is this process's own, for who cannot start makes no room either."""

    def __init__(self, path: Path, counts: bool = True) -> None:
        """`path`: made when missing, in a directory wiped at every start. Raises OSError."""
        self.alone = False
        try:
            self._fd = _taken_up(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._fd = _taken_up(os.memfd_create("rates"))
            self.alone = True
        try:
            self._words = memoryview(mmap.mmap(self._fd, _WORDS * _WORD)).cast("q")
            self._column = self._taken() if counts else 0
        except BaseException:
            os.close(self._fd)
            raise
        self._cells: dict[str, int] = {}

    def close(self) -> None:
        """Leave the column to another worker."""
        if self._fd >= 0:
            if self._words[_PIDS + self._column] == os.getpid():
                self._words[_PIDS + self._column] = 0
            os.close(self._fd)
            self._fd = -1

    def cell(self, key: str) -> int:
        """Scopes that were once limited keep their cells; when all are taken, two share one and what it may take."""
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = self._cell(int.from_bytes(blake2b(key.encode(), digest_size=7).digest(), "big"))
        return found

    def add(self, cell: int, requests: int, size: int) -> None:
        """Count in this worker's column."""
        at = _COUNTS + cell * RATE_COLUMNS * 2 + self._column
        self._words[at] += requests
        self._words[at + RATE_COLUMNS] += size

    def total(self, cell: int) -> tuple[int, int]:
        """Over all columns."""
        at = _COUNTS + cell * RATE_COLUMNS * 2
        middle, words = at + RATE_COLUMNS, self._words
        used = words[_USED]
        return sum(words[at : at + used].tolist()), sum(words[middle : middle + used].tolist())

    def gateways(self) -> int:
        """As the node's keeper last said."""
        return max(1, self._words[0])

    def tell_gateways(self, number: int) -> None:
        """For the keeper."""
        self._words[0] = number

    def _cell(self, name: int) -> int:
        with self._locked():
            for step in range(RATE_CELLS):
                cell = (name + step) % RATE_CELLS
                found = self._words[_KEYS + cell]
                if found == name + 1:
                    return cell
                if found == 0:
                    self._words[_KEYS + cell] = name + 1
                    return cell
        return name % RATE_CELLS

    def _taken(self) -> int:
        """A column nobody alive has. With more workers than columns the last is everybody's, and counts too little."""
        with self._locked():
            for column in range(RATE_COLUMNS):
                pid = self._words[_PIDS + column]
                if pid in (0, os.getpid()) or not Path("/proc", str(pid)).exists():
                    self._words[_PIDS + column] = os.getpid()
                    self._words[_USED] = max(self._words[_USED], column + 1)
                    return column
        return RATE_COLUMNS - 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)


def _taken_up(fd: int) -> int:
    """The descriptor, once there is room for all of it: writing to a hole in a mapped file would be the end of the
    process on a full disk. Raises OSError, and closes it."""
    try:
        os.posix_fallocate(fd, 0, _WORDS * _WORD)
    except OSError:
        os.close(fd)
        raise
    return fd
