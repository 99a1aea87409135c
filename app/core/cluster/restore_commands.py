"""The commands that bring a backup's contents into an empty control state. Knows shapes only.

A backup is larger than a command may be, so it comes in pieces: `BeginRestore`, any number of `RestorePiece`, and
`EndRestore`, with which all of it is in force at once. What was not ended is in force nowhere, and beginning anew
forgets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.cluster.identities import Account
from app.core.cluster.keys import KmsKey
from app.core.cluster.limits import Limits
from app.core.layout.placement import Device, Groups, HealSettings, Node
from app.core.layout.profiles import Profile


@dataclass(frozen=True, slots=True)
class RestoredLayout:
    """A placement without its maps. `previous_epoch`: -1 when no transition is in flight."""

    groups: int
    nodes: tuple[Node, ...]
    devices: tuple[Device, ...]
    profiles: tuple[Profile, ...]
    classes: Mapping[str, int]
    healing: Mapping[str, HealSettings]
    current_epoch: int
    previous_epoch: int
    staged: bool
    automatic: bool
    numbered: int


@dataclass(frozen=True, slots=True)
class RestoredMap:
    """The map of a width: of the epoch being left, or of the current one, then with its pending groups."""

    width: int
    previous: bool
    groups: Groups
    pending: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BeginRestore:
    """`restore_id`: 32 hex digits, of this restore. `version`: the backup's."""

    command_id: str
    restore_id: str
    version: int
    cluster_id: str
    database_id: str
    layout: RestoredLayout


@dataclass(frozen=True, slots=True)
class RestorePiece:
    """What is in a backup, in any order. An account comes first with its keys and then, under the same name, with more
    of its users, groups, roles, policies and providers."""

    command_id: str
    restore_id: str
    accounts: tuple[Account, ...] = ()
    kms_keys: tuple[KmsKey, ...] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict)
    maps: tuple[RestoredMap, ...] = ()


@dataclass(frozen=True, slots=True)
class EndRestore:
    """`pieces`: how many there were; RestoreIncomplete unless all of them came."""

    command_id: str
    restore_id: str
    pieces: int


RestoreCommand = BeginRestore | RestorePiece | EndRestore
