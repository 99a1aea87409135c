"""Which devices hold which groups: the map of an epoch, computed from the devices, and where else fragments may go.

Pure and deterministic: a map is computed while a command is applied, on every manager, and all must agree.
Source: CONTROL_AND_METADATA.md, section 5; docs/design/layout.md says how it works.
"""

from collections.abc import Mapping
from hashlib import blake2b

from app.core.layout.blob_ids import group_of
from app.core.layout.moving import EMPTY, Moves, dealt
from app.core.layout.placement import DRAINING, IN, Device, Groups, Node, Placement
from app.core.layout.shares import shares_of, spread_of
from app.core.types import BlobId


def mapped(
    devices: Mapping[int, Device], nodes: Mapping[str, Node], width: int, groups: int, former: Groups | None
) -> Groups:
    """The map for profiles of a width over the devices that are IN; () for every group while there is none.

    Each device gets its share by capacity (exactly, or rounded to one group), as far as the bounds allow: a device once
    in a group; a node, then a zone, as seldom as their numbers allow. `former`: the map it follows on; of it as little
    changes as shares and bounds demand, and who stays in a group keeps its position.
    """
    part = [devices[number] for number in sorted(devices) if devices[number].state == IN]
    if not part:
        return ((),) * groups
    spread = spread_of(part, nodes, width)
    capacities = [device.capacity_bytes for device in part]
    index = {device.number: place for place, device in enumerate(part)}
    slots = [_stayers(homes, index, spread.width) for homes in former or ()]
    if any(one != EMPTY for group in slots for one in group):
        held = _counts(slots, len(part))
        moves = Moves(slots, shares_of(capacities, spread, groups, held), spread)
        moves.settle()
    else:
        slots = dealt(shares_of(capacities, spread, groups, [0] * len(part)), spread, groups)
    return tuple(tuple(part[one].number for one in group) for group in slots)


def _stayers(homes: tuple[int, ...], index: Mapping[int, int], width: int) -> list[int]:
    """Who of a group is still there, by position; who stood behind the last position now takes an empty one."""
    slots = [index.get(number, EMPTY) for number in homes[:width]] + [EMPTY] * (width - len(homes))
    for number in homes[width:]:
        if number in index and EMPTY in slots:
            slots[slots.index(EMPTY)] = index[number]
    return slots


def _counts(slots: list[list[int]], devices: int) -> list[int]:
    counts = [0] * (devices + 1)
    for group in slots:
        for one in group:
            counts[one] += 1  # EMPTY counts at the end
    return counts[:devices]


def handoffs(placement: Placement, blob_id: BlobId) -> tuple[int, ...]:
    """Where fragments of a blob go that cannot go home: `handoffs_of` its group; () for a blob of no profile known."""
    profile = placement.profile(blob_id)
    return () if profile is None else handoffs_of(placement, profile.width, group_of(blob_id, placement.groups))


def handoffs_of(placement: Placement, width: int, group: int) -> tuple[int, ...]:
    """All devices IN or DRAINING that are no home of the group now, in an order of the group's own, those of nodes
    without a home of it first. 0.1 ms for a hundred devices: only for who misses a home."""
    homes = placement.current.homes(width, group)
    devices = placement.devices
    used = {devices[number].node_id for number in homes if number in devices}
    seed = group.to_bytes(2, "big")

    def rank(number: int) -> tuple[bool, bytes]:
        return devices[number].node_id in used, blake2b(seed + number.to_bytes(4, "big"), digest_size=8).digest()

    others = (n for n, device in devices.items() if device.state in (IN, DRAINING) and n not in homes)
    return tuple(sorted(others, key=rank))
