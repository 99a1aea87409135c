"""What healing is given by the role that runs it, and the counts its kinds of work keep.

Knows shapes only. Everything that differs between a node and a test is here: devices, clocks, the managers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.core.cluster import Command, Outcome
from app.core.errors import Corrupt, StoreError, Unavailable
from app.core.layout.placement import Placement
from app.core.layout.reports import NodeHealth
from app.core.types import BlobId
from app.ports.devices import DeviceStore
from app.ports.erasure import ErasureCodec
from app.runtime.offload import Offload
from app.services.call import Sources
from app.services.healing.view import View


class Intake(Protocol):
    """The side of the suspects' desk that healing takes from."""

    def take(self, limit: int) -> Sequence[BlobId]:
        """At most `limit` blobs that were reported, oldest first; they are forgotten there."""
        ...


class Cursor(Protocol):
    """A small document that outlives the process; written whole, durable when `store` returns."""

    def load(self) -> bytes:
        """What was stored last; b"" when nothing was, or when it cannot be read."""
        ...

    def store(self, document: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class ClusterParts:
    """`own`: numbers of this node's devices, as registered by now. `confirmed`: whether a manager said within
    HEARTBEAT_SECONDS_MAX that the placement known here is the newest. `submit`: Unavailable when no manager answers."""

    placement: Callable[[], Placement]
    own: Callable[[], frozenset[int]]
    health: Callable[[], Mapping[str, NodeHealth]]
    confirmed: Callable[[], bool]
    submit: Callable[[Command], Outcome]
    suspects: Intake

    def view(self) -> View:
        """What is believed now."""
        return View(self.placement(), self.own(), self.health())


@dataclass(frozen=True, slots=True)
class DataParts:
    """`device` gives any device by number, this node's own without a wire, and may raise Unavailable. `codec`: of k and
    m. `cursor`: where scrub keeps its place."""

    device: Callable[[int], DeviceStore]
    codec: Callable[[int, int], ErasureCodec]
    offload: Offload
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class TimeParts:
    """`monotonic` in seconds and `pause(seconds)` bound rates and time what is waited for; dates come from `sources`,
    and tell the ages of blobs alone: a date that was set wrong for a moment must hold nothing up afterwards."""

    sources: Sources
    monotonic: Callable[[], float]
    pause: Callable[[float], object]

    def at_ms(self) -> int:
        """Milliseconds of a clock that only goes on; compared with others of this process only."""
        return int(self.monotonic() * 1000)


@dataclass(slots=True)
class Tally:
    """What one kind of work did since the process began. `done` and `errors` count fragments."""

    done: int = 0
    errors: int = 0
    waiting: int = 0


@dataclass(slots=True)
class DeviceErrors:
    """Fragments found damaged or unreadable by device; a scrub pass that begins forgives them."""

    counts: dict[int, int] = field(default_factory=dict)

    def note(self, number: int, error: StoreError) -> None:
        """Missing and Full are answers, not errors."""
        if isinstance(error, Corrupt | Unavailable):
            self.counts[number] = self.counts.get(number, 0) + 1

    def forgive(self, number: int) -> None:
        self.counts.pop(number, None)
