"""Opening a device: the index is trusted, or rebuilt from the segments.

Knows when an index can be trusted: it is never synced while in use, so only under the boot it was written in, or after
a clean end. Must not know readers or writers.

A device directory holds `device.json` (marker: format, uuid), `segments/`, `index/`, `state` (the boot the index
belongs to, or "clean") and `lock`, shared by every open store and owned by a recovery.
"""

import fcntl
import json
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from app.adapters.chunks import adopt, disk, scan
from app.adapters.chunks.disk import Device
from app.adapters.chunks.index import Index
from app.adapters.chunks.record import FORMAT, SegmentHead
from app.adapters.chunks.scan import Contents, Damage
from app.adapters.chunks.segment import read_end, read_head
from app.core.errors import Corrupt, StoreError, Unavailable
from app.core.limits import RESCAN_FINDINGS_MAX

_CLEAN = "clean"


@dataclass(slots=True)
class Recovery:
    """What a recovery found and did. `torn`: records of an unacknowledged last batch; `damage`: unreadable regions,
    of which at most RESCAN_FINDINGS_MAX are listed."""

    rebuilt: bool = False
    sealed: int = 0
    torn: int = 0
    damage: list[Damage] = field(default_factory=list)

    def add(self, contents: Contents) -> None:
        """Count one segment's findings."""
        self.torn += len(contents.torn)
        self.damage += contents.damage[: RESCAN_FINDINGS_MAX - len(self.damage)]


def recover(device: Device | Path) -> Recovery:
    """Make a device ready: once, before any store is opened on it. Creates it when it is not there.

    Afterwards every blob whose put returned is in the index, none that was deleted is, and no segment is unsealed.
    Costs nothing after a clean end; rebuilding reads one head per record. Raises Unavailable when another process uses
    the device, Corrupt when the directory is something else.
    """
    device = device if isinstance(device, Device) else Device(device)
    try:
        _make(device)
        lock = os.open(device.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not disk.own_file(lock):
                raise Unavailable(f"another process uses {device.root}")
            return _recover(device)
        finally:
            os.close(lock)
    except OSError as error:
        raise disk.store_error(error, f"recovering {device.root}") from error


def enter(device: Device) -> int:
    """Join a recovered device; the descriptor of its shared lock, for `leave`. Raises Unavailable: recover first."""
    try:
        lock = os.open(device.root / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(f"{device.root} needs a recovery: it has never been opened") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        state = _state(device)
        if state not in (_CLEAN, device.boot()) or not (device.index / "data.mdb").exists():
            raise Unavailable(f"{device.root} needs a recovery: its index is not of this boot")
        if state == _CLEAN:
            disk.write_file(device.root / "state", device.boot().encode())
    except (OSError, StoreError) as error:
        os.close(lock)
        if isinstance(error, OSError):
            raise disk.store_error(error, f"joining {device.root}") from error
        raise
    return lock


def leave(device: Device, index: Index, lock: int) -> None:
    """Close the index and let go of the device. The last one to leave makes the index durable and says so. Raises Full
    and Unavailable where it cannot: then the next start recovers."""
    try:
        if disk.own_file(lock):
            index.sync()
            index.close()
            disk.write_file(device.root / "state", _CLEAN.encode())
        else:
            index.close()
    except OSError as error:
        raise disk.store_error(error, f"leaving {device.root}, which the next start recovers") from error
    finally:
        os.close(lock)


def _recover(device: Device) -> Recovery:
    report = Recovery()
    index = _trusted_index(device)
    if index is None:
        report.rebuilt = True
        index = _rebuild(device, report)
    try:
        for segment_id in device.ids(disk.UNBORN):
            os.unlink(device.path(segment_id, disk.UNBORN))
        for segment_id in device.ids(disk.UNFINISHED):
            adopt.finish_merge(device, index, segment_id)
        for segment_id in device.ids():
            contents = adopt.adopt(device, index, segment_id)
            if contents is not None:
                report.add(contents)
                report.sealed += 1
        index.sync()
    finally:
        index.close()
    disk.write_file(device.root / "state", device.boot().encode())
    return report


def _trusted_index(device: Device) -> Index | None:
    """The present index when it can be believed."""
    if _state(device) not in (_CLEAN, device.boot()) or not (device.index / "data.mdb").exists():
        return None
    disk.write_file(device.root / "state", device.boot().encode())
    try:
        index = Index(device.index, wary=True)
    except Unavailable:
        return None
    try:
        if index.complete:
            return index
    except Unavailable:
        pass  # garbled: it is rebuilt
    index.close()
    return None


def _rebuild(device: Device, report: Recovery) -> Index:
    """A new index from what the sealed segments hold; unsealed ones follow by adoption."""
    (device.root / "state").unlink(missing_ok=True)
    disk.sync_directory(device.root)
    shutil.rmtree(device.index, ignore_errors=True)
    device.index.mkdir(mode=0o700)
    for segment_id in device.ids(disk.UNFINISHED):  # whole or not, its sources are complete
        os.unlink(device.path(segment_id, disk.UNFINISHED))
    heads = {segment_id: _head(device, segment_id) for segment_id in device.ids()}
    for head in heads.values():
        if head is not None and head.replaces:
            adopt.drop_replaced(device, head)
    index = Index(device.index)
    for segment_id in device.ids():
        _publish_sealed(device, index, heads[segment_id], segment_id, report)
    index.declare_complete()
    return index


def _publish_sealed(device: Device, index: Index, head: SegmentHead | None, segment_id: int, report: Recovery) -> None:
    if head is None:
        return
    fd = os.open(device.path(segment_id), os.O_RDWR | os.O_CLOEXEC)
    try:
        end = read_end(fd, head)
        if end is not None:
            contents = scan.sealed_contents(fd, head, end)
            adopt.publish(device, index, fd, head, contents)
            report.add(contents)
    finally:
        os.close(fd)


def _head(device: Device, segment_id: int) -> SegmentHead | None:
    fd = os.open(device.path(segment_id), os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = read_head(fd)
    finally:
        os.close(fd)
    return head if head is not None and head.segment_id == segment_id else None


def _state(device: Device) -> str:
    try:
        return (device.root / "state").read_text().strip()
    except FileNotFoundError:
        return ""


def _make(device: Device) -> None:
    """The directory and its marker. Raises Corrupt when it is of another make."""
    marker = device.root / "device.json"
    for directory in (device.root, device.segments, device.index):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not marker.exists():
        if any(device.segments.iterdir()):
            raise Corrupt(f"{device.root} has segments and no marker")
        identity = str(uuid.UUID(bytes=device.entropy(16), version=4))
        disk.write_file(marker, json.dumps({"format": FORMAT, "uuid": identity}).encode())
        disk.sync_directory(device.root.parent)
    try:
        found = json.loads(marker.read_bytes())["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{marker} is damaged") from error
    if found != FORMAT:
        raise Corrupt(f"{device.root} has format {found}, this program knows {FORMAT}")
