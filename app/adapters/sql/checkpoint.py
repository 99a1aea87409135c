"""Checkpoints: moving the write-ahead log into the database, off the path of commits.

Knows the log's size and who may checkpoint. Must not know tables.

After WAL_NUDGE_COMMITS operations a process starts a passive checkpoint in a native thread, which waits for nobody and
stops nobody; a lock lets one process at a time do it. Under load a passive one never reaches the log's end, so the log
would grow for ever: past WAL_BYTES_MAX the rest is copied with commits held back (the lock between processes), and the
log starts over at its beginning. The file is not truncated, because overwriting is cheaper to fsync than growing.

Disk space for a log of that size is taken when a process starts: on a disk that ran full, to the last byte, deletions
still have where to be written.
"""

import errno
import fcntl
import os
import sqlite3

from app.adapters.sql.sqlite import connect
from app.core.limits import WAL_BYTES_MAX, WAL_NUDGE_COMMITS, WAL_READERS_SECONDS_MAX
from app.runtime.offload import Job, Offload


class Checkpointer:
    """Used by the thread that built it; its work runs in a native thread of its own."""

    def __init__(self, path: str, commit_lock_path: str) -> None:
        self._db = connect(path)
        self._db.execute(f"PRAGMA busy_timeout={int(WAL_READERS_SECONDS_MAX * 1000)}")
        ((self._page_bytes,),) = self._db.execute("PRAGMA page_size").fetchall()
        _reserve(f"{path}-wal")
        self._turn_fd = os.open(f"{path}.checkpoint", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._commit_fd = os.open(commit_lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._native = Offload(1)
        self._job: Job[None] | None = None
        self._since = 0

    def committed(self, operations: int) -> None:
        """Count; start a step when enough happened and none is running."""
        self._since += operations
        if self._since >= WAL_NUDGE_COMMITS and (self._job is None or self._job.done):
            self._since = 0
            self._job = self._native.submit(self._step)

    def close(self) -> None:
        """Wait for a running step."""
        if self._job is not None:
            self._job.wait()
        self._native.close()
        self._db.close()
        os.close(self._turn_fd)
        os.close(self._commit_fd)

    def _step(self) -> None:
        """Native thread. A step that fails (busy, disk full) leaves the log as it is; the next one tries again."""
        try:
            fcntl.flock(self._turn_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            if self._checkpoint("PASSIVE") * self._page_bytes > WAL_BYTES_MAX:
                self._start_over()
        except sqlite3.OperationalError:
            return
        finally:
            fcntl.flock(self._turn_fd, fcntl.LOCK_UN)

    def _start_over(self) -> None:
        fcntl.flock(self._commit_fd, fcntl.LOCK_EX)
        try:
            self._checkpoint("RESTART")
        finally:
            fcntl.flock(self._commit_fd, fcntl.LOCK_UN)

    def _checkpoint(self, mode: str) -> int:
        """Pages in the log, copied or not."""
        ((_, pages, _),) = self._db.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        return int(pages)


def _reserve(log: str) -> None:
    """Take disk space for the log, which reads as zeros and ends nowhere else for it: a frame of zeros is none.

    On a disk that is full already nothing can be taken, and deletions take their chance. Raises OSError.
    """
    fd = os.open(log, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, WAL_BYTES_MAX)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EOPNOTSUPP, errno.EINVAL):
            raise
    finally:
        os.close(fd)
