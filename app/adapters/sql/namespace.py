"""Buckets by name, remembered between requests of one process and forgotten when any process changes the namespace.

Knows the mark: eight bytes of memory shared by every process of the database, a new random value after each change.
Must not know SQL. Every request names a bucket; looking it up was a tenth of a small GET (docs/design/metadata.md).
"""

import mmap
import os
from collections.abc import Callable
from time import monotonic

from app.core.limits import BUCKETS_REMEMBERED_MAX, BUCKETS_REMEMBERED_SECONDS
from app.core.types import Bucket


class NamespaceCache:
    """A change is acknowledged only after the mark moved, so nobody who heard of it finds the old bucket here.

    A process that dies between its commit and the mark has acknowledged nothing; what others remember of its change
    ends after BUCKETS_REMEMBERED_SECONDS.
    """

    def __init__(self, path: str) -> None:
        """`path`: the shared file, made when missing. Nothing in it needs to survive the machine."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, mmap.PAGESIZE)
            self._mark = memoryview(mmap.mmap(fd, mmap.PAGESIZE)).cast("Q")
        finally:
            os.close(fd)
        self._seen = self._mark[0]
        self._since = monotonic()
        self._buckets: dict[str, Bucket] = {}

    def get(self, name: str, look_up: Callable[[str], Bucket]) -> Bucket:
        """The bucket, remembered or looked up; absence is never remembered. Raises what `look_up` raises."""
        now = monotonic()
        mark = self._mark[0]
        if mark != self._seen or now - self._since > BUCKETS_REMEMBERED_SECONDS:
            self._buckets.clear()
            self._seen, self._since = mark, now  # the mark is read before the store: a change meanwhile shows next time
        found = self._buckets.get(name)
        if found is None:
            found = look_up(name)
            if len(self._buckets) < BUCKETS_REMEMBERED_MAX:
                self._buckets[name] = found
        return found

    lately = get  # it costs no more

    def changed(self) -> None:
        """Make every process forget. A random value, because two processes that count would count the same."""
        self._mark[0] = int.from_bytes(os.urandom(8), "big")
