"""Which groups each device takes, given how many: dealt out anew, or with as few moves as the change allows.

Knows devices as indices, shares and bounds (shares.py). Exact integers and draws by a fixed mixing of numbers: every
machine comes to the same map. A stayer keeps its position in its group, because a position is a fragment.
"""

from collections import deque
from collections.abc import Container, Sequence
from typing import Final

from app.core.layout.shares import Spread

EMPTY: Final = -1
_MASK: Final = (1 << 64) - 1


def draw(group: int, device: int) -> int:
    """64 bits that depend on both, the same everywhere (splitmix64's constants)."""
    mixed = (group * 0x9E3779B97F4A7C15 + (device + 1) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = (mixed ^ mixed >> 30) * 0x94D049BB133111EB & _MASK
    return mixed ^ mixed >> 31


def dealt(shares: Sequence[int], spread: Spread, groups: int) -> list[list[int]]:
    """A map of nobody's making: each group takes the devices that every n-th point of a line falls on, where devices
    lie as long as what they still have to take, nodes and zones together, in an order drawn for each group.

    A stretch of s points in a line for r groups is met s/r times, rounded either way: no bound is ever exceeded, and
    at the end each device has its share exactly.
    """
    left = list(shares)
    places = {device: (spread.zone[device], spread.node[device]) for device in range(len(left))}
    made = []
    for group in range(groups):
        remaining = groups - group
        zones = {zone: draw(group, ~zone) for zone in set(spread.zone)}
        nodes = {node: draw(group, ~node << 20) for node in set(spread.node)}
        draws = [draw(group, device) for device in range(len(left))]
        line = [(zones[zone], nodes[node], draws[device], device) for device, (zone, node) in places.items()]
        line.sort()
        taken, point, end = [], draw(group, _MASK) % remaining, 0
        for *_, device in line:
            end += left[device]
            if point < end:
                taken.append(device)
                point += remaining
        for device in taken:
            left[device] -= 1
        made.append(sorted(taken, key=draws.__getitem__))
    return made


class Moves:
    """A map being changed. Built from slots of groups, EMPTY where a device is gone; `settle` makes it whole."""

    def __init__(self, slots: list[list[int]], shares: Sequence[int], spread: Spread) -> None:
        self.slots = slots
        self._spread = spread
        self._node = spread.node
        self._zone = [~zone for zone in spread.zone]  # nodes count up and zones down: one table holds both
        self._lacks = list(shares)
        self._room_lacks: dict[int, int] = {}
        self._at: list[dict[int, None]] = [{} for _ in shares]
        self._held: list[dict[int, int]] = [{} for _ in slots]
        for device, share in enumerate(shares):
            for room in (self._node[device], self._zone[device]):
                self._room_lacks[room] = self._room_lacks.get(room, 0) + share
        for group, devices in enumerate(slots):
            for device in devices:
                if device != EMPTY:
                    self._count(group, device, 1)

    def settle(self) -> None:
        """Respect the bounds, fill every empty slot, then move what is too much to where too little is."""
        for group in range(len(self.slots)):
            self._thin_out(group)
        empties = [(draw(group, _MASK), group) for group, devices in enumerate(self.slots) if EMPTY in devices]
        for _, group in sorted(empties):
            self._fill(group)
        self._even_out()

    # --- one change

    def _count(self, group: int, device: int, by: int) -> None:
        held = self._held[group]
        for room in (self._node[device], self._zone[device]):
            held[room] = held.get(room, 0) + by
            self._room_lacks[room] -= by
        self._lacks[device] -= by
        if by > 0:
            self._at[device][group] = None
        else:
            del self._at[device][group]

    def _put(self, group: int, position: int, device: int) -> None:
        """Replace what is at a position."""
        before = self.slots[group][position]
        if before != EMPTY:
            self._count(group, before, -1)
        self.slots[group][position] = device
        if device != EMPTY:
            self._count(group, device, 1)

    def _fits(self, group: int, device: int, instead_of: int = EMPTY) -> bool:
        """Whether a device may be in a group, another leaving it or not."""
        if device in self.slots[group]:
            return False
        node, zone, held = self._node[device], self._zone[device], self._held[group]
        if instead_of != EMPTY and self._node[instead_of] == node:
            return True
        if held.get(node, 0) >= self._spread.of_node:
            return False
        same_zone = instead_of != EMPTY and self._zone[instead_of] == zone
        return same_zone or held.get(zone, 0) < self._spread.of_zone

    # --- bounds and empty slots

    def _thin_out(self, group: int) -> None:
        """Take out what is closer together than it has to be by now, first of whom has too much."""
        for rooms, most in ((self._node, self._spread.of_node), (self._zone, self._spread.of_zone)):
            for room in [room for room, count in self._held[group].items() if count > most and room in rooms]:
                crowd = [one for one in self.slots[group] if one != EMPTY and rooms[one] == room]
                crowd.sort(key=lambda one: (self._lacks[one], draw(group, one)))
                for device in crowd[: len(crowd) - most]:
                    self._put(group, self.slots[group].index(device), EMPTY)

    def _fill(self, group: int) -> None:
        """Who lacks most comes first: zone, then node, then device; whom nothing lacks only where nobody else fits."""
        for position, device in enumerate(self.slots[group]):
            if device == EMPTY:
                self._put(group, position, self._best(group))

    def _best(self, group: int) -> int:
        fitting = [device for device in range(len(self._lacks)) if self._fits(group, device)]
        lacking = [device for device in fitting if self._lacks[device] > 0]
        lacks, rooms = self._lacks, self._room_lacks
        if not lacking:
            return max(fitting, key=lambda one: (lacks[one], draw(group, one)))
        node, zone = self._node, self._zone
        return max(lacking, key=lambda one: (rooms[zone[one]], rooms[node[one]], lacks[one], draw(group, one)))

    # --- evening out

    def _even_out(self) -> None:
        """One group at a time from a device that has too much, straight to one that lacks, else by way of others."""
        for device in range(len(self._lacks)):
            while self._lacks[device] < 0 and self._give(device):
                pass
        # Each detour takes one away from what is too much; where none is found, balance gives way to the bounds.
        for device in range(len(self._lacks)):
            while self._lacks[device] < 0 and self._give_by_detour(device):
                pass

    def _give(self, device: int) -> bool:
        """A whole round: each who lacks is offered the groups of the device until it has no more to give."""
        moved = False
        takers = [one for one, lack in enumerate(self._lacks) if lack > 0]
        for group in self._drawn(device):
            takers.sort(key=lambda one: (-self._lacks[one], draw(group, one)))
            taker = next((o for o in takers if self._lacks[o] > 0 and self._fits(group, o, device)), EMPTY)
            if taker != EMPTY:
                self._replace(group, device, taker)
                moved = True
            if self._lacks[device] >= 0:
                break
        return moved

    def _replace(self, group: int, device: int, taker: int) -> None:
        self._put(group, self.slots[group].index(device), taker)

    def _drawn(self, device: int) -> list[int]:
        return sorted(self._at[device], key=lambda group: draw(group, device))

    def _give_by_detour(self, device: int) -> bool:
        """The shortest chain of devices, each taking a group of the one before, to one that lacks."""
        came: dict[int, tuple[int, int]] = {device: (EMPTY, EMPTY)}  # device -> who gives to it, in which group
        waiting = deque([device])
        while waiting:
            giver = waiting.popleft()
            for group, taker in self._edges(giver, came):
                came[taker] = (giver, group)
                if self._lacks[taker] > 0:
                    return self._walk(taker, came)
                waiting.append(taker)
        return False

    def _edges(self, giver: int, known: Container[int]) -> list[tuple[int, int]]:
        """A group with each device that could take one from the giver and is not known yet."""
        open_ends = [one for one in range(len(self._lacks)) if one not in known]
        found = []
        for group in self._drawn(giver):
            if not open_ends:
                break
            fitting = [one for one in open_ends if self._fits(group, one, giver)]
            found += [(group, one) for one in fitting]
            open_ends = [one for one in open_ends if one not in fitting]
        return found

    def _walk(self, last: int, came: dict[int, tuple[int, int]]) -> bool:
        """Move along a chain, from its end, as far as the bounds of a group met twice allow; whether to its start."""
        taker = last
        giver, group = came[taker]
        while giver != EMPTY:
            if not self._fits(group, taker, giver):
                return False
            self._replace(group, giver, taker)
            taker = giver
            giver, group = came[taker]
        return True
