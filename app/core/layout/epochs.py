"""How one epoch follows on another: the next layout, what is still to move, and the profile a cluster of its size has.

Pure; knows placements. When an epoch begins is decided by core/cluster/layout_transitions.py.
"""

from collections.abc import Mapping
from dataclasses import replace

from app.core.cluster_limits import PROFILES_MAX
from app.core.layout.mapping import mapped
from app.core.layout.placement import IN, STANDARD, Groups, Layout, Placement
from app.core.layout.profiles import Profile, erasure, replication


def begun(placement: Placement) -> Placement:
    """The next epoch, computed from the devices that are IN.

    Where a transition is in flight, the epoch being left becomes, group by group, where the bytes are now: a group
    reported complete is left from its homes under `current`, another still from those before. So there are never more
    than two places a group has, and what was not complete before has to be reported complete now. Ends at once where
    nothing moves.
    """
    placement = with_default_profile(placement)
    maps = {width: _map(placement, width, placement.current.maps.get(width)) for width in widths(placement)}
    former = {width: _former(placement, width, groups) for width, groups in placement.current.maps.items()}
    pending = {
        width: frozenset(group for group, homes in enumerate(groups) if _moves(former.get(width), group, homes))
        | placement.pending.get(width, frozenset())
        for width, groups in maps.items()
    }
    pending = {width: groups for width, groups in pending.items() if groups}
    current = Layout(placement.current.epoch + 1, maps)
    previous = Layout(placement.current.epoch, former) if pending else None
    return replace(placement, current=current, previous=previous, pending=pending, staged=False)


def with_missing_maps(placement: Placement) -> Placement:
    """The same epoch with a map for every width of a profile: nothing was written under a new one, so nothing moves."""
    maps = dict(placement.current.maps)
    for width in widths(placement):
        if width not in maps and placement.current.epoch:
            maps[width] = _map(placement, width, None)
    return replace(placement, current=replace(placement.current, maps=maps))


def widths(placement: Placement) -> list[int]:
    """Of every profile ever defined: blobs of each may exist."""
    return sorted({profile.width for profile in placement.profiles.values()})


def _map(placement: Placement, width: int, former: Groups | None) -> Groups:
    return mapped(placement.devices, placement.nodes, width, placement.groups, former)


def _former(placement: Placement, width: int, groups: Groups) -> Groups:
    still = placement.pending.get(width, frozenset())
    before = None if placement.previous is None else placement.previous.maps.get(width)
    if before is None:
        return groups
    return tuple(before[group] if group in still else homes for group, homes in enumerate(groups))


def _moves(former: Groups | None, group: int, homes: tuple[int, ...]) -> bool:
    """A group that had no homes has no bytes."""
    return former is not None and bool(former[group]) and former[group] != homes


# --- profiles


def with_default_profile(placement: Placement) -> Placement:
    """STANDARD as a cluster of this size has it, while nobody defined it."""
    if not placement.automatic:
        return placement
    chosen = default_profile(placement)
    return placement if chosen is None else with_profile(placement, chosen)


def default_profile(placement: Placement) -> Profile | None:
    """By the nodes that have a device IN: from six on erasure 4+2, from three on 3 copies, then 2; one device keeps 1.
    None without a device."""
    part = [device for device in placement.devices.values() if device.state == IN]
    nodes = len({device.node_id for device in part})
    if nodes >= 6:
        return erasure(0, STANDARD, 4, 2)
    if nodes >= 3:
        return replication(0, STANDARD, 3)
    return replication(0, STANDARD, min(2, len(part))) if part else None


def with_profile(placement: Placement, profile: Profile) -> Placement:
    """The profile in force for its storage class: under the number it once had, else the next one. Where all numbers
    are taken, nothing changes."""
    number = number_of(placement.profiles, profile)
    if number is None:
        return placement
    profiles = {**placement.profiles, number: replace(profile, number=number)}
    return replace(placement, profiles=profiles, classes={**placement.classes, profile.storage_class: number})


def number_of(profiles: Mapping[int, Profile], profile: Profile) -> int | None:
    """That of a profile alike in everything else, or the next; None when none is left."""
    alike = next((n for n, one in profiles.items() if one == replace(profile, number=n)), None)
    if alike is not None:
        return alike
    fresh = max(profiles, default=0) + 1
    return fresh if fresh <= PROFILES_MAX else None
