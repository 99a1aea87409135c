"""Which devices let somebody wait lately, and how many may be asked twice for that. A memory of this process, so that
not everybody waits for the same device, and so that hedging never doubles the load of devices that are slow by load.
"""

from collections.abc import Callable

from app.core.cluster_limits import HEDGES_AT_ONCE_MAX, HEDGES_PER_READ, SLOW_SECONDS


class Lately:
    """Bounded by the number of devices. Forgets after SLOW_SECONDS: then somebody tries again. `now_s`: as Ground's."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._until_s: dict[int, float] = {}

    def mark(self, number: int) -> None:
        """Somebody waited too long for this device."""
        self._until_s[number] = self._now_s() + SLOW_SECONDS

    def slow(self, number: int) -> bool:
        """Whether others had better not wait for it now."""
        until_s = self._until_s.get(number)
        if until_s is None:
            return False
        if self._now_s() >= until_s:
            del self._until_s[number]
            return False
        return True


class Hedges:
    """Every read earns a share of a hedge; some are saved up for the moment a device stops answering."""

    def __init__(self) -> None:
        self._saved: float = HEDGES_AT_ONCE_MAX

    def earn(self) -> None:
        """A read began."""
        self._saved = min(self._saved + HEDGES_PER_READ, HEDGES_AT_ONCE_MAX)

    def spend(self) -> bool:
        """Whether another device may be asked because one is late."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
