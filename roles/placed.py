"""Opens a cluster's bytes for one process: every device by its number, and chunks over them.

Knows which adapters stand behind devices, codecs and suspects. Must not know who stores or heals.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import NamedTuple

from app.adapters import erasure
from app.adapters.chunks.hosts import Hosts
from app.adapters.suspects import RemoteSuspects
from app.adapters.zstd import Zstd
from app.core import cluster_limits
from app.core.layout.placement import Placement
from app.core.layout.reports import NodeHealth
from app.ports.devices import DeviceStore
from app.ports.suspects import Suspects
from app.runtime.offload import Offload
from app.services.placing.ground import Ground
from app.services.placing.store import PlacedStore
from roles import devices
from roles.running import Running

Health = Callable[[], Mapping[str, NodeHealth]]


def nobody() -> Mapping[str, NodeHealth]:
    """The health of nodes where no heartbeats are heard: in workers."""
    return {}


class Placed(NamedTuple):
    """Everything of a cluster's bytes."""

    hosts: Hosts
    chunks: PlacedStore


def hosts(
    running: Running, placement: Callable[[], Placement], local: Mapping[str, DeviceStore] | None = None
) -> Hosts:
    """Every device, by this process's own connections. `local`: those of this node."""
    found = Hosts(placement, devices.identity(running.told.settings), running.offload, local)
    running.at_end(found.close)
    return found


def opened(running: Running, placement: Callable[[], Placement], health: Health = nobody) -> Placed:
    """Chunks over every device, for a gateway."""
    reached = hosts(running, placement)
    suspects = RemoteSuspects(placement, reached)
    running.every("suspects", cluster_limits.SUSPECTS_TELL_SECONDS, suspects.tell)
    chunks = chunks_over(reached, placement, suspects, running.offload, health)
    running.at_end(chunks.close)
    return Placed(reached, chunks)


def chunks_over(
    reached: Hosts,
    placement: Callable[[], Placement],
    suspects: Suspects,
    offload: Offload,
    health: Health = nobody,
) -> PlacedStore:
    """Chunks over devices; close them before the devices."""

    def up(number: int) -> bool:
        device = placement().devices.get(number)
        heard = None if device is None else health().get(device.node_id)
        return (heard is None or heard.up) and reached.up(number)

    return PlacedStore(
        Ground(
            placement=placement,
            device=reached.device,
            codec=erasure.codec,
            compressor=Zstd(),
            suspects=suspects,
            offload=offload,
            now_s=monotonic,
            near=reached.near,
            up=up,
        )
    )
