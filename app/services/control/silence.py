"""Taking the devices of a silent file host out of the layout, and in again when it is back.

Knows how long a node has been silent and what its devices are. Must not know how the layout then changes. That a device
is out only for its node's silence, and not by an operator's word, is in the control state and survives the leader.
"""

from collections.abc import Callable

from app.core.cluster import Command, Outcome
from app.core.cluster.layout_commands import SetDeviceState
from app.core.cluster_limits import HEARTBEAT_SECONDS_MAX
from app.core.errors import Unavailable
from app.core.layout.placement import DRAINING, IN, OUT, Device, Placement
from app.services.control.heartbeats import Heartbeats


class Silence:
    """To be asked about every second by one thread, at every manager."""

    def __init__(
        self,
        heartbeats: Heartbeats,
        placement: Callable[[], Placement],
        submit: Callable[[Command], Outcome],
        new_id: Callable[[], bytes],
        out_after_s: int,
    ) -> None:
        """`out_after_s`: 0 leaves silent nodes in."""
        self._heartbeats = heartbeats
        self._placement = placement
        self._submit = submit
        self._new_id = new_id
        self._out_after_s = out_after_s
        self._led = False

    def step(self, leads: bool) -> list[str]:
        """What was done, a line each. `leads`: whether this manager leads now."""
        if leads != self._led:
            self._led = leads
            self._heartbeats.forget()
        return self._led_step() if leads else []

    def _led_step(self) -> list[str]:
        lines = []
        placement = self._placement()
        holders = {one.node_id for one in placement.devices.values() if one.state == IN}
        # Where nobody is heard it is this manager that is cut off; and nothing would be left in.
        deaf = not any(self._heartbeats.heard(node_id, HEARTBEAT_SECONDS_MAX) for node_id in holders)
        for node_id in placement.nodes:
            silent_s = self._heartbeats.silent_s(node_id)
            own = [device for device in placement.devices.values() if device.node_id == node_id]
            inside = [one for one in own if one.state == IN]
            leaving = [one for one in own if one.state == DRAINING]
            outside = [one for one in own if one.state == OUT and one.silent]
            too_long = 0 < self._out_after_s <= silent_s and not deaf
            if leaving and too_long:
                self._set(leaving, OUT, silent=False)  # it was to go, and stays gone
            if inside and too_long and self._set(inside, OUT, silent=True):
                lines.append(f"{node_id} has been silent for {silent_s:.0f} s: its devices are out")
            elif outside and self._heartbeats.heard(node_id, HEARTBEAT_SECONDS_MAX) and self._set(outside, IN):
                lines.append(f"{node_id} is back: its devices are in again")
        return lines

    def _set(self, devices: list[Device], state: str, *, silent: bool = False) -> bool:
        numbers = tuple(device.number for device in devices)
        try:
            return not self._submit(SetDeviceState(self._new_id().hex(), numbers, state, silent)).error
        except Unavailable:
            return False  # the next step tries again, if it still leads
