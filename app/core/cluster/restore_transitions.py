"""What the commands of a restore do: gather a backup's contents beside the state, then put them in its place.

Knows which control state is empty enough to be replaced, and which parts of it stay: the managers' seats and the
outcomes of commands. Must not know backups' form or seals (adapters/cluster/backup_form.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from app.core.cluster.identities import ROOMS, Account
from app.core.cluster.keys import DEFAULT_KMS_ALIAS, SSE_S3_KEY
from app.core.cluster.refusals import Refused
from app.core.cluster.restore_commands import BeginRestore, EndRestore, RestoredLayout, RestoredMap, RestorePiece
from app.core.cluster.state import ClusterState, Staged, assembled
from app.core.layout.placement import Layout, Placement

ERA: Final = 1 << 32
"""A restored state's version is the next multiple: above any version a follower of lost managers may have seen."""


def inhabited(state: ClusterState) -> str:
    """Why this control state is somebody's already; "" when nobody but root is in it."""
    if any(not account.root for account in state.accounts.values()):
        return "it has accounts"
    for account in state.accounts.values():
        for kind, room in ROOMS.items():
            if getattr(account, room):
                return f"its root account has entities of the kind {kind}"
    return "a backup was restored into it" if state.restored else ""


def occupied(state: ClusterState) -> str:
    """Why this control state must not be replaced; "" when nothing is in it that a start did not make."""
    reason = inhabited(state)
    if reason:
        return reason
    if state.placement.nodes or state.placement.devices:
        return "file hosts have joined it"
    if state.database_id:
        return "gateways have bound a database to it"
    if state.limits:
        return "it has limits"
    own = {SSE_S3_KEY, state.kms_aliases.get(DEFAULT_KMS_ALIAS, SSE_S3_KEY)}
    if state.kms_keys.keys() - own or any(len(key.versions) > 1 for key in state.kms_keys.values()):
        return "keys were made in it"
    return ""


def _begin(state: ClusterState, command: BeginRestore) -> ClusterState:
    _check_empty(state)
    if bool(state.cluster_id) != bool(command.cluster_id):
        raise Refused("InvalidInput", "What one machine knows is no cluster's, nor the other way round.")
    contents = ClusterState(
        version=command.version,
        cluster_id=command.cluster_id,
        database_id=command.database_id,
        placement=_laid(command.layout),
    )
    return replace(state, staged=Staged(command.restore_id, 0, contents))


def _check_empty(state: ClusterState) -> None:
    reason = occupied(state)
    if reason:
        raise Refused("NotEmpty", f"A backup is restored into an empty control state only: {reason}.")


def _laid(layout: RestoredLayout) -> Placement:
    return Placement(
        groups=layout.groups,
        nodes={node.node_id: node for node in layout.nodes},
        devices={device.number: device for device in layout.devices},
        profiles={profile.number: profile for profile in layout.profiles},
        classes=layout.classes,
        current=Layout(layout.current_epoch),
        previous=None if layout.previous_epoch < 0 else Layout(layout.previous_epoch),
        staged=layout.staged,
        automatic=layout.automatic,
        numbered=layout.numbered,
        healing=layout.healing,
    )


def _piece(state: ClusterState, command: RestorePiece) -> ClusterState:
    staged = _staged(state, command.restore_id)
    contents = staged.contents
    accounts = dict(contents.accounts)
    for account in command.accounts:
        known = accounts.get(account.name)
        accounts[account.name] = account if known is None else _joined(known, account)
    placement = contents.placement
    for one in command.maps:
        placement = _mapped(placement, one)
    contents = replace(
        contents,
        accounts=accounts,
        kms_keys={**contents.kms_keys, **{key.key_id: key for key in command.kms_keys}},
        limits={**contents.limits, **command.limits},
        placement=placement,
    )
    return replace(state, staged=replace(staged, pieces=staged.pieces + 1, contents=contents))


def _staged(state: ClusterState, restore_id: str) -> Staged:
    if state.staged is None or state.staged.restore_id != restore_id:
        raise Refused("RestoreSuperseded", "Another restore was begun meanwhile, or none was.")
    return state.staged


def _joined(known: Account, more: Account) -> Account:
    rooms: dict[str, Any] = {room: {**getattr(known, room), **getattr(more, room)} for room in ROOMS.values()}
    return replace(known, **rooms)


def _mapped(placement: Placement, one: RestoredMap) -> Placement:
    if one.previous:
        former = placement.previous or Layout(0)
        return replace(placement, previous=replace(former, maps={**former.maps, one.width: one.groups}))
    current = replace(placement.current, maps={**placement.current.maps, one.width: one.groups})
    pending = {**placement.pending, **({one.width: frozenset(one.pending)} if one.pending else {})}
    return replace(placement, current=current, pending=pending)


def _end(state: ClusterState, command: EndRestore) -> ClusterState:
    staged = _staged(state, command.restore_id)
    if staged.pieces != command.pieces:
        raise Refused("RestoreIncomplete", f"{staged.pieces} of {command.pieces} pieces have come.")
    _check_empty(state)
    contents = staged.contents
    era = (max(state.version, contents.version) // ERA + 1) * ERA
    whole = assembled(era - 1, contents.accounts.values(), contents.kms_keys.values(), state.outcomes)
    return replace(
        whole,
        cluster_id=contents.cluster_id,
        database_id=contents.database_id,
        placement=contents.placement,
        managers=state.managers,
        limits=contents.limits,
        restored=command.restore_id,
    )


TRANSITIONS: Final[Mapping[type, Callable[[ClusterState, Any], ClusterState]]] = {
    BeginRestore: _begin,
    RestorePiece: _piece,
    EndRestore: _end,
}
