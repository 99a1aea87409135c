"""The managers of a cluster: who they are, and changing that one at a time. Knows paths and JSON only."""

import re
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response

from app.core.errors import S3Error
from app.faces.http.admin.gate import Gate
from app.faces.http.admin.json_wire import answer, fields, needed
from app.ports.cluster import ManagerSeat, ManagersStatus
from app.services.control.membership import Membership

_MANAGERS: Final = "/v1/cluster/managers"
_SEAT: Final = {"node_id": str, "grpc_address": str, "raft_address": str}
_ADDRESS: Final = r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252}):[1-9][0-9]{0,4}"
_FORMS: Final[Mapping[str, str]] = {  # those a manager's own settings take
    "node_id": r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?",
    "grpc_address": _ADDRESS,
    "raft_address": _ADDRESS,
}


def add(face: Blueprint, gate: Gate, membership: Membership) -> None:
    """The routes."""

    @face.get(_MANAGERS)
    def list_managers() -> Response:
        gate.admitted()
        return answer(_shown(membership.status()))

    @face.post(f"{_MANAGERS}/add")
    def add_manager() -> Response:
        return answer(_shown(membership.add(_seat(fields(gate.admitted(), **_SEAT)))))

    @face.post(f"{_MANAGERS}/remove")
    def remove_manager() -> Response:
        return answer(_shown(membership.remove(needed(gate.admitted(), "node_id", str))))

    @face.post(f"{_MANAGERS}/replace")
    def replace_manager() -> Response:
        chosen = fields(gate.admitted(), replaced=str, **_SEAT)
        replaced = chosen.pop("replaced", "")
        if not replaced:
            raise S3Error("InvalidArgument", "replaced is missing.")
        return answer(_shown(membership.replace(replaced, _seat(chosen))))


def _seat(chosen: dict[str, str]) -> ManagerSeat:
    missing = sorted(name for name in _SEAT if not chosen.get(name))
    if missing:
        raise S3Error("InvalidArgument", f"{missing[0]} is missing.")
    wrong = sorted(name for name in _SEAT if not re.fullmatch(_FORMS[name], chosen[name]))
    if wrong:
        raise S3Error("InvalidArgument", f"{wrong[0]} has not the form of one.")
    return ManagerSeat(**chosen)


def _shown(status: ManagersStatus) -> dict[str, Any]:
    managers = [
        {
            "node_id": seat.node_id,
            "grpc_address": seat.grpc_address,
            "raft_address": seat.raft_address,
            "leader": seat.node_id == status.leader,
        }
        for seat in status.seats
    ]
    return {"managers": managers, "leader": status.leader, "term": status.term, "told_by": status.told_by}
