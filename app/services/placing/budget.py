"""A number of bytes that greenlets share. Knows who waits; must not know what the bytes are for."""

from collections import deque

from gevent.event import Event

from app.core.errors import Unavailable


class Budget:
    """First come, first served; who waits longer than `wait_seconds_max` gets Unavailable. For one thread."""

    def __init__(self, bytes_max: int, wait_seconds_max: float) -> None:
        self._left = bytes_max
        self._wait_seconds_max = wait_seconds_max
        self._queue: deque[tuple[int, Event]] = deque()

    def try_take(self, size: int) -> bool:
        """Take `size` bytes if that needs no waiting."""
        if self._queue or size > self._left:
            return False
        self._left -= size
        return True

    def take(self, size: int) -> None:
        """Take `size` bytes, waiting for them. Unavailable. The taker gives exactly these back."""
        if self.try_take(size):
            return
        place = (size, Event())
        self._queue.append(place)
        try:
            place[1].wait(self._wait_seconds_max)
        except BaseException:
            self._leave(place)
            raise
        if not place[1].is_set():
            self._leave(place)
            raise Unavailable(f"no memory for {size} bytes on their way to devices")

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self._left += size
        self._serve()

    def _leave(self, place: tuple[int, Event]) -> None:
        if place[1].is_set():  # served in the same turn
            self._left += place[0]
        else:
            self._queue.remove(place)
        self._serve()

    def _serve(self) -> None:
        while self._queue and self._queue[0][0] <= self._left:
            size, event = self._queue.popleft()
            self._left -= size
            event.set()
