"""Which devices let somebody wait lately. A memory of this process, so that not everybody waits for the same device."""

from time import monotonic

from app.core.limits import SLOW_SECONDS


class Lately:
    """Bounded by the number of devices. Forgets after SLOW_SECONDS: then somebody tries again."""

    def __init__(self) -> None:
        self._until_s: dict[int, float] = {}

    def mark(self, number: int) -> None:
        """Somebody waited too long for this device."""
        self._until_s[number] = monotonic() + SLOW_SECONDS

    def slow(self, number: int) -> bool:
        """Whether others had better not wait for it now."""
        until_s = self._until_s.get(number)
        if until_s is None:
            return False
        if monotonic() >= until_s:
            del self._until_s[number]
            return False
        return True
