"""Page-aligned buffers under one budget per worker process.

Knows sizes, the budget and who waits for it; must not know what is put into a buffer. Buffers are anonymous mappings,
so freed memory returns to the kernel at once and O_DIRECT may use them. For greenlets of one thread.
"""

from collections import deque
from mmap import mmap
from types import TracebackType
from typing import Final, Self

from gevent.event import Event

from app.core.errors import Unavailable
from app.core.limits import (
    BUFFER_IDLE_BYTES_MAX,
    BUFFER_WAIT_SECONDS_MAX,
    CHUNK_BYTES_MAX,
    KIB,
    MIB,
)

SIZE_CLASSES: Final = (64 * KIB, 256 * KIB, 1 * MIB, CHUNK_BYTES_MAX, 2 * CHUNK_BYTES_MAX)


class Buffer:
    """A lent buffer. `view` is writable, page-aligned and at least as long as was asked for (its size class).

    It goes back at the end of the `with` block or by `give_back`; no slice of `view` may be used after that, because
    the next borrower gets the same pages, with the old bytes still in them.
    """

    __slots__ = ("_pool", "view")

    def __init__(self, pool: "BufferPool", view: memoryview) -> None:
        self._pool: BufferPool | None = pool
        self.view = view

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Return the buffer to its pool. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            view, self.view = self.view, memoryview(b"")
            pool._take_back(view)


class _Waiting:
    """A greenlet in the queue for `size` bytes; `granted` is set by whoever gave bytes back."""

    __slots__ = ("event", "granted", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.granted = False
        self.event = Event()


class BufferPool:
    """Lends buffers of at most `budget_bytes` together; first come, first served.

    Of the buffers given back, up to `idle_bytes_max` stay mapped, within the budget.
    """

    def __init__(
        self,
        budget_bytes: int,
        *,
        idle_bytes_max: int = BUFFER_IDLE_BYTES_MAX,
        wait_seconds_max: float = BUFFER_WAIT_SECONDS_MAX,
    ) -> None:
        self._budget = budget_bytes
        self._idle_bytes_max = idle_bytes_max
        self._wait_seconds_max = wait_seconds_max
        self._lent = 0
        self._idle_bytes = 0
        self._idle: dict[int, list[memoryview]] = {size: [] for size in SIZE_CLASSES}
        self._queue: deque[_Waiting] = deque()

    @property
    def lent_bytes(self) -> int:
        """Bytes in use now, counted by size class."""
        return self._lent

    @property
    def idle_bytes(self) -> int:
        """Bytes mapped and not in use."""
        return self._idle_bytes

    def take(self, size: int) -> Buffer:
        """A buffer of at least `size` bytes, 0 <= size <= 2 * CHUNK_BYTES_MAX.

        Waits while the budget is spent, at most `wait_seconds_max`, then raises Unavailable. ValueError if no budget
        could ever hold the size.
        """
        wanted = _size_class(size)
        if wanted > self._budget:
            raise ValueError(f"a buffer of {wanted} bytes never fits a budget of {self._budget}")
        if self._queue or self._lent + wanted > self._budget:
            self._wait_for(wanted)
        else:
            self._lent += wanted
        try:
            return Buffer(self, self._map(wanted))
        except OSError as error:
            self._lent -= wanted
            self._grant()
            raise Unavailable(f"the system has no memory for a buffer of {wanted} bytes") from error

    def trim(self) -> None:
        """Unmap every idle buffer, for a process that has been quiet for a while."""
        for stack in self._idle.values():
            stack.clear()
        self._idle_bytes = 0

    def _wait_for(self, size: int) -> None:
        """Return once `size` bytes of the budget are this greenlet's."""
        waiting = _Waiting(size)
        self._queue.append(waiting)
        try:
            waiting.event.wait(self._wait_seconds_max)
        except BaseException:
            self._leave(waiting)
            raise
        if not waiting.granted:
            self._leave(waiting)
            raise Unavailable(f"no memory for a buffer of {size} bytes within {self._wait_seconds_max} s")

    def _leave(self, waiting: _Waiting) -> None:
        """The greenlet gives up: out of the queue, or, granted in the same turn, its bytes back."""
        if waiting.granted:
            self._lent -= waiting.size
        else:
            self._queue.remove(waiting)
        self._grant()

    def _grant(self) -> None:
        """Hand freed bytes to the queue, strictly in order, so that a large request is never starved by small ones."""
        while self._queue and self._lent + self._queue[0].size <= self._budget:
            waiting = self._queue.popleft()
            self._lent += waiting.size
            waiting.granted = True
            waiting.event.set()

    def _map(self, size: int) -> memoryview:
        stack = self._idle[size]
        if stack:
            self._idle_bytes -= size
            return stack.pop()
        if self._lent + self._idle_bytes > self._budget:
            self.trim()
        return memoryview(mmap(-1, size))

    def _take_back(self, view: memoryview) -> None:
        size = len(view)
        self._lent -= size
        if self._idle_bytes + size <= self._idle_bytes_max:
            self._idle[size].append(view)
            self._idle_bytes += size
        # Otherwise nothing is closed: the mapping goes when its last view does, and a view that outlives its loan by
        # mistake then reads its own old bytes instead of crashing the process.
        self._grant()


def _size_class(size: int) -> int:
    for size_class in SIZE_CLASSES:
        if size <= size_class:
            return size_class
    raise ValueError(f"no buffer is larger than {SIZE_CLASSES[-1]} bytes; {size} were asked for")
