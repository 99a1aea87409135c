"""How the cluster is: nodes, devices, the transition in flight, and the ledger summed over what nodes told last.

Knows the control state and heartbeats; gives plain values for JSON. What heartbeats say is as old as they are. "healed"
is said only when nothing speaks against it; what does is listed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any

from app.core.layout.placement import DRAINING, IN, OUT, WAITING, Device, Placement
from app.core.layout.profiles import Profile
from app.core.layout.reports import DeviceReport, LedgerReport, NodeHealth, NodeReport, WorkReport
from app.ports.cluster import Beats, Cluster

Plain = dict[str, Any]
_UP, _DOWN, _UNKNOWN = "up", "down", "unknown"
_REDUNDANCY = ("full", "reduced", "critical", "lost", "unswept")


class ClusterStatus:
    """Asked by operators. Nothing here blocks or changes anything."""

    def __init__(self, cluster: Cluster, beats: Beats, now_ms: Callable[[], int]) -> None:
        self._cluster = cluster
        self._beats = beats
        self._now_ms = now_ms
        self._seen = (0, 0, 0)  # epoch, when it was first asked about here, groups pending then

    def summary(self) -> Plain:
        """Everything at a glance. `healed`: every group of every profile was compared and is full, on devices that are
        up, and no transition is in flight."""
        state, health = self._cluster.state(), self._beats.health()
        placement = state.placement
        against = list(_against_healed(placement, health))
        return {
            "cluster_id": state.cluster_id,
            "version": state.version,
            "epoch": placement.current.epoch,
            "healed": not against,
            "not_healed_because": against,
            "nodes": {node_id: _node_status(health.get(node_id)) for node_id in sorted({*placement.nodes, *health})},
            "devices": _devices_summed(placement, health),
            "transition": self._transition(placement),
            "profiles": self.profiles(),
            "work": [_work(placement, health, kind) for kind in ("repair", "rebalance", "scrub")],
        }

    def _transition(self, placement: Placement) -> Plain | None:
        """How far it is. `eta_s`: at the pace since an operator first asked about it here; None before it moved."""
        if placement.previous is None:
            return None
        epoch, now_ms = placement.current.epoch, self._now_ms()
        groups = sum(len(groups) for groups in placement.current.maps.values())
        pending = sum(len(groups) for groups in placement.pending.values())
        if self._seen[0] != epoch:
            self._seen = epoch, now_ms, pending
        moved = self._seen[2] - pending
        return {
            "from_epoch": placement.previous.epoch,
            "to_epoch": epoch,
            "groups_pending": pending,
            "complete_percent": (groups - pending) * 100 // max(1, groups),
            "eta_s": pending * (now_ms - self._seen[1]) // moved // 1000 if moved > 0 else None,
            "another_follows": placement.staged,
        }

    def nodes(self) -> list[Plain]:
        """One row for each file host, and each gateway that was heard of. `up`: None when the managers' leader has
        not heard of the node yet, as for a moment after each election."""
        placement, health, now_ms = self._cluster.state().placement, self._beats.health(), self._now_ms()
        rows = []
        for node_id in sorted({*placement.nodes, *health}):
            node, heard = placement.nodes.get(node_id), health.get(node_id)
            report = None if heard is None else heard.report
            rows.append(
                {
                    "node_id": node_id,
                    "role": "file" if node is not None else "" if report is None else report.role,
                    "up": None if heard is None else heard.up,
                    "heard_s_ago": None if heard is None else max(0, now_ms - heard.seen_ms) // 1000,
                    "address": node.address if node is not None else "" if report is None else report.address,
                    "zone": "" if node is None else node.zone,
                    "epoch": None if report is None else report.epoch,
                    "devices": [d.number for d in placement.devices.values() if d.node_id == node_id],
                }
            )
        return rows

    def devices(self) -> list[Plain]:
        """One row for each device. `groups`: places it has in the current maps, over all widths."""
        placement, health = self._cluster.state().placement, self._beats.health()
        reports = _device_reports(health)
        places = Counter(n for groups in placement.current.maps.values() for homes in groups for n in homes)
        rows = []
        for number, device in sorted(placement.devices.items()):
            told = reports.get(number)
            rows.append(
                {
                    "number": number,
                    "node_id": device.node_id,
                    "state": device.state + (" (silent)" if device.silent else ""),
                    "status": _status(device, health, told),
                    "bytes_total": device.capacity_bytes if told is None else told.bytes_total,
                    "bytes_free": None if told is None else told.bytes_free,
                    "filled_percent": None if told is None else _percent(told.bytes_total - told.bytes_free, told),
                    "fragments": None if told is None else told.fragments,
                    "errors": None if told is None else told.errors,
                    "groups": places[number],
                    "device_id": device.device_id,
                }
            )
        return rows

    def profiles(self) -> list[Plain]:
        """One row for each profile ever defined, with its blobs by redundancy; the classes it is in force for."""
        placement, health = self._cluster.state().placement, self._beats.health()
        return [
            {
                "number": number,
                "storage_class": profile.storage_class,
                "in_force": placement.classes.get(profile.storage_class) == number,
                "automatic": placement.automatic and profile.storage_class == "STANDARD",
                "redundancy": redundancy(profile),
                "compression": profile.compression,
                "inline_bytes": profile.inline_bytes,
                **asdict(_ledger(placement, health, number)),
            }
            for number, profile in sorted(placement.profiles.items())
        ]

    def layout(self) -> Plain:
        """The maps themselves."""
        placement = self._cluster.state().placement
        previous = placement.previous
        return {
            "epoch": placement.current.epoch,
            "groups": placement.groups,
            "maps": {str(width): groups for width, groups in placement.current.maps.items()},
            "previous_epoch": None if previous is None else previous.epoch,
            "previous_maps": {} if previous is None else {str(w): groups for w, groups in previous.maps.items()},
            "pending": {str(width): sorted(groups) for width, groups in placement.pending.items()},
        }


def redundancy(profile: Profile) -> str:
    """For people: "3 copies", "4+2"."""
    if profile.erasure:
        return f"{profile.data}+{profile.parity}"
    return f"{profile.width} " + ("copy" if profile.width == 1 else "copies")


def _up_reports(placement: Placement, health: Mapping[str, NodeHealth]) -> list[NodeReport]:
    """The newest of each file host that is up: what one that is down led is led by others now."""
    return [
        one.report for one in health.values() if one.up and one.report is not None and one.node_id in placement.nodes
    ]


def _device_reports(health: Mapping[str, NodeHealth]) -> dict[int, DeviceReport]:
    return {each.number: each for one in health.values() if one.report is not None for each in one.report.devices}


def _node_status(heard: NodeHealth | None) -> str:
    if heard is None:
        return _UNKNOWN  # heartbeats are in the leader's memory only: a new one has heard of nobody
    return _UP if heard.up else _DOWN


def _status(device: Device, health: Mapping[str, NodeHealth], told: DeviceReport | None) -> str:
    status = _node_status(health.get(device.node_id))
    if status != _UP:
        return status
    return _UNKNOWN if told is None else told.status


def _percent(part: int, told: DeviceReport) -> int:
    return part * 100 // max(1, told.bytes_total)


def _ledger(placement: Placement, health: Mapping[str, NodeHealth], number: int) -> LedgerReport:
    told = [report.ledger.get(str(number), LedgerReport()) for report in _up_reports(placement, health)]
    sums = {each.name: sum(getattr(one, each.name) for one in told) for each in fields(LedgerReport)}
    return LedgerReport(**{**sums, "verified_ms": min((one.verified_ms for one in told), default=0)})


def _against_healed(placement: Placement, health: Mapping[str, NodeHealth]) -> Iterator[str]:
    """Why the cluster is not known to be whole, a line each."""
    if not placement.current.epoch:
        yield "no device is in yet"
    if placement.previous is not None or placement.staged:
        yield "a transition is in flight"
    reports, told = _up_reports(placement, health), _device_reports(health)
    for node_id in sorted({device.node_id for device in placement.devices.values() if device.state == IN}):
        report = next((one for one in reports if one.node_id == node_id), None)
        if report is None:
            yield f"node {node_id} is {_node_status(health.get(node_id))}"
        elif report.epoch != placement.current.epoch:
            yield f"node {node_id} has not told of epoch {placement.current.epoch} yet"
    for number, device in sorted(placement.devices.items()):
        status = _status(device, health, told.get(number))
        speaks = _node_status(health.get(device.node_id)) == _UP
        if device.state == IN and speaks and status != _UP:
            yield f"device {number} is {status}"
    for number in sorted(placement.profiles):
        ledger = _ledger(placement, health, number)
        for level in _REDUNDANCY[1:]:
            if count := getattr(ledger, level):
                yield f"profile {number}: {count} {'groups' if level == 'unswept' else 'blobs'} {level}"


def _devices_summed(placement: Placement, health: Mapping[str, NodeHealth]) -> Plain:
    states = Counter(device.state for device in placement.devices.values())
    reports = _device_reports(health)
    serving = [reports[n] for n, d in placement.devices.items() if d.state in (IN, DRAINING) and n in reports]
    total, free = sum(one.bytes_total for one in serving), sum(one.bytes_free for one in serving)
    return {
        **{state: states[state] for state in (IN, WAITING, DRAINING, OUT)},
        "bytes_total": total,
        "bytes_free": free,
        "filled_percent": (total - free) * 100 // max(1, total),
    }


def _work(placement: Placement, health: Mapping[str, NodeHealth], kind: str) -> Plain:
    """Of one kind, over all nodes. The ETA takes what waits to be of the size of what is stored, on average."""
    reports = _up_reports(placement, health)
    told = [each for report in reports for each in report.work if each.kind == kind]
    whole = WorkReport(
        kind, *(sum(getattr(one, name) for one in told) for name in ("done", "waiting", "bytes_per_s", "errors"))
    )
    devices = [each for report in reports for each in report.devices]
    stored = sum(each.bytes_total - each.bytes_free for each in devices)
    mean = stored // max(1, sum(each.fragments for each in devices))
    settings = placement.heal_settings(kind)
    eta_s = 0 if not whole.waiting else whole.waiting * mean // whole.bytes_per_s if whole.bytes_per_s else None
    return {
        **asdict(whole),
        "eta_s": eta_s,
        "limit_bytes_per_s": settings.bytes_per_s or None,
        "paused": settings.paused,
    }
