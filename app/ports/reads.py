"""The promise of the read board: how far back in time a read still under way began, over all processes.

Knows times only. Garbage collection asks it before a released blob leaves its device.
"""

from typing import Protocol


class ReadBoard(Protocol):
    """Each process publishes its own oldest read about once a second; a dead process' entry does not count."""

    def publish(self, oldest_ms: int | None) -> None:
        """When the oldest read of this process began, ms since the epoch; None when there is none."""

    def oldest_ms(self) -> int:
        """The oldest read published by a living process; a time far in the future when there is none."""
        ...
