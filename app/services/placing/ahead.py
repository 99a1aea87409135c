"""Reading ahead of one reader: what it said it will read, or what follows when it reads on.

Knows ranges, and a budget shared by all readers of the process: without room in it nothing is read ahead. Must not know
where bytes come from.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import gevent

from app.core.errors import StoreError
from app.core.limits import BLOCK_BYTES, SLICE_BYTES
from app.services.placing.budget import Budget
from app.services.placing.racing import outcome_of

Fetch = Callable[[int, int], memoryview]
_Fetching: TypeAlias = "gevent.Greenlet[..., memoryview | StoreError]"


class _Window:
    """Bytes [start, end) being fetched; `size` of the budget is its own until it is let go and has ended."""

    __slots__ = ("end", "fetching", "start")

    def __init__(self, start: int, end: int, fetching: _Fetching) -> None:
        self.start = start
        self.end = end
        self.fetching = fetching


class Ahead:
    """`step`: bytes fetched by one call. The reader's own failures are raised when the bytes are asked for."""

    def __init__(self, fetch: Fetch, budget: Budget, step: int) -> None:
        self._fetch = fetch
        self._budget = budget
        self._step = step
        self._windows: list[_Window] = []
        self._next = -1  # where a reader that goes on will read
        self._expected = (0, 0)

    def expect(self, start: int, end: int) -> None:
        """Bytes [start, end) are going to be read in order."""
        self._expected = (start, end)

    def read(self, offset: int, length: int, limit: int) -> memoryview:
        """Bytes [offset, offset + length); what follows, up to `limit`, is fetched meanwhile where that helps."""
        end = offset + length
        window = self._window(offset, end)
        if window is None:
            self.close()
            if self._expected[0] <= offset and end < self._expected[1]:
                self._open(offset, self._expected[1], length)
            elif offset == self._next and length >= BLOCK_BYTES:
                self._open(offset, limit, length)
            window = self._window(offset, end)
        self._next = end
        if window is None:
            return self._fetch(offset, end)
        data = window.fetching.get()
        if isinstance(data, StoreError):
            self._let_go(window)
            raise data
        view: memoryview = data[offset - window.start : end - window.start]
        if end == window.end:
            self._let_go(window)
        return view

    def close(self) -> None:
        """Let everything go that was read ahead."""
        for window in list(self._windows):
            self._let_go(window)

    def _window(self, start: int, end: int) -> _Window | None:
        return next((each for each in self._windows if each.start <= start and end <= each.end), None)

    def _open(self, start: int, limit: int, length: int) -> None:
        """Windows from `start` on: of the step's size, so that a reader of slices finds each in one."""
        step = max(length, self._step // SLICE_BYTES * length)
        while start < limit:
            end = min(start + step, limit)
            if not self._budget.try_take(end - start):
                return
            fetching: _Fetching = gevent.spawn(outcome_of, partial(self._fetch, start, end))
            self._windows.append(_Window(start, end, fetching))
            start = end

    def _let_go(self, window: _Window) -> None:
        self._windows.remove(window)
        size = window.end - window.start
        window.fetching.link(lambda _: self._budget.give(size))
