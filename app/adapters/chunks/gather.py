"""Items of many greenlets gathered into batches, each carried out by one call in a native thread.

Knows greenlets and batches. Must not know what is stored. While one batch is under way the next one gathers, so the
batch size follows the load by itself and a lone item waits for nobody.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import gevent
from gevent.event import Event

from app.core.errors import Unavailable
from app.core.limits import COMMIT_QUEUE_MAX
from app.runtime.offload import Offload

T = TypeVar("T")
R = TypeVar("R")


class _Waiting(Generic[T]):
    __slots__ = ("done", "item", "outcome")

    def __init__(self, item: T) -> None:
        self.item = item
        self.done = Event()
        self.outcome: Any = None


class Gather(Generic[T, R]):
    """`carry_out(items)` runs in a native thread and returns one outcome per item, in order.

    A batch has at most `items_max` items, and bytes (`weigh(item)` each) up to `bytes_max` unless one item has more.
    """

    def __init__(
        self,
        offload: Offload,
        carry_out: Callable[[list[T]], list[R]],
        weigh: Callable[[T], int],
        items_max: int,
        bytes_max: int,
    ) -> None:
        self._offload = offload
        self._carry_out = carry_out
        self._weigh = weigh
        self._items_max = items_max
        self._bytes_max = bytes_max
        self._pending: deque[_Waiting[T]] = deque()
        self._idle = Event()
        self._idle.set()
        self._closed = False

    def submit(self, item: T) -> R:
        """The item's outcome. Raises Unavailable when too many wait or the store is closing.

        Whatever is thrown into the waiting greenlet is held back until the batch is through: the native thread may be
        reading the greenlet's buffer.
        """
        waiting = self._enqueue(item)
        thrown: BaseException | None = None
        while not waiting.done.is_set():
            try:
                waiting.done.wait()
            except BaseException as error:  # noqa: BLE001 - raised again below, once the buffer is out of use
                thrown = error
        if thrown is not None:
            raise thrown
        outcome: R = waiting.outcome
        if isinstance(outcome, _Bug):
            raise outcome.error
        return outcome

    def close(self) -> None:
        """Refuse new items and wait until everything accepted is through."""
        self._closed = True
        self._idle.wait()

    def _enqueue(self, item: T) -> _Waiting[T]:
        if self._closed:
            raise Unavailable("the chunk store is closing")
        if len(self._pending) >= COMMIT_QUEUE_MAX:
            raise Unavailable("too many operations wait for the disk")
        waiting = _Waiting(item)
        self._pending.append(waiting)
        if self._idle.is_set():
            self._idle.clear()
            gevent.spawn(self._work)
        return waiting

    def _work(self) -> None:
        """Carry out batches until nothing waits. Runs in a greenlet of its own that nobody can kill."""
        try:
            while self._pending:
                batch = self._next_batch()
                outcomes: list[Any]
                try:
                    outcomes = list(self._offload.call(self._carry_out, [waiting.item for waiting in batch]))
                except Exception as error:  # noqa: BLE001 - a bug, raised again in every greenlet that waits for it
                    outcomes = [_Bug(error)] * len(batch)
                for waiting, outcome in zip(batch, outcomes, strict=True):
                    waiting.outcome = outcome
                    waiting.done.set()
        finally:
            self._idle.set()

    def _next_batch(self) -> list[_Waiting[T]]:
        batch = [self._pending.popleft()]
        size = self._weigh(batch[0].item)
        while self._pending and len(batch) < self._items_max:
            size += self._weigh(self._pending[0].item)
            if size > self._bytes_max:
                break
            batch.append(self._pending.popleft())
        return batch


class _Bug:
    """An exception nobody expected, on its way to the greenlets of its batch."""

    def __init__(self, error: Exception) -> None:
        self.error = error
