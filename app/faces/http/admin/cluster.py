"""The cluster: how it is, and changing its devices, profiles and healing. Knows paths and JSON only."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, Response

from app.core.errors import S3Error
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer, done, fields
from app.services.control.cluster_changes import Chosen, ClusterChanges
from app.services.control.cluster_status import ClusterStatus

_CLUSTER: Final = "/v1/cluster"
_PROFILE: Final[Mapping[str, type]] = {
    "copies": int,
    "data": int,
    "parity": int,
    "compression": str,
    "inline_bytes": int,
}
_HEALING: Final[Mapping[str, Mapping[str, type]]] = {
    "repair": {"rate": int, "paused": bool},
    "rebalance": {"rate": int, "paused": bool},
    "scrub": {"rate": int, "paused": bool, "days": int, "now": bool},
}


def add(face: Blueprint, gate: Gate, status: ClusterStatus, changes: ClusterChanges) -> None:
    """The routes."""
    _add_status(face, gate, status)

    @face.post(f"{_CLUSTER}/<any(add,drain,remove):change>")
    def change_devices(change: str) -> Response:
        chosen = _chosen(gate.admitted(), removing=change == "remove")
        acts: Mapping[str, Callable[[Chosen], Any]] = {
            "add": changes.add,
            "drain": changes.drain,
            "remove": changes.remove,
        }
        return answer(acts[change](chosen))

    @face.put(f"{_CLUSTER}/profiles/<storage_class>")
    def put_profile(storage_class: str) -> Response:
        changes.put_profile(storage_class, fields(gate.admitted(), **_PROFILE))
        return done()

    @face.post(f"{_CLUSTER}/<any(repair,rebalance,scrub):kind>")
    def set_healing(kind: str) -> Response:
        return answer({"kind": kind, **asdict(changes.heal(kind, fields(gate.admitted(), **_HEALING[kind])))})


def _add_status(face: Blueprint, gate: Gate, status: ClusterStatus) -> None:
    rooms: Mapping[str, Callable[[], Any]] = {
        "nodes": status.nodes,
        "devices": status.devices,
        "profiles": status.profiles,
    }

    @face.get(_CLUSTER)
    def cluster_status() -> Response:
        gate.admitted()
        return answer(status.summary())

    @face.get(f"{_CLUSTER}/<any(nodes,devices,profiles):what>")
    def list_of_cluster(what: str) -> Response:
        gate.admitted()
        return answer({what: rooms[what]()})

    @face.get(f"{_CLUSTER}/layout")
    def cluster_layout() -> Response:
        gate.admitted()
        return answer(status.layout())


def _chosen(content: bytes, *, removing: bool) -> Chosen:
    """{"devices": [numbers], "nodes": [names], "waiting": true}, and "lost": true where devices are removed."""
    kinds: dict[str, type] = {"devices": list, "nodes": list, "waiting": bool}
    found = fields(content, **kinds, **({"lost": bool} if removing else {}))
    for name, kind in (("devices", int), ("nodes", str)):
        if any(type(one) is not kind for one in found.get(name, ())):
            raise S3Error("InvalidArgument", f"{name} must be a list of {'numbers' if kind is int else 'texts'}.")
    return Chosen(
        tuple(found.get("devices", ())),
        tuple(found.get("nodes", ())),
        waiting=found.get("waiting", False),
        lost=found.get("lost", False),
    )
