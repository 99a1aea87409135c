"""What every role knows of where bytes lie: nodes, devices, profiles, the current layout and the one it replaces.

Knows shapes and look-ups. How a layout is computed is mapping.py's; what changes it, core/cluster/layout_commands.py's.
Mappings are never changed in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.core.layout.blob_ids import group_of, profile_of
from app.core.layout.profiles import Profile
from app.core.types import BlobId

GROUPS: Final = 1_024  # placement groups of a new cluster; fixed for its life

WAITING: Final = "waiting"  # registered, not part of any layout yet
IN: Final = "in"
DRAINING: Final = "draining"  # to be emptied by the next epoch; still serves
OUT: Final = "out"  # lost or removed: the next epoch does without it and nobody asks it


@dataclass(frozen=True, slots=True)
class Node:
    """A file host. `address`: HOST:PORT of its internal blob routes."""

    node_id: str
    address: str
    zone: str
    registered_ms: int


@dataclass(frozen=True, slots=True)
class Device:
    """`number`: small, given at registration, never reused; layouts name devices by it. `device_id`: 32 hex digits, as
    in the marker file on the device. `capacity_bytes`: its weight in the layout. `silent`: OUT only because its node
    was not heard of; goes IN again when it is."""

    number: int
    device_id: str
    node_id: str
    capacity_bytes: int
    state: str = WAITING
    silent: bool = False


Groups = tuple[tuple[int, ...], ...]
"""By group: device numbers in order; fragment i of a blob belongs on device i of its group (modulo their number, where
fewer devices exist than fragments)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One epoch. `maps`: width of a profile -> Groups. Profiles of the same width share a map."""

    epoch: int
    maps: Mapping[int, Groups] = field(default_factory=dict)

    def homes(self, width: int, group: int) -> tuple[int, ...]:
        """Device numbers of a group, in fragment order; () when this epoch knows no profile of the width."""
        groups = self.maps.get(width)
        return () if groups is None else groups[group]


NO_LAYOUT: Final = Layout(0)
STANDARD: Final = "STANDARD"  # the storage class all others follow until they are defined

REPAIR: Final = "repair"
REBALANCE: Final = "rebalance"
SCRUB: Final = "scrub"


@dataclass(frozen=True, slots=True)
class HealSettings:
    """Of one kind of healing, for every file host. 0 is "as the file host's own settings say". `asked_ms`: a scrub pass
    begun before is begun anew at once. `days`: within which a scrub pass reads every byte."""

    bytes_per_s: int = 0
    paused: bool = False
    days: int = 0
    asked_ms: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Everything. `classes`: storage class -> number of its profile now; one that is not there follows STANDARD.
    `previous`: the epoch being left, None when no transition is in flight. `pending`: width -> groups not yet reported
    complete under `current`. `staged`: devices changed since `current` was computed; the next epoch begins when this
    transition has ended. `automatic`: nobody has defined STANDARD, so its profile follows the number of nodes.
    `numbered`: the highest number a device was ever given. `healing`: by kind; one that is not there is HealSettings().
    """

    groups: int = GROUPS
    nodes: Mapping[str, Node] = field(default_factory=dict)
    devices: Mapping[int, Device] = field(default_factory=dict)
    profiles: Mapping[int, Profile] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    current: Layout = NO_LAYOUT
    previous: Layout | None = None
    pending: Mapping[int, frozenset[int]] = field(default_factory=dict)
    staged: bool = False
    automatic: bool = True
    numbered: int = 0
    healing: Mapping[str, HealSettings] = field(default_factory=dict)

    def profile_for(self, storage_class: str) -> Profile | None:
        """The profile for what is written now to a storage class; None before there is any."""
        number = self.classes.get(storage_class, self.classes.get(STANDARD, 0))
        return self.profiles.get(number)

    def heal_settings(self, kind: str) -> HealSettings:
        """Of `repair`, `rebalance` or `scrub`."""
        return self.healing.get(kind, HealSettings())

    def profile(self, blob_id: BlobId) -> Profile | None:
        """The profile a placed blob was written under."""
        return self.profiles.get(profile_of(blob_id))

    def homes(self, blob_id: BlobId) -> tuple[int, ...]:
        """Device numbers of the current epoch, in fragment order; () before there is a layout."""
        return self._homes(self.current, blob_id)

    def former_homes(self, blob_id: BlobId) -> tuple[int, ...]:
        """The same of the epoch being left; () when none is."""
        return () if self.previous is None else self._homes(self.previous, blob_id)

    def _homes(self, layout: Layout, blob_id: BlobId) -> tuple[int, ...]:
        profile = self.profile(blob_id)
        return () if profile is None else layout.homes(profile.width, group_of(blob_id, self.groups))


EMPTY: Final = Placement()
