"""A bound on bytes a second: who has spent more than has accrued waits before spending again.

Knows a monotonic clock and how to wait; both are handed in. One pace is shared by the greenlets of one kind of work.
"""

from collections.abc import Callable
from typing import Final

_BURST_S: Final = 1.0  # what may be saved up while idle
_WAIT_S_MIN: Final = 0.001
_WAIT_S_MAX: Final = 5.0  # at once, so that a turn can be ended and a change of the rate is noticed


class Pace:
    """`bytes_per_s()` 0 = no bound. `spent`: bytes in all; `rate`: bytes a second lately."""

    def __init__(
        self, bytes_per_s: Callable[[], int], clock: Callable[[], float], pause: Callable[[float], object]
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._pause = pause
        self._saved = 0.0
        self._at = clock()
        self._mark = (self._at, 0)
        self._lately = 0.0
        self.spent = 0

    def spend(self, count: int) -> None:
        """Account for `count` bytes that were moved, and wait until they are paid for."""
        self.spent += count
        self._accrue()
        self._saved -= count
        while self._saved < 0 and (rate := self._bytes_per_s()) > 0:
            self._pause(min(_WAIT_S_MAX, max(_WAIT_S_MIN, -self._saved / rate)))
            self._accrue()
        self._saved = max(self._saved, 0.0)

    @property
    def rate(self) -> int:
        """Bytes a second over the last ten seconds or so."""
        at, spent = self._mark
        passed = self._clock() - at
        if passed >= 10:
            self._lately = (self.spent - spent) / passed
            self._mark = (self._clock(), self.spent)
        elif passed >= 1 and self._lately == 0:
            return int((self.spent - spent) / passed)
        return int(self._lately)

    def _accrue(self) -> None:
        now, rate = self._clock(), self._bytes_per_s()
        self._saved = min(self._saved + (now - self._at) * rate, _BURST_S * rate)
        self._at = now
