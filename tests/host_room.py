"""A file host in this process: devices in directories, the blob routes on a socket, and clients of them.

The sessions are the worker's own, so what is on the wire is what a real host says.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gevent import monkey

from app.adapters.chunks import marker
from app.adapters.chunks.guarded import GuardedDevice
from app.adapters.chunks.peer import Identity, Peer
from app.core import cluster_limits
from app.core.auth import cluster_secret
from app.core.types import BlobId
from app.faces.http.internal.asking import Membership
from app.faces.http.internal.door import BlobDoor, Told
from app.faces.http.internal.fragments import Fragments
from app.runtime.buffers import BufferPool
from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.connection import Connection
from app.runtime.http1.listener import Listener
from app.runtime.http1.session import House, Session
from app.runtime.offload import Offload
from tests.chunk_room import device_at

KEY = cluster_secret.derive(b"s" * 32, cluster_secret.PURPOSE)
CLUSTER = "c" * 32
_SILENT = logging.getLogger("host_room")
_SILENT.setLevel(logging.CRITICAL)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Desk:
    """app.ports.suspects.Suspects that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[BlobId, str]] = []

    def report(self, blob_ids: Sequence[BlobId], why: str) -> None:
        self.told += [(blob_id, why) for blob_id in blob_ids]


class HostRoom:
    """One host. `told`: what its door observed. `bugs`: what it could not explain."""

    def __init__(self, devices: Mapping[str, Any], offload: Offload) -> None:
        self.devices = dict(devices)
        self.desk = Desk()
        self.told: list[Told] = []
        self.bugs: list[BaseException] = []
        self.unready = ""
        self.buffers = BufferPool(cluster_limits.HOST_BUFFER_BYTES)
        fragments = Fragments(self.devices, self.desk, self.buffers, offload)
        self.door = BlobDoor(
            fragments.handlers(),
            Membership(KEY, now_ms),
            lambda: self.unready,
            self.told.append,
            lambda what, error: self.bugs.append(error),
        )
        bounds = WireLimits()
        house = House(self.door, bounds, _SILENT, lambda: None, 100)
        raw = monkey.get_original("socket", "socket")()
        raw.bind(("127.0.0.1", 0))
        raw.listen(64)
        raw.setblocking(False)
        self.port = raw.getsockname()[1]
        prepared = {"REMOTE_ADDR": "", "zapfs.spans": True}
        self.listener = Listener(
            raw,
            lambda client, _: Session(house, Connection(client, bounds), prepared).run(),
            _SILENT,
            seats=100,
            siblings=False,
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def peer(self, key: bytes = KEY, clock_off_ms: int = 0) -> Peer:
        return Peer(self.address, Identity(key, "n1", lambda: now_ms() + clock_off_ms, time.monotonic))

    def close(self) -> None:
        self.listener.close()
        self.listener.cut()


def guarded_at(root: Path, **settings: object) -> GuardedDevice:
    """A device of the cluster, prepared and looked at."""
    device = device_at(root, **settings)
    made = marker.prepare(device, CLUSTER, "n1")
    guarded = GuardedDevice(made.device_id, device, (CLUSTER, "n1"), time.monotonic)
    guarded.look()
    return guarded


@contextmanager
def hosting(*roots: Path) -> Iterator[HostRoom]:
    """A host with a device in each directory."""
    offload = Offload(2)
    devices = [guarded_at(root) for root in roots]
    room = HostRoom({device.device_id: device for device in devices}, offload)
    try:
        yield room
    finally:
        room.close()
        for device in devices:
            device.close()
        offload.close()
