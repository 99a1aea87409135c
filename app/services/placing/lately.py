"""Which devices let somebody wait lately. A memory of this process, so that not everybody waits for the same device."""

from collections.abc import Callable

from app.core.limits import SLOW_SECONDS


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
