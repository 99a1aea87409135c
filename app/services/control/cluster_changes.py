"""What operators change of a cluster: devices in, draining and gone; profiles; how healing goes on.

Knows which commands a wish becomes. What is allowed is decided while a command is applied (core/cluster); only what
needs heartbeats (is the node of a device up?) is decided here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.cluster.layout_commands import PutHealSettings, PutProfile, RemoveDevices, SetDeviceState
from app.core.cluster_limits import SCRUB_DAYS_MAX
from app.core.layout.placement import DRAINING, IN, OUT, WAITING, Device, HealSettings, Placement
from app.core.layout.profiles import NO_COMPRESSION, Profile
from app.core.layout.reports import NodeHealth
from app.core.limits import INLINE_BYTES_MAX, TIB
from app.ports.cluster import Beats
from app.services.identity.commanding import CommandRefused, Desk


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which devices: by number, all of some nodes, all that wait. `lost`: although their nodes are up."""

    devices: tuple[int, ...] = ()
    nodes: tuple[str, ...] = ()
    waiting: bool = False
    lost: bool = False


class ClusterChanges:
    """The use cases. Durable on return. Each raises CommandRefused and Unavailable."""

    def __init__(self, desk: Desk, beats: Beats) -> None:
        self._desk = desk
        self._beats = beats

    def add(self, chosen: Chosen) -> dict[str, list[int]]:
        """Let devices take their share from the next epoch on; also those draining, or out. Numbers, by what became of
        them, as all answers here."""
        devices = self._devices(chosen, WAITING, DRAINING, OUT)
        return {"added": self._put(devices, IN)}

    def drain(self, chosen: Chosen) -> dict[str, list[int]]:
        """Empty devices: the next epoch does without them, they serve until it is complete."""
        return {"draining": self._put(self._devices(chosen, IN), DRAINING)}

    def remove(self, chosen: Chosen) -> dict[str, list[int]]:
        """Forget devices that are drained and empty, wait, or are out; those whose node is down, or that are said to be
        lost, go out first, and are forgotten by a later call when the transition this begins has ended."""
        placement = self._placement()
        devices = self._devices(chosen, WAITING, IN, DRAINING, OUT)
        used = _used(placement)
        lost = [d for d in devices if d.state == IN or (d.state == DRAINING and d.number in used)]
        health = self._beats.health()
        for device in lost:
            heard = health.get(device.node_id)
            if not chosen.lost and heard is not None and heard.up:
                text = "drain it first" if device.state == IN else "it is being drained"
                raise CommandRefused("DeleteConflict", f"device {device.number} is {device.state}: {text}, or say lost")
        if not chosen.lost:
            _check_empty([device for device in devices if device.state == DRAINING and device not in lost], health)
        still_out = [d for d in devices if d.state == OUT and d.silent]
        out = self._put([*lost, *still_out], OUT) if lost or still_out else []
        used = _used(self._placement())
        free = [device.number for device in devices if device.number not in used]
        if free:
            self._desk.submit(lambda command_id: RemoveDevices(command_id, tuple(free)))
        return {"removed": free, "out": [number for number in out if number not in free]}

    def put_profile(self, storage_class: str, wished: Mapping[str, Any]) -> None:
        """Define a storage class for what is written from now on. `wished`: copies, or data and parity; compression,
        inline_bytes."""
        erasure = "data" in wished or "parity" in wished
        if erasure == ("copies" in wished):
            raise CommandRefused("InvalidInput", "give copies, or data and parity")
        data, parity = (wished.get("data", 0), wished.get("parity", 0)) if erasure else (1, wished["copies"] - 1)
        compression = wished.get("compression", NO_COMPRESSION)
        inline_bytes = wished.get("inline_bytes", INLINE_BYTES_MAX)
        profile = Profile(0, storage_class, data, parity, erasure, compression, inline_bytes)
        self._desk.submit(lambda command_id: PutProfile(command_id, profile))

    def heal(self, kind: str, wished: Mapping[str, Any]) -> HealSettings:
        """Set what was given of `rate` (bytes a second of each host, 0 = as its settings say), `paused` and `days`;
        `now`: a scrub pass begins anew. The settings as they are then."""
        before = self._placement().heal_settings(kind)
        settings = replace(
            before,
            bytes_per_s=wished.get("rate", before.bytes_per_s),
            paused=wished.get("paused", before.paused),
            days=wished.get("days", before.days),
            asked_ms=self._desk.now_ms() if wished.get("now") else before.asked_ms,
        )
        if settings.bytes_per_s > TIB or settings.days > SCRUB_DAYS_MAX:
            raise CommandRefused(
                "InvalidInput", f"a rate is at most {TIB} bytes a second, a pass {SCRUB_DAYS_MAX} days"
            )
        if settings != before:
            self._desk.submit(lambda command_id: PutHealSettings(command_id, kind, settings))
        return settings

    def _placement(self) -> Placement:
        return self._desk.cluster.state().placement

    def _put(self, devices: list[Device], state: str) -> list[int]:
        numbers = tuple(device.number for device in devices)
        self._desk.submit(lambda command_id: SetDeviceState(command_id, numbers, state))
        return list(numbers)

    def _devices(self, chosen: Chosen, *states: str) -> list[Device]:
        """Those named by number, in whatever state, and those of nodes that are in one of `states`."""
        placement = self._placement()
        unknown = [str(number) for number in chosen.devices if number not in placement.devices]
        unknown += [node_id for node_id in chosen.nodes if node_id not in placement.nodes]
        if unknown:
            raise CommandRefused("NoSuchEntity", f"There is no device or node {unknown[0]}.")
        found = [
            device
            for number, device in sorted(placement.devices.items())
            if number in chosen.devices
            or (device.node_id in chosen.nodes and device.state in states)
            or (chosen.waiting and device.state == WAITING)
        ]
        if not found:
            raise CommandRefused("InvalidInput", f"no device that is {' or '.join(states)} was named")
        return found


def _check_empty(drained: list[Device], health: Mapping[str, NodeHealth]) -> None:
    """What a gateway that had not heard of the epoch left on a drained device is still to go home from there, and what
    cannot (damaged, its home full) may be all there is of it. Who is down tells nothing."""
    told = {each.number: each for one in health.values() if one.up and one.report for each in one.report.devices}
    for device in drained:
        fragments = told[device.number].fragments if device.number in told else 0
        if fragments:
            text = f"device {device.number} still holds {fragments} fragments: wait until they went home, or say lost"
            raise CommandRefused("DeleteConflict", text)


def _used(placement: Placement) -> set[int]:
    """Numbers that groups name, now or in the epoch being left."""
    layouts = [placement.current] if placement.previous is None else [placement.current, placement.previous]
    return {n for one in layouts for groups in one.maps.values() for homes in groups for n in homes}
