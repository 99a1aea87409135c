"""What the commands of the layout do to the control state.

Knows which changes of nodes, devices and profiles are allowed, and when the next epoch begins (core/layout/epochs makes
it). A group's move is in flight until it is reported complete; one transition at a time.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from app.core.cluster.layout_commands import (
    BindDatabase,
    FoundCluster,
    GroupsMoved,
    PutHealSettings,
    PutProfile,
    RegisterNode,
    RemoveDevices,
    SetDeviceState,
)
from app.core.cluster.refusals import Refused, check_limit, with_entry, without_entries
from app.core.cluster.state import ClusterState
from app.core.cluster_limits import (
    CAPACITY_CHANGE_PERCENT,
    DEVICES_MAX,
    DEVICES_OF_NODE_MAX,
    NODE_NAME_CHARS_MAX,
    NODES_MAX,
    PARITY_MAX,
    PLACEMENT_GROUPS_MAX,
    PROFILES_MAX,
)
from app.core.layout.blob_ids import FRAGMENTS_MAX
from app.core.layout.epochs import begun, number_of, with_missing_maps, with_profile
from app.core.layout.placement import (
    DRAINING,
    IN,
    OUT,
    REBALANCE,
    REPAIR,
    SCRUB,
    STANDARD,
    WAITING,
    Device,
    Node,
    Placement,
)
from app.core.layout.profiles import NO_COMPRESSION, ZSTD, Profile
from app.core.limits import INLINE_BYTES_MAX

_ID: Final = re.compile(r"[0-9a-f]{32}")
_NAME: Final = re.compile(rf"[!-~]{{1,{NODE_NAME_CHARS_MAX}}}")
_CLASS: Final = re.compile(r"[A-Z][A-Z0-9_-]{0,63}")
_ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    IN: (WAITING, DRAINING, OUT),
    DRAINING: (IN,),
    OUT: (WAITING, IN, DRAINING),
}
"""State -> those a device may come from."""


def _bind(state: ClusterState, command: BindDatabase) -> ClusterState:
    if not _ID.fullmatch(command.database_id):
        raise _invalid("a database id is 32 hex digits")
    if state.database_id not in ("", command.database_id):
        raise _invalid(f"the rows of this cluster lie in database {state.database_id}")
    return replace(state, database_id=command.database_id)


def _found(state: ClusterState, command: FoundCluster) -> ClusterState:
    if state.cluster_id not in ("", command.cluster_id):
        raise _invalid(f"this is cluster {state.cluster_id} already")
    groups = command.groups
    if not _ID.fullmatch(command.cluster_id):
        raise _invalid("a cluster's id is 32 hex digits")
    if groups < 1 or groups > PLACEMENT_GROUPS_MAX or groups & (groups - 1):
        raise _invalid(f"groups must be a power of two up to {PLACEMENT_GROUPS_MAX}")
    if state.cluster_id:
        return state
    return replace(state, cluster_id=command.cluster_id, placement=replace(state.placement, groups=groups))


# --- nodes and devices


def _register(state: ClusterState, command: RegisterNode) -> ClusterState:
    placement = state.placement
    _check_node(state, command)
    known = placement.nodes.get(command.node_id)
    since = command.now_ms if known is None else known.registered_ms
    node = Node(command.node_id, command.address, command.zone, since)
    devices, numbered, reweighed = _registered(placement, command)
    moved = (
        known is not None
        and known.zone != node.zone
        and any(device.state == IN for device in devices.values() if device.node_id == node.node_id)
    )
    nodes = with_entry(placement.nodes, node.node_id, node)
    changed = replace(placement, nodes=nodes, devices=devices, numbered=numbered)
    return _placed(state, _changed(changed) if moved or reweighed else changed)


def _check_node(state: ClusterState, command: RegisterNode) -> None:
    if not state.cluster_id:
        raise _invalid("no cluster has been founded here yet")
    for what, value in (("node id", command.node_id), ("address", command.address), ("zone", command.zone)):
        if not _NAME.fullmatch(value):
            raise _invalid(f"the {what} must be 1..{NODE_NAME_CHARS_MAX} printable characters without blanks")
    owners = {device.device_id: device for device in state.placement.devices.values()}
    for device_id, capacity in command.devices.items():
        if not _ID.fullmatch(device_id) or capacity < 0:
            raise _invalid(f"device {device_id[:40]!r}: an id is 32 hex digits, a capacity no less than 0")
        owner = owners.get(device_id)
        if owner is not None and owner.node_id != command.node_id:
            raise _invalid(f"device {device_id} (number {owner.number}) belongs to node {owner.node_id}")
    fresh = len(command.devices.keys() - owners.keys())
    of_node = sum(device.node_id == command.node_id for device in owners.values())
    check_limit(len({*state.placement.nodes, command.node_id}), NODES_MAX, "Nodes")
    check_limit(len(owners) + fresh, DEVICES_MAX, "Devices")
    check_limit(of_node + fresh, DEVICES_OF_NODE_MAX, "DevicesPerNode")


def _registered(placement: Placement, command: RegisterNode) -> tuple[dict[int, Device], int, bool]:
    """The devices with those of a node as it presents them, the highest number, and whether a weight changed."""
    devices, numbered, reweighed = dict(placement.devices), placement.numbered, False
    numbers = {device.device_id: number for number, device in devices.items()}
    for device_id, capacity in sorted(command.devices.items()):
        if device_id not in numbers:
            numbered += 1
            devices[numbered] = Device(numbered, device_id, command.node_id, capacity)
            continue
        known = devices[numbers[device_id]]
        if abs(capacity - known.capacity_bytes) * 100 > known.capacity_bytes * CAPACITY_CHANGE_PERCENT:
            devices[known.number] = replace(known, capacity_bytes=capacity)
            reweighed |= known.state == IN
    return devices, numbered, reweighed


def _set_state(state: ClusterState, command: SetDeviceState) -> ClusterState:
    placement, wanted = state.placement, command.state
    if wanted not in _ALLOWED:
        raise _invalid(f"{wanted[:40]!r} is no state devices are put in: {', '.join(_ALLOWED)}")
    named = _devices(placement, command.numbers)
    changing = [device for device in named if device.state != wanted]
    for device in changing:
        if device.state not in _ALLOWED[wanted]:
            raise _invalid(f"device {device.number} is {device.state}: it cannot be {wanted}")
    silent = command.silent and wanted == OUT
    devices = {**placement.devices, **{d.number: replace(d, state=wanted, silent=silent) for d in named}}
    leaving = [device for device in changing if device.state == IN]
    if leaving and not any(device.state == IN for device in devices.values()):
        raise _invalid("one device at least must stay in")
    changed = replace(placement, devices=devices)
    if wanted == OUT and _in_maps(placement, changing, former=False):
        return _placed(state, begun(changed))
    return _placed(state, _changed(changed) if leaving or (changing and wanted == IN) else changed)


def _remove(state: ClusterState, command: RemoveDevices) -> ClusterState:
    placement = state.placement
    leaving = _devices(placement, command.numbers)
    used = _in_maps(placement, leaving, former=True)
    for device in leaving:
        if device.state == IN:
            raise _invalid(f"device {device.number} is in: drain it first")
        if device.number in used:
            raise _invalid(f"device {device.number} is still part of a layout; the transition has to end first")
    numbers = {device.number for device in leaving}
    devices = {number: device for number, device in placement.devices.items() if number not in numbers}
    staying = {device.node_id for device in devices.values()}
    emptied = {device.node_id for device in leaving} - staying
    return _placed(state, replace(placement, devices=devices, nodes=without_entries(placement.nodes, *emptied)))


def _devices(placement: Placement, numbers: Iterable[int]) -> list[Device]:
    found = [placement.devices.get(number) for number in dict.fromkeys(numbers)]
    if not found:
        raise _invalid("no device was named")
    for number, device in zip(dict.fromkeys(numbers), found, strict=True):
        if device is None:
            raise Refused("NoSuchEntity", f"There is no device {number}.")
    return [device for device in found if device is not None]


def _in_maps(placement: Placement, devices: Iterable[Device], *, former: bool) -> set[int]:
    """Those of the devices that groups name, now or (`former`) in the epoch being left."""
    wanted = {device.number for device in devices}
    layouts = [placement.current, *([placement.previous] if former and placement.previous is not None else [])]
    return {n for one in layouts for groups in one.maps.values() for homes in groups for n in homes if n in wanted}


# --- profiles


def _put_profile(state: ClusterState, command: PutProfile) -> ClusterState:
    placement, profile = state.placement, command.profile
    _check_profile(profile)
    if number_of(placement.profiles, profile) is None:
        check_limit(PROFILES_MAX + 1, PROFILES_MAX, "Profiles")
    automatic = placement.automatic and profile.storage_class != STANDARD
    return _placed(state, with_missing_maps(replace(with_profile(placement, profile), automatic=automatic)))


def _check_profile(profile: Profile) -> None:
    if not _CLASS.fullmatch(profile.storage_class):
        raise _invalid("a storage class is named by up to 64 capital letters, digits, _ and -")
    if profile.data < 1 or profile.parity < 0 or profile.width > FRAGMENTS_MAX:
        raise _invalid(f"a chunk has 1..{FRAGMENTS_MAX} fragments or copies")
    if profile.erasure and (profile.data < 2 or not 1 <= profile.parity <= PARITY_MAX):
        raise _invalid(f"erasure coding takes 2 or more data fragments and 1..{PARITY_MAX} of parity")
    if not profile.erasure and profile.data != 1:
        raise _invalid("copies are whole: data is 1")
    if profile.compression not in (NO_COMPRESSION, ZSTD):
        raise _invalid(f"compression is {NO_COMPRESSION} or {ZSTD}")
    if not 0 <= profile.inline_bytes <= INLINE_BYTES_MAX:
        raise _invalid(f"inline_bytes must be 0..{INLINE_BYTES_MAX}")


# --- transitions


def _moved(state: ClusterState, command: GroupsMoved) -> ClusterState:
    placement = state.placement
    if command.epoch != placement.current.epoch or command.width not in placement.pending:
        return state
    pending = dict(placement.pending)
    pending[command.width] = pending[command.width].difference(command.groups)
    if not pending[command.width]:
        del pending[command.width]
    if pending:
        return _placed(state, replace(placement, pending=pending))
    ended = replace(placement, pending={}, previous=None)
    return _placed(state, begun(ended) if ended.staged else ended)


def _changed(placement: Placement) -> Placement:
    """Devices changed: the next epoch begins now, or when the transition in flight has ended."""
    return begun(placement) if placement.previous is None else replace(placement, staged=True)


def _put_heal_settings(state: ClusterState, command: PutHealSettings) -> ClusterState:
    settings = command.settings
    if command.kind not in (REPAIR, REBALANCE, SCRUB):
        raise _invalid(f"{command.kind[:40]!r} is no kind of healing: {REPAIR}, {REBALANCE}, {SCRUB}")
    if min(settings.bytes_per_s, settings.days, settings.asked_ms) < 0:
        raise _invalid("rates, days and times are no less than 0")
    healing = with_entry(state.placement.healing, command.kind, settings)
    return _placed(state, replace(state.placement, healing=healing))


def _placed(state: ClusterState, placement: Placement) -> ClusterState:
    return replace(state, placement=placement)


def _invalid(message: str) -> Refused:
    return Refused("InvalidInput", message)


TRANSITIONS: Final[Mapping[type, Callable[[ClusterState, Any], ClusterState]]] = {
    FoundCluster: _found,
    BindDatabase: _bind,
    RegisterNode: _register,
    SetDeviceState: _set_state,
    RemoveDevices: _remove,
    PutProfile: _put_profile,
    GroupsMoved: _moved,
    PutHealSettings: _put_heal_settings,
}
