"""Every device of a cluster by its number: this node's own directly, the others at their hosts' addresses.

Knows the nodes and devices of a placement as it changes. Must not know homes or profiles.
"""

from collections.abc import Callable, Mapping

from app.adapters.chunks.peer import Identity, Peer
from app.adapters.chunks.remote import RemoteDevice
from app.core.errors import Unavailable
from app.core.layout.placement import OUT, Placement
from app.ports.devices import DeviceStore
from app.runtime.offload import Offload


class Hosts:
    """One per process. `local`: devices of this node by device id, closed by who opened them."""

    def __init__(
        self,
        placement: Callable[[], Placement],
        identity: Identity,
        offload: Offload,
        local: Mapping[str, DeviceStore] | None = None,
    ) -> None:
        self._placement = placement
        self._identity = identity
        self._offload = offload
        self._local = {} if local is None else local
        self._peers: dict[str, Peer] = {}
        self._devices: dict[tuple[str, str], RemoteDevice] = {}

    def device(self, number: int) -> DeviceStore:
        """The device of that number, asked nothing. Raises Unavailable for one that is unknown or out."""
        placement = self._placement()
        device = placement.devices.get(number)
        if device is None or device.state == OUT:
            raise Unavailable(f"device {number} is not part of the cluster")
        here = self._local.get(device.device_id)
        if here is not None:
            return here
        node = placement.nodes.get(device.node_id)
        if node is None or not node.address:
            raise Unavailable(f"nobody knows the address of device {number}")
        found = self._devices.get((device.device_id, node.address))
        if found is None:
            found = RemoteDevice(device.device_id, self.peer(node.address), self._offload)
            self._devices[device.device_id, node.address] = found
            self._forget(placement)
        return found

    def near(self, number: int) -> bool:
        """Whether the device is this node's own."""
        device = self._placement().devices.get(number)
        return device is not None and device.device_id in self._local

    def up(self, number: int) -> bool:
        """False while the device's host is known to be down to this process; a hint."""
        placement = self._placement()
        device = placement.devices.get(number)
        node = None if device is None else placement.nodes.get(device.node_id)
        peer = None if node is None else self._peers.get(node.address)
        return peer is None or not peer.down

    def peer(self, address: str) -> Peer:
        """The connections to a host."""
        found = self._peers.get(address)
        if found is None:
            found = self._peers[address] = Peer(address, self._identity)
        return found

    def close(self) -> None:
        """Close idle connections."""
        for peer in self._peers.values():
            peer.close()

    def _forget(self, placement: Placement) -> None:
        """Drop what no node has for an address any more; a node that moved leaves no connections behind."""
        known = {node.address for node in placement.nodes.values()}
        for address in [address for address in self._peers if address not in known]:
            self._peers.pop(address).close()
            self._devices = {key: device for key, device in self._devices.items() if key[1] != address}
