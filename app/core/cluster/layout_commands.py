"""The commands that change where bytes lie. Knows shapes only; layout_transitions.py applies them.

Whatever takes effect on devices in the layout begins the next epoch, at once when no transition is in flight, else when
the one in flight has ended (`Placement.staged`). Only a device of the layout that is lost meanwhile does not wait: what
was to move onto it would never be complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.layout.placement import HealSettings
from app.core.layout.profiles import Profile


@dataclass(frozen=True, slots=True)
class FoundCluster:
    """The first command of a cluster: its id (32 hex digits) and the number of placement groups (a power of two)."""

    command_id: str
    cluster_id: str
    groups: int


@dataclass(frozen=True, slots=True)
class BindDatabase:
    """The first gateway says which database (32 hex digits) holds the cluster's rows, for good. InvalidInput for
    another: whoever collects on the wrong one takes everybody's bytes for orphans."""

    command_id: str
    database_id: str


@dataclass(frozen=True, slots=True)
class RegisterNode:
    """A file host presents itself, at every start: itself and its devices (device id -> capacity in bytes). New devices
    wait until they are added; those known keep number and state. InvalidInput when a device belongs to another node."""

    command_id: str
    node_id: str
    address: str
    zone: str
    devices: Mapping[str, int]
    now_ms: int


@dataclass(frozen=True, slots=True)
class SetDeviceState:
    """Devices (by number) go in, begin draining, or are out; removing a drained one is `RemoveDevices`. `silent`: out
    only because their node is not heard of; they are to go in again when it is."""

    command_id: str
    numbers: tuple[int, ...]
    state: str
    silent: bool = False


@dataclass(frozen=True, slots=True)
class RemoveDevices:
    """Forget devices that are out of every layout, and nodes that have no device left."""

    command_id: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PutProfile:
    """Define a storage class, or redefine it for what is written from now on. The number is given while applying."""

    command_id: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class GroupsMoved:
    """Groups of a width are complete under `epoch`: every fragment at home, its checksum verified. With the last one
    the epoch before retires. Ignored for another epoch than the current one."""

    command_id: str
    epoch: int
    width: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PutHealSettings:
    """How repair, rebalance or scrub (`kind`) is to go on every file host; replaces the kind's settings as a whole."""

    command_id: str
    kind: str
    settings: HealSettings


LayoutCommand = (
    FoundCluster
    | BindDatabase
    | RegisterNode
    | SetDeviceState
    | RemoveDevices
    | PutProfile
    | GroupsMoved
    | PutHealSettings
)
