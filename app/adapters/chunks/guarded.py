"""One device of a file host, kept apart from the others: it may hang, fail or be gone, and only its own calls notice.

Knows errors and time. Must not know placement or HTTP. A device has native threads of its own, every call ends within
DEVICE_CALL_SECONDS_MAX, and after DEVICE_ERRORS_MAX errors within DEVICE_ERRORS_SECONDS it is not asked for a while.
Who makes it has `look` called every DEVICE_LOOK_SECONDS: it opens the device, sees that it is still there, and lifts a
rest.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gevent
from gevent.lock import BoundedSemaphore

from app.adapters.chunks import disk, marker, recovery
from app.adapters.chunks.disk import Device
from app.adapters.chunks.readers import SegmentReader
from app.adapters.chunks.segment_device import SegmentDevice
from app.adapters.chunks.store import SegmentStore
from app.core import cluster_limits
from app.core.errors import StoreError, Unavailable
from app.core.types import BlobId, FileSpan
from app.ports.chunks import BlobName, ChunkStoreStats
from app.ports.hosting import DOWN, FAILING, UP, DeviceHealth, Hung
from app.runtime.offload import Offload

T = TypeVar("T")


class GuardedDevice:
    """app.ports.hosting.HostedDevice on a directory. Down until the first `look` has opened it.

    `owner`: (cluster id, node id) the device is claimed for. `clock`: monotonic seconds.
    """

    def __init__(self, device_id: str, device: Device, owner: tuple[str, str], clock: Callable[[], float]) -> None:
        self.device_id = device_id
        self.root = device.root
        self._device = device
        self._owner = owner
        self._clock = clock
        self._offload = Offload(cluster_limits.DEVICE_THREADS)
        self._opened: SegmentDevice | None = None
        self._identity: tuple[int, int] = (0, 0)
        self._health = DeviceHealth(DOWN, 0, "it was not opened yet")
        self._rest_until = 0.0
        self._lately: deque[float] = deque(maxlen=cluster_limits.DEVICE_ERRORS_MAX)
        self._hung: set[gevent.Greenlet] = set()
        self._looking = BoundedSemaphore(1)
        self._counting: gevent.Greenlet | None = None
        self._counted: ChunkStoreStats | None = None

    def put(self, name: BlobName, data: memoryview) -> None:
        """See DeviceStore. After Hung `data` is in use still."""
        self._ask(lambda device: device.put(name, data))

    def open(self, blob_id: BlobId, length: int = 0) -> "GuardedReader":
        """See DeviceStore; asks at once."""
        return GuardedReader(self, self._ask(lambda device: device.open(blob_id, length)))

    def whole(self, fragment_id: BlobId) -> memoryview:
        """See DeviceStore."""
        return self._ask(lambda device: device.whole(fragment_id))

    def delete_many(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        """See DeviceStore."""
        return self._ask(lambda device: device.delete_many(fragment_ids))

    def held(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        """See DeviceStore."""
        return self._ask(lambda device: device.held(fragment_ids))

    def page(self, first: bytes, end: bytes | None, after: BlobId, limit: int) -> list[BlobName]:
        """See DeviceStore."""
        return self._ask(lambda device: device.page(first, end, after, limit))

    def verify(self, fragment_id: BlobId) -> int:
        """See DeviceStore."""
        return self._ask(lambda device: device.verify(fragment_id))

    def maintain(self) -> int:
        """One step of upkeep; bytes given back. For one process of the host, now and then.

        It may copy a lot and takes the time it needs: upkeep that is slow says nothing against the device.
        """
        result, error = _outcome(self._up().maintain)
        return int(self._settled(result, error))

    def stats(self) -> ChunkStoreStats:
        """See DeviceStore. Counting waits for a step of upkeep under way, its caller does not: what was counted last
        is told then. Unavailable when nothing was."""
        opened = self._up()
        if self._counting is None:
            self._counting = gevent.spawn(_outcome, opened.stats)
        counting = self._counting
        counting.join(cluster_limits.DEVICE_STATS_SECONDS_MAX)
        if counting.ready():
            self._counting = None
            self._counted = self._settled(*counting.value)
        if self._counted is None:
            raise Unavailable(f"device {self.device_id} is still counting")
        return self._counted

    def health(self) -> DeviceHealth:
        """See HostedDevice."""
        return self._health

    def look(self) -> None:
        """See that the device is there and the one it was; open it where it is not open; end a rest that is over.

        Raises nothing: what it finds is in `health`. A device is not looked at while calls of it hang.
        """
        if self._hung or self._clock() < self._rest_until or not self._looking.acquire(blocking=False):
            return
        try:
            self.bounded(self._look)
        except (OSError, StoreError) as error:
            self._down(DOWN, str(error))
        else:
            self._lately.clear()
            self._health = DeviceHealth(UP, self._health.errors)
        finally:
            self._looking.release()

    def close(self) -> None:
        """Leave the device, sealed, unless it hangs or is not the one that was opened: then it is left as it lies."""
        opened, self._opened = self._opened, None
        if self._hung:
            return
        try:
            if (
                opened is not None
                and self.bounded(lambda: self._offload.call(_identity, self._device)) == self._identity
            ):
                self.bounded(opened.close)
        except (OSError, StoreError) as error:
            self._down(DOWN, str(error))
        if not self._hung:
            self._offload.close()

    def bounded(self, work: Callable[[], T]) -> T:
        """Do something with the device in bounded time, its errors counted. Raises Hung and what it raises."""
        greenlet = gevent.spawn(_outcome, work)
        try:
            greenlet.join(cluster_limits.DEVICE_CALL_SECONDS_MAX)
        except BaseException:
            greenlet.join(cluster_limits.DEVICE_CALL_SECONDS_MAX)  # native threads may be reading the caller's buffer
            raise
        if not greenlet.ready():
            self._hung.add(greenlet)
            greenlet.link(self._hung.discard)
            self._down(DOWN, f"a call did not end within {cluster_limits.DEVICE_CALL_SECONDS_MAX:g} s")
            raise Hung(f"device {self.device_id}: {self._health.why}", lambda then: greenlet.link(lambda _: then()))
        answer: T = self._settled(*greenlet.value)
        return answer

    def _ask(self, work: Callable[[SegmentDevice], T]) -> T:
        opened = self._up()
        return self.bounded(lambda: work(opened))

    def _up(self) -> SegmentDevice:
        """What is opened. Raises Unavailable while it is not to be asked."""
        if self._health.status != UP or self._opened is None:
            raise Unavailable(f"device {self.device_id} is {self._health.status}: {self._health.why}")
        return self._opened

    def _settled(self, result: Any, error: BaseException | None) -> Any:
        """What a call gave; its error counted and raised."""
        if error is not None:
            self._count(error)
            raise error
        return result

    def _look(self) -> None:
        """Raises OSError, StoreError."""
        found = self._offload.call(marker.check, self._device, self._owner[0])
        if found is None or found.device_id != self.device_id:
            raise Unavailable(
                f"{self._device.root} is not the device it was: {'another' if found else 'none'} is there"
            )
        if self._opened is not None:
            if self._same():
                return
            self._opened = None  # mounted anew: the old files are left as they lie, their clean end belongs to no one
        self._offload.call(marker.claim, self._device, *self._owner)
        self._opened = SegmentDevice(self.device_id, self._store())
        self._identity = self._offload.call(_identity, self._device)

    def _same(self) -> bool:
        """Whether what was opened lies at the path still. Raises Unavailable."""
        return self._offload.call(_identity, self._device) == self._identity

    def _store(self) -> SegmentStore:
        try:
            return SegmentStore(self._device, self._offload)
        except Unavailable:
            # It was away while the host started. Whoever else uses it meanwhile keeps a recovery from beginning.
            self._offload.call(recovery.recover, self._device)
            return SegmentStore(self._device, self._offload)

    def _count(self, error: BaseException) -> None:
        if not isinstance(error, Unavailable | OSError):
            return
        self._health = DeviceHealth(self._health.status, self._health.errors + 1, self._health.why)
        self._lately.append(self._clock())
        full = len(self._lately) == cluster_limits.DEVICE_ERRORS_MAX
        if full and self._lately[-1] - self._lately[0] <= cluster_limits.DEVICE_ERRORS_SECONDS:
            self._down(FAILING, str(error))

    def _down(self, status: str, why: str) -> None:
        self._health = DeviceHealth(status, self._health.errors, why)
        self._rest_until = self._clock() + cluster_limits.DEVICE_REST_SECONDS


class GuardedReader:
    """app.ports.hosting.HostedReader whose reads are bounded in time."""

    __slots__ = ("_device", "_reader", "length")

    def __init__(self, device: GuardedDevice, reader: SegmentReader) -> None:
        self._device = device
        self._reader = reader
        self.length = reader.length

    def read(self, offset: int, length: int) -> memoryview:
        """See ChunkReader."""
        return self._device.bounded(lambda: self._reader.read(offset, length))

    def span(self, offset: int, length: int) -> FileSpan | None:
        """See ChunkReader."""
        return self._device.bounded(lambda: self._reader.span(offset, length))

    def checksums(self, offset: int, length: int) -> bytes:
        """See HostedReader."""
        return self._reader.checksums(offset, length)

    def close(self) -> None:
        """See ChunkReader."""
        self._reader.close()

    def __enter__(self) -> "GuardedReader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _outcome(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is raised again in the greenlet that waits
        return None, error


def _identity(device: Device) -> tuple[int, int]:
    """Which file system and directory lie at the device's path now. Raises Unavailable."""
    try:
        found = device.segments.stat()
    except OSError as error:
        raise disk.store_error(error, f"looking at {device.root}") from error
    return found.st_dev, found.st_ino
