"""Backup and restore of the control state: one sealed document out, and its contents into an empty control state.

Knows what belongs to a backup and how it is cut into commands. Must not know its form, wires or files. Everything of a
restore is in force at once, with its last command; one that was cut short is in force nowhere and is made anew.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from app.core.cluster import Account, ClusterState, KmsKey, Limits
from app.core.cluster.identities import ROOMS
from app.core.cluster.restore_commands import BeginRestore, EndRestore, RestoredLayout, RestoredMap, RestorePiece
from app.core.cluster.restore_transitions import occupied
from app.core.cluster_limits import CONTROL_COMMAND_BYTES_MAX
from app.core.errors import Corrupt
from app.core.layout.placement import Layout, Placement
from app.core.limits import BACKUP_BYTES_MAX, RESTORE_PIECE_BYTES
from app.services.identity.commanding import CommandRefused, Desk

_ALONE: Final = "a server of one machine"
_CLUSTER: Final = "a cluster"


@dataclass(frozen=True, slots=True)
class Form:
    """`sealed(state, now_ms)` gives a document, `opened` its state (raises Corrupt); `size_of` a value's bytes in a
    command."""

    sealed: Callable[[ClusterState, int], bytes]
    opened: Callable[[bytes], ClusterState]
    size_of: Callable[[Any], int]


class Restored(NamedTuple):
    """What there is now, and the version it is in."""

    cluster_id: str
    version: int
    accounts: int
    users: int
    access_keys: int
    kms_keys: int
    devices: int


class Backups:
    """The use cases. `unopened(state)`: why its secrets are worth nothing here, "" when they open. `owns`: whether
    buckets are those of a canonical id; who administers a cluster cannot tell, and sees that gateways bound a database.
    """

    def __init__(
        self,
        desk: Desk,
        form: Form,
        unopened: Callable[[ClusterState], str],
        owns: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._desk = desk
        self._form = form
        self._unopened = unopened
        self._owns = owns

    def make(self) -> bytes:
        """A backup of everything acknowledged before, as far as it is known here."""
        return self._form.sealed(self._desk.cluster.state(), self._desk.now_ms())

    def restore(self, document: bytes) -> Restored:
        """Put a backup's contents in force. Raises CommandRefused: NotEmpty when somebody uses this control state
        already, InvalidInput for a document that cannot be used; Unavailable, Full."""
        state = self._desk.cluster.state()
        self._check(occupied(state))
        # Their objects may be encrypted under keys of this control state, which would be lost with it.
        self._check("root owns buckets" if any(map(self._owns, state.by_canonical_id)) else "")
        try:
            contents = self._form.opened(document)
        except Corrupt as error:
            raise CommandRefused("InvalidInput", str(error)) from error
        self._check_kind(contents)
        reason = self._unopened(contents)
        if reason:
            raise CommandRefused(
                "InvalidInput", f"What is in the backup does not open with the master keys here: {reason}"
            )
        restore_id = self._desk.identities.random(16).hex()
        # One machine writes its whole state with each command, and bounds none: there it is one piece.
        most = RESTORE_PIECE_BYTES if state.cluster_id else BACKUP_BYTES_MAX
        pieces = [replace(one, restore_id=restore_id) for one in cut(contents, self._form.size_of, most)]
        begun = begun_with(contents, restore_id)
        self._desk.submit(lambda command_id: replace(begun, command_id=command_id))
        for piece in pieces:
            self._desk.submit(lambda command_id, piece=piece: replace(piece, command_id=command_id))  # type: ignore[misc]
        self._desk.submit(lambda command_id: EndRestore(command_id, restore_id, len(pieces)))
        return self._told(contents)

    @staticmethod
    def _check(reason: str) -> None:
        if reason:
            raise CommandRefused("NotEmpty", f"A backup is restored into an empty control state only: {reason}.")

    def _check_kind(self, contents: ClusterState) -> None:
        own = self._desk.cluster.state().cluster_id
        if bool(own) != bool(contents.cluster_id):
            theirs, ours = (_CLUSTER if one else _ALONE for one in (contents.cluster_id, own))
            raise CommandRefused("InvalidInput", f"The backup is of {theirs}, this is {ours}.")

    def _told(self, contents: ClusterState) -> Restored:
        accounts = contents.accounts.values()
        return Restored(
            contents.cluster_id,
            self._desk.cluster.state().version,
            len(accounts),
            sum(len(account.users) for account in accounts),
            len(contents.by_access_key),
            len(contents.kms_keys),
            len(contents.placement.devices),
        )


def begun_with(contents: ClusterState, restore_id: str) -> BeginRestore:
    """The first command of a restore; its id is to be given."""
    placement = contents.placement
    layout = RestoredLayout(
        groups=placement.groups,
        nodes=tuple(placement.nodes.values()),
        devices=tuple(placement.devices.values()),
        profiles=tuple(placement.profiles.values()),
        classes=placement.classes,
        healing=placement.healing,
        current_epoch=placement.current.epoch,
        previous_epoch=-1 if placement.previous is None else placement.previous.epoch,
        staged=placement.staged,
        automatic=placement.automatic,
        numbered=placement.numbered,
    )
    return BeginRestore("", restore_id, contents.version, contents.cluster_id, contents.database_id, layout)


def cut(
    contents: ClusterState, size_of: Callable[[Any], int], piece_bytes: int = RESTORE_PIECE_BYTES
) -> list[RestorePiece]:
    """The pieces of a restore, each of about `piece_bytes`; ids are to be given. Raises CommandRefused for an entry
    that is larger than a command may be."""
    pieces: list[RestorePiece] = []
    items: list[Item] = []
    room = piece_bytes
    for item in _items(contents):
        size = size_of(item)
        if size > CONTROL_COMMAND_BYTES_MAX - RESTORE_PIECE_BYTES // 2:
            text = f"One entry of the backup takes {size} bytes, more than a command may."
            raise CommandRefused("LimitExceeded", text)
        if size > room and items:
            pieces.append(_piece(items))
            items, room = [], piece_bytes
        items.append(item)
        room -= size
    return [*pieces, _piece(items)]


Item = Account | KmsKey | RestoredMap | tuple[str, Limits]


def _items(contents: ClusterState) -> Iterator[Item]:
    """Everything but what `BeginRestore` says, in pieces that cannot be cut further."""
    nothing: dict[str, Any] = {room: {} for room in ROOMS.values()}
    for account in contents.accounts.values():
        shell = replace(account, **nothing)
        yield shell
        for room in ROOMS.values():
            for name, entity in getattr(account, room).items():
                one: dict[str, Any] = {room: {name: entity}}
                yield replace(shell, keys=(), **one)
    yield from contents.kms_keys.values()
    yield from contents.limits.items()
    yield from _maps(contents.placement)


def _maps(placement: Placement) -> Iterator[RestoredMap]:
    for width, groups in placement.current.maps.items():
        yield RestoredMap(width, False, groups, tuple(sorted(placement.pending.get(width, ()))))
    for width, groups in (placement.previous or Layout(0)).maps.items():
        yield RestoredMap(width, True, groups)


def _piece(items: list[Item]) -> RestorePiece:
    accounts: dict[str, list[Account]] = {}
    kms_keys, maps, limits = [], [], {}
    for item in items:
        if isinstance(item, Account):
            accounts.setdefault(item.name, []).append(item)
        elif isinstance(item, KmsKey):
            kms_keys.append(item)
        elif isinstance(item, RestoredMap):
            maps.append(item)
        else:
            limits[item[0]] = item[1]
    return RestorePiece("", "", tuple(map(_joined, accounts.values())), tuple(kms_keys), limits, tuple(maps))


def _joined(slices: list[Account]) -> Account:
    """One account of its slices, with the keys of the first."""
    rooms: dict[str, Any] = {
        room: {name: one for piece in slices for name, one in getattr(piece, room).items()} for room in ROOMS.values()
    }
    return replace(slices[0], **rooms)
