"""What the chunk store's tests share: a device in a directory, a store on it, names and payloads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.adapters.chunks.disk import Device
from app.adapters.chunks.recovery import Recovery, recover
from app.adapters.chunks.store import SegmentStore
from app.core.errors import Missing
from app.core.limits import MIB
from app.ports.chunks import BlobName
from app.runtime.offload import Offload


def name_of(number: int) -> BlobName:
    """A name that tells its number."""
    blob = number.to_bytes(16, "big")
    return BlobName(blob, blob + blob, blob)


def payload_of(number: int, length: int) -> bytes:
    """Bytes that differ for every number and at every place."""
    unit = b"%16d" % number
    return b"".join(unit + b"%16d" % at for at in range(length // 32 + 1))[:length]


def device_at(root: Path, **settings: object) -> Device:
    """A device with little appetite for space."""
    return Device(root, **{"reserve_bytes": 0, "step_bytes": MIB, **settings})  # type: ignore[arg-type]


@contextmanager
def opened(device: Device, *, recovering: bool = True) -> Iterator[SegmentStore]:
    """A store that is closed cleanly at the end."""
    if recovering:
        recover(device)
    offload = Offload(4)
    store = SegmentStore(device, offload)
    try:
        yield store
    finally:
        store.close()
        offload.close()


def recovered_blobs(device: Device) -> tuple[Recovery, dict[bytes, bytes]]:
    """Recover a device, then every blob it knows, read and verified. Those whose deletion was cut off are missing."""
    report = recover(device)
    blobs = {}
    with opened(device, recovering=False) as store:
        for name in store.names():
            with suppress(Missing):
                blobs[name.blob_id] = read_all(store, name.blob_id)
    return report, blobs


def read_all(store: SegmentStore, blob_id: bytes) -> bytes:
    """A blob's bytes."""
    with store.open(blob_id) as reader:
        return bytes(reader.read(0, reader.length))


def segment_files(device: Device) -> list[Path]:
    """The segment files by age."""
    return sorted(device.segments.iterdir(), key=lambda path: path.stat().st_mtime_ns)


def flip(path: Path, offset: int, mask: int = 1) -> None:
    """Change bits of one byte of a file."""
    with path.open("r+b", buffering=0) as file:
        byte = os.pread(file.fileno(), 1, offset)
        os.pwrite(file.fileno(), bytes([byte[0] ^ mask]), offset)
