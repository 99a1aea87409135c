"""How many groups each device takes, and how close together the fragments of one group may lie.

Knows capacities, nodes and zones as numbers, all exact integers, so that every machine comes to the same result. Must
not know which groups: moving.py chooses them.

The bounds are nested (a device once, a node `of_node` times, a zone `of_zone` times in a group), and the fewest that
still leave room for `width` fragments; nodes come before zones. Shares that respect them can always be dealt out to
groups exactly: the sets they allow are the bases of a laminar matroid.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.core.layout.placement import Device, Node

_FINE: Final = 1 << 16  # parts of a group that loads are reckoned in before they are rounded


@dataclass(frozen=True, slots=True)
class Spread:
    """`of_node`, `of_zone`: most fragments of one group. `node`, `zone`: by device, an index of where it is."""

    width: int
    of_node: int
    of_zone: int
    node: tuple[int, ...]
    zone: tuple[int, ...]


def spread_of(devices: Sequence[Device], nodes: Mapping[str, Node], width: int) -> Spread:
    """The bounds for groups of min(width, len(devices)) fragments."""
    width = min(width, len(devices))
    node_ids = sorted({device.node_id for device in devices})
    zones = sorted({nodes[node_id].zone for node_id in node_ids})
    node = tuple(node_ids.index(device.node_id) for device in devices)
    zone = tuple(zones.index(nodes[device.node_id].zone) for device in devices)
    rooms = [node.count(index) for index in range(len(node_ids))]
    of_node = _fewest(rooms, width)
    zone_rooms = [0] * len(zones)
    for node_id, room in zip(node_ids, rooms, strict=True):
        zone_rooms[zones.index(nodes[node_id].zone)] += min(room, of_node)
    return Spread(width, of_node, _fewest(zone_rooms, width), node, zone)


def _fewest(rooms: Sequence[int], width: int) -> int:
    """The smallest bound per room under which all rooms together hold `width`, which they do without one."""
    return next(bound for bound in range(1, width + 1) if sum(min(room, bound) for room in rooms) >= width)


def shares_of(capacities: Sequence[int], spread: Spread, groups: int, held: Sequence[int]) -> list[int]:
    """Groups of each device, by capacity within the bounds; their sum is groups * width.

    `held`: groups of each now; where rounding has a choice, who has one more already keeps it.
    """
    shares = [0] * len(capacities)
    weights = [max(1, each) for each in capacities]
    _Shares(weights, held, groups, shares).deal(_tree(spread, groups), groups * spread.width)
    return shares


@dataclass(frozen=True, slots=True)
class _Room:
    """A device (a leaf), a node, a zone or all: the most it takes, and the devices and rooms in it."""

    most: int
    devices: tuple[int, ...]
    rooms: tuple["_Room", ...] = ()


def _tree(spread: Spread, groups: int) -> _Room:
    everything = tuple(range(len(spread.node)))
    zones = []
    for zone in sorted(set(spread.zone)):
        inside = [device for device in everything if spread.zone[device] == zone]
        nodes = []
        for node in sorted({spread.node[device] for device in inside}):
            here = tuple(device for device in inside if spread.node[device] == node)
            leaves = tuple(_Room(groups, (device,)) for device in here)
            nodes.append(_Room(spread.of_node * groups, here, leaves))
        zones.append(_Room(spread.of_zone * groups, tuple(inside), tuple(nodes)))
    return _Room(groups * spread.width, everything, tuple(zones))


@dataclass(frozen=True, slots=True)
class _Shares:
    weights: Sequence[int]
    held: Sequence[int]
    groups: int
    shares: list[int]

    def deal(self, room: _Room, count: int) -> None:
        """Give `count` to the devices of a room, which has room for them."""
        if not room.rooms:
            self.shares[room.devices[0]] = count
            return
        whole = sum(self.weights[device] for device in room.devices)

        def loads(level: int) -> list[int]:
            return [self._load(one, level, whole) for one in room.rooms]

        level = _least(lambda at: sum(loads(at)) >= count * _FINE, whole * self.groups * _FINE)
        for one, rounded in zip(room.rooms, self._rounded(room.rooms, loads(level), count), strict=True):
            self.deal(one, rounded)

    def _load(self, room: _Room, level: int, whole: int) -> int:
        if room.rooms:
            return min(room.most * _FINE, sum(self._load(one, level, whole) for one in room.rooms))
        return min(room.most * _FINE, self.weights[room.devices[0]] * level // whole)

    def _rounded(self, rooms: Sequence[_Room], loads: Sequence[int], count: int) -> list[int]:
        """Whole numbers next to the loads, `count` together. One step of the level adds less than a part to each, so
        the loads are too much by less than one and their floors never are."""
        rounded = [load // _FINE for load in loads]

        def wish(index: int) -> tuple[bool, int, int]:
            held = sum(self.held[device] for device in rooms[index].devices)
            return held <= rounded[index], -(loads[index] % _FINE), index

        open_ends = [index for index, load in enumerate(loads) if load % _FINE]
        for index in sorted(open_ends, key=wish)[: count - sum(rounded)]:
            rounded[index] += 1
        return rounded


def _least(holds: Callable[[int], bool], most: int) -> int:
    """The smallest number up to `most` for which `holds`, which it does from there on."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
