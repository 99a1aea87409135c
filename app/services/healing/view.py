"""What one node believes of the cluster at a moment: the placement, which devices are up, whom a group is led by.

Knows look-ups. Two nodes may believe different things at once: nothing that healing does relies on being the only one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from app.core.layout.blob_ids import group_of, index_of, profile_of
from app.core.layout.mapping import handoffs, handoffs_of
from app.core.layout.placement import DRAINING, IN, OUT, Placement
from app.core.layout.reports import NodeHealth
from app.core.types import BlobId
from app.ports.hosting import DOWN

GroupKey = tuple[int, int]
"""Width of profiles, placement group."""


@dataclass(frozen=True)
class View:
    """`own`: numbers of this node's devices. `health`: by node id, as the managers last told."""

    placement: Placement
    own: frozenset[int]
    health: Mapping[str, NodeHealth]

    @cached_property
    def up(self) -> frozenset[int]:
        """Devices worth asking: part of the cluster, of a node that is up, not reported down. One that is failing may
        still be read, and then be drained; where it does not answer it says so at once."""
        return frozenset(number for number in self.serving if self._is_up(number))

    @cached_property
    def tended(self) -> frozenset[int]:
        """Devices of this node that are looked after: those that are out nobody asks any more."""
        return frozenset(number for number in self.own if not self.is_out(number))

    @cached_property
    def serving(self) -> frozenset[int]:
        """Devices that may hold fragments: all but those waiting, lost or removed."""
        return frozenset(n for n, device in self.placement.devices.items() if device.state in (IN, DRAINING))

    def _is_up(self, number: int) -> bool:
        health = self.health.get(self.placement.devices[number].node_id)
        # Whatever the managers heard of this node, it is this process that asks its devices.
        up = number in self.own or (health is not None and health.up)
        reported = health.report.devices if health is not None and health.report is not None else ()
        return up and all(each.status != DOWN for each in reported if each.number == number)

    def is_out(self, number: int) -> bool:
        """Whether nobody asks this device any more: lost, removed, or forgotten."""
        device = self.placement.devices.get(number)
        return device is None or device.state == OUT

    def homes(self, key: GroupKey) -> tuple[int, ...]:
        """Devices of a group under the current epoch, in fragment order."""
        return self.placement.current.homes(*key)

    def former_homes(self, key: GroupKey) -> tuple[int, ...]:
        """The same under the epoch being left; () when none is, or when the group is complete without it."""
        previous = self.placement.previous
        return previous.homes(*key) if previous is not None and self.is_pending(key) else ()

    def leader(self, key: GroupKey) -> int | None:
        """The first home that is up; where all are down, whoever would take their fragments, so that somebody counts
        what is left and ends an epoch whose homes were lost. None when nobody is up."""
        for numbers in (self.homes(key), self.former_homes(key)):
            for number in numbers:
                if number in self.up:
                    return number
        return next((number for number in handoffs_of(self.placement, *key) if number in self.up), None)

    def led(self) -> list[GroupKey]:
        """Every group one of this node's devices leads."""
        return [
            (width, group)
            for width, groups in self.placement.current.maps.items()
            for group in range(len(groups))
            if self.leader((width, group)) in self.own
        ]

    def is_pending(self, key: GroupKey) -> bool:
        """Whether the group has not been reported complete under the current epoch."""
        return key[1] in self.placement.pending.get(key[0], ())

    def home(self, fragment: BlobId) -> int | None:
        """Where a fragment belongs by the current epoch; None for a blob of no profile known here."""
        homes = self.placement.homes(fragment)
        return homes[index_of(fragment) % len(homes)] if homes else None

    def key_of(self, blob_id: BlobId) -> GroupKey | None:
        """The group that judges a blob; None for a blob of no profile known here."""
        profile = self.placement.profiles.get(profile_of(blob_id))
        return None if profile is None else (profile.width, group_of(blob_id, self.placement.groups))

    def elsewhere(self, blob_id: BlobId, but: Iterable[int] = ()) -> list[int]:
        """Devices that are up and may hold fragments away from home, the likeliest first, but those of `but`."""
        left_out = set(but)
        likely = [n for n in handoffs(self.placement, blob_id) if n in self.up and n not in left_out]
        return likely + sorted(self.up.difference(left_out, likely))
