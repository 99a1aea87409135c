"""Placement as JSON values and back, its maps packed: part of the control state's document (snapshot.py).

Knows the form only. A map is {"devices": numbers, "groups": their number, "sizes": devices of each group, only one
where all are alike, "rows": base64 of indices into `devices`, one byte each, two (big endian) where there are more than
256}: 8 KiB for 1,024 groups of 6.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from app.adapters.cluster.records import plain, reader
from app.core.layout.placement import Device, Groups, HealSettings, Layout, Node, Placement
from app.core.layout.profiles import Profile

_node: Final[Callable[[Any], Node]] = reader(Node)
_device: Final[Callable[[Any], Device]] = reader(Device)
_profile: Final[Callable[[Any], Profile]] = reader(Profile)
_heal: Final[Callable[[Any], HealSettings]] = reader(HealSettings)


def to_plain(placement: Placement) -> dict[str, Any]:
    """The JSON form."""
    return {
        "groups": placement.groups,
        "nodes": [plain(node) for node in placement.nodes.values()],
        "devices": [plain(device) for device in placement.devices.values()],
        "profiles": [plain(profile) for profile in placement.profiles.values()],
        "classes": dict(placement.classes),
        "current": _layout(placement.current),
        "previous": None if placement.previous is None else _layout(placement.previous),
        "pending": {str(width): sorted(groups) for width, groups in placement.pending.items()},
        "staged": placement.staged,
        "automatic": placement.automatic,
        "numbered": placement.numbered,
        "healing": {kind: plain(settings) for kind, settings in placement.healing.items()},
    }


def from_plain(value: Mapping[str, Any]) -> Placement:
    """The inverse. Raises KeyError, TypeError, ValueError, IndexError."""
    nodes = [_node(one) for one in value["nodes"]]
    devices = [_device(one) for one in value["devices"]]
    profiles = [_profile(one) for one in value["profiles"]]
    previous = value["previous"]
    return Placement(
        groups=int(value["groups"]),
        nodes={node.node_id: node for node in nodes},
        devices={device.number: device for device in devices},
        profiles={profile.number: profile for profile in profiles},
        classes=dict(value["classes"]),
        current=_layout_of(value["current"]),
        previous=None if previous is None else _layout_of(previous),
        pending={int(width): frozenset(groups) for width, groups in value["pending"].items()},
        staged=bool(value["staged"]),
        automatic=bool(value["automatic"]),
        numbered=int(value["numbered"]),
        healing={kind: _heal(settings) for kind, settings in value["healing"].items()},
    )


def _layout(layout: Layout) -> dict[str, Any]:
    return {"epoch": layout.epoch, "maps": {str(width): _packed(groups) for width, groups in layout.maps.items()}}


def _layout_of(value: Mapping[str, Any]) -> Layout:
    return Layout(int(value["epoch"]), {int(width): _unpacked(packed) for width, packed in value["maps"].items()})


def _packed(groups: Groups) -> dict[str, Any]:
    devices = sorted({number for homes in groups for number in homes})
    index = {number: place for place, number in enumerate(devices)}
    wide, sizes = _wide(devices), [len(homes) for homes in groups]
    rows = b"".join(index[number].to_bytes(wide, "big") for homes in groups for number in homes)
    return {
        "devices": devices,
        "groups": len(groups),
        "sizes": sizes if len(set(sizes)) > 1 else sizes[:1],
        "rows": base64.b64encode(rows).decode(),
    }


def _unpacked(packed: Mapping[str, Any]) -> Groups:
    devices, sizes = packed["devices"], packed["sizes"]
    sizes = sizes * packed["groups"] if len(sizes) == 1 else sizes
    rows, wide = base64.b64decode(packed["rows"], validate=True), _wide(devices)
    if len(sizes) != packed["groups"] or len(rows) != sum(sizes) * wide:
        raise ValueError("a map's rows do not fit its sizes")
    numbers = iter([devices[int.from_bytes(rows[at : at + wide], "big")] for at in range(0, len(rows), wide)])
    return tuple([tuple(islice(numbers, size)) for size in sizes])


def _wide(devices: Sequence[int]) -> int:
    return 1 if len(devices) <= 256 else 2
