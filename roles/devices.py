"""The devices of a file host: made ready before its processes start, opened in each of them.

Knows where the host remembers which device lies at which path, so that a directory whose disk is not mounted is never
taken for a new device. Must not know who asks the devices.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.adapters.chunks import disk, marker
from app.adapters.chunks.guarded import GuardedDevice
from app.adapters.chunks.peer import Identity
from app.adapters.suspects import FileSuspects
from app.config import Settings
from app.core import cluster_limits
from app.core.auth import cluster_secret
from app.core.errors import Conflict, StoreError, Unavailable
from roles import stores
from roles.data_dir import DataDir
from roles.running import Running, now_ms

KNOWN = "devices.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """`known`: device id by path. `down`: one line for each device the host starts without."""

    known: Mapping[str, str]
    down: tuple[str, ...]


def prepare_devices(settings: Settings, cluster_id: str = "") -> Prepared:
    """Recover and mark every device, before any process opens one. `cluster_id`: "" while this node knows none.

    A device that was here before and cannot be prepared is left out, and the others serve. Raises Conflict for one of
    another cluster, and what is wrong with one that was never used here; nothing stored is touched by either.
    """
    known = _known(settings)
    down = []
    prepared: dict[str, Path] = {}
    for device in stores.host_devices(settings):
        try:
            if marker.check(device, cluster_id) is None and str(device.root) in known:
                raise Unavailable(f"{device.root} is empty: device {known[str(device.root)]} is not there")
            device_id = marker.prepare(device, cluster_id, settings.node_id).device_id
            if device_id in prepared:
                raise Conflict(f"{prepared[device_id]} and {device.root} are the same device")
            prepared[device_id], known[str(device.root)] = device.root, device_id
        except Conflict:
            raise
        except (OSError, StoreError) as error:
            if str(device.root) not in known:
                raise
            down.append(str(error))
    _remember(settings, known)
    paths = [str(device.root) for device in stores.host_devices(settings)]
    return Prepared({path: known[path] for path in paths}, tuple(down))


def open_devices(running: Running, cluster_id: str) -> dict[str, GuardedDevice]:
    """The prepared devices by id, each opened as soon as it can be and looked at ever after. Waits for none."""
    settings = running.told.settings
    known = _known(settings)
    opened: dict[str, GuardedDevice] = {}
    for device in stores.host_devices(settings):
        found = None if str(device.root) in known else marker.read(device)
        device_id = known.get(str(device.root), "" if found is None else found.device_id)
        if not device_id:
            running.log.write("error", f"device {device.root} was never prepared")
            continue
        guarded = GuardedDevice(device_id, device, (cluster_id, settings.node_id), time.monotonic)
        running.every(f"device {device_id}", cluster_limits.DEVICE_LOOK_SECONDS, guarded.look).poke()
        running.at_end(guarded.close)
        opened[device_id] = guarded
    return opened


def identity(settings: Settings) -> Identity:
    """What this node's requests to file hosts prove themselves with."""
    key = cluster_secret.derive(settings.cluster_secret, cluster_secret.PURPOSE)
    return Identity(key, settings.node_id, now_ms, time.monotonic)


def suspects(settings: Settings) -> FileSuspects:
    """The desk of this node: its workers report there, its keeper takes from it."""
    return FileSuspects(DataDir(settings.data_dir).root / "suspects")


def _path(settings: Settings) -> Path:
    return DataDir(settings.data_dir).root / KNOWN


def _known(settings: Settings) -> dict[str, str]:
    try:
        found = json.loads(_path(settings).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Unavailable(f"{_path(settings)} cannot be read: {error}") from error
    return {str(path): str(device_id) for path, device_id in found.items()}


def _remember(settings: Settings, known: Mapping[str, str]) -> None:
    if known != _known(settings):
        disk.write_file(_path(settings), json.dumps(known, indent=1).encode())
