"""Whose a device directory is: the marker `device.json`, made at first use, bound to one cluster for good.

Knows the marker's form. Must not know segments. Functions block.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.adapters.chunks import disk
from app.adapters.chunks.disk import Device
from app.adapters.chunks.recovery import recover
from app.core.errors import Conflict, Corrupt

MARKER = "device.json"


@dataclass(frozen=True, slots=True)
class Marker:
    """`device_id`: 32 hex digits. `cluster_id`: "" until the device is claimed. `node_id`: where it was last used."""

    device_id: str
    cluster_id: str
    node_id: str


def read(device: Device) -> Marker | None:
    """The marker, None where there is none. Raises Corrupt, OSError."""
    try:
        found = json.loads((device.root / MARKER).read_bytes())
        return Marker(UUID(found["uuid"]).hex, str(found.get("cluster_id", "")), str(found.get("node_id", "")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt(f"{device.root / MARKER} is damaged") from error


def check(device: Device, cluster_id: str) -> Marker | None:
    """The marker of a device this cluster may use, None of a directory that is no device yet. Changes nothing.

    Raises Conflict when it is another cluster's, or holds what a single machine stored.
    """
    found = read(device)
    if found is None:
        return None
    if found.cluster_id and cluster_id and found.cluster_id != cluster_id:
        raise Conflict(f"{device.root} belongs to cluster {found.cluster_id}, this node to {cluster_id}")
    if not found.cluster_id and any(device.segments.glob("*" + disk.SEGMENT)):
        raise Conflict(f"{device.root} holds the chunks of a single machine, and no cluster's")
    return found


def prepare(device: Device, cluster_id: str, node_id: str) -> Marker:
    """Make a device ready for use: recovered, its marker there, and claimed once the cluster is known ("": not yet).

    To be called before the processes that use the device. Raises Conflict (nothing was touched), Corrupt, Unavailable.
    """
    check(device, cluster_id)
    recover(device)
    return claim(device, cluster_id, node_id)


def claim(device: Device, cluster_id: str, node_id: str) -> Marker:
    """Bind a device to the cluster, durably; one that is bound already keeps its marker, but for the node it is on.

    Safe from several processes at once: all write the same. Raises Conflict, Corrupt, OSError.
    """
    found = check(device, cluster_id)
    if found is None:
        raise Corrupt(f"{device.root} has no marker")
    wanted = Marker(found.device_id, cluster_id or found.cluster_id, node_id)
    if cluster_id and wanted != found:
        path = device.root / MARKER
        plain: dict[str, Any] = json.loads(path.read_bytes())
        disk.write_file(path, json.dumps(plain | {"cluster_id": cluster_id, "node_id": node_id}).encode())
    return wanted
