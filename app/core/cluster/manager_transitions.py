"""What the commands on managers do. Knows the list of their addresses; transitions.py applies it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from app.core.cluster.manager_commands import PutManagerAddress, RemoveManagerAddress
from app.core.cluster.refusals import Refused, check_limit, with_entry, without_entries
from app.core.cluster.state import ClusterState
from app.core.cluster_limits import MANAGERS_MAX


def _put(state: ClusterState, command: PutManagerAddress) -> ClusterState:
    managers = with_entry(state.managers, command.node_id, command.address)
    check_limit(len(managers), MANAGERS_MAX, "Managers")
    return replace(state, managers=managers)


def _remove(state: ClusterState, command: RemoveManagerAddress) -> ClusterState:
    managers = without_entries(state.managers, command.node_id)
    if not managers:
        raise Refused("InvalidInput", "the last manager cannot be removed")
    return replace(state, managers=managers)


TRANSITIONS: Final[Mapping[type, Callable[[ClusterState, Any], ClusterState]]] = {
    PutManagerAddress: _put,
    RemoveManagerAddress: _remove,
}
