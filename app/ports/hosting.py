"""What a file host promises its own blob routes beyond a device's promise: how it fares, and checksums to send along.

Knows shapes. Must not know HTTP or segments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from app.core.errors import Unavailable
from app.core.types import BlobId
from app.ports.chunks import ChunkReader
from app.ports.devices import DeviceStore

UP: Final = "up"
FAILING: Final = "failing"
DOWN: Final = "down"


class Hung(Unavailable):
    """A call that did not end in time goes on without its caller: buffers handed in are in use until it is `over`.

    `over(then)` calls `then` once that is so, which may be never.
    """

    def __init__(self, why: str, over: Callable[[Callable[[], object]], object]) -> None:
        super().__init__(why)
        self.over = over


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """`status`: up, failing (too many errors lately) or down (hangs, is gone, was never opened). `errors`: since the
    process began. `why`: one line, "" when up."""

    status: str
    errors: int = 0
    why: str = ""


class HostedReader(ChunkReader, Protocol):
    """A reader whose blocks' checksums can travel with them."""

    def checksums(self, offset: int, length: int) -> bytes:
        """8 bytes (core.checksums.block_checksums) of each block the range touches, as they lie with the record."""
        ...


class HostedDevice(DeviceStore, Protocol):
    """A device of this machine, kept apart from the others: whatever it does, a call ends in bounded time (Hung)."""

    def open(self, blob_id: BlobId, length: int = 0) -> HostedReader:
        """See DeviceStore."""
        ...

    def health(self) -> DeviceHealth:
        """As known now; asks nothing of the device."""
        ...
