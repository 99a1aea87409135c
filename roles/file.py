"""Builds a blob worker of a file host: the internal routes over this host's devices, in one process of many.

Knows which bricks stand behind the routes. Speaks to no manager: the keeper of the node writes down what they say.
Of that it uses two things: that there is a cluster, and which of its devices are no part of it any more.
"""

from collections.abc import Callable

from app.adapters.cluster.local import Follower
from app.core import cluster_limits, limits
from app.core.errors import Missing
from app.core.layout.placement import OUT
from app.faces.http.internal.asking import Membership
from app.faces.http.internal.door import BlobDoor, Told
from app.faces.http.internal.fragments import Fragments
from app.ports.hosting import HostedDevice
from app.runtime.buffers import BufferPool
from app.runtime.telemetry import metrics
from roles import devices
from roles.data_dir import DataDir
from roles.handover import Handover
from roles.running import Application, Running


def build(told: Handover) -> Application:
    """The application of this process; it answers 503 until the keeper knows the cluster."""
    running = Running(told, limits.OFFLOAD_THREADS)
    settings = told.settings
    opened: dict[str, HostedDevice] = {}
    joined = _Joining(running, lambda cluster_id: opened.update(devices.open_devices(running, cluster_id)))
    joined.turn()
    running.every("cluster", limits.CLUSTER_POLL_SECONDS, joined.turn)
    me = devices.identity(settings)
    buffers = BufferPool(cluster_limits.HOST_BUFFER_BYTES)
    fragments = Fragments(opened, devices.suspects(settings), buffers, running.offload, joined.is_out)
    door = BlobDoor(
        fragments.handlers(), Membership(me.key, me.now_ms), joined.unready, _observer(running), _reporter(running)
    )
    return Application(door, running)


class _Joining:
    """Waits for the state the keeper writes, begins once it names the cluster, and follows it from then on."""

    def __init__(self, running: Running, begin: Callable[[str], object]) -> None:
        self._running = running
        self._begin = begin
        self._follower: Follower | None = None

    def turn(self) -> None:
        """Look for the state while there was none, then for a newer one. Raises StoreError."""
        if self._follower is not None:
            self._follower.refresh()
            return
        try:
            follower = Follower(DataDir(self._running.told.settings.data_dir).cluster, self._running.offload.call)
        except Missing:
            return
        cluster_id = follower.state().cluster_id
        if cluster_id:
            self._follower = follower
            self._begin(cluster_id)

    def is_out(self, device_id: str) -> bool:
        """Whether a device is lost or removed, as far as this node heard: nobody would look for what it took now.

        Before there is a layout every device may be one of its first."""
        if self._follower is None:
            return False
        placement = self._follower.state().placement
        state = next((one.state for one in placement.devices.values() if one.device_id == device_id), OUT)
        return state == OUT and bool(placement.current.epoch)

    def unready(self) -> str:
        """Why this host cannot serve yet, "" when it can."""
        return "" if self._follower is not None else "this host has not heard of its cluster yet"


def _observer(running: Running) -> Callable[[Told], None]:
    wanted = running.log.wants("debug")

    def observe(told: Told) -> None:
        metrics.request(f"blob {told.what}", told.status, told.bytes_in, told.bytes_out, told.seconds, {})
        if wanted or (told.line and told.status not in (404, 409)):
            running.log.write(
                "warning" if told.line else "debug",
                "blob request refused" if told.line else "blob request",
                operation=told.what,
                status=told.status,
                reason=told.line,
                bytes_in=told.bytes_in,
                bytes_out=told.bytes_out,
                seconds=round(told.seconds, 6),
            )

    return observe


def _reporter(running: Running) -> Callable[[str, BaseException], None]:
    return lambda what, error: running.log.failure("blob request failed", error, operation=what)
