"""The managers of a cluster: who they are, and changing that one at a time. Knows paths and shapes only. Of the
operator's account only."""

from typing import Final

from pydantic import Field

from app.faces.http.admin.endpoints import SYSTEM, Asked, Endpoint, Shape
from app.ports.cluster import ManagerSeat, ManagersStatus
from app.services.control.membership import Membership

_NODE: Final = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"  # the forms a manager's own settings take
_ADDRESS: Final = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252}):[1-9][0-9]{0,4}$"


class SeatShape(Shape):
    """A manager, as the others reach it."""

    node_id: str = Field(pattern=_NODE)
    grpc_address: str = Field(pattern=_ADDRESS)
    raft_address: str = Field(pattern=_ADDRESS)


class ReplacementShape(SeatShape):
    """A manager that takes the place of another."""

    replaced: str = Field(min_length=1)


class NodeShape(Shape):
    """One manager, by its name."""

    node_id: str


class ManagerShape(Shape):
    """A manager. An address is "" while a change was cut short."""

    node_id: str
    grpc_address: str
    raft_address: str
    leader: bool


class ManagersShape(Shape):
    """All of them, as one of them (`told_by`) sees it."""

    managers: list[ManagerShape]
    leader: str
    term: int
    told_by: str


def endpoints(membership: Membership) -> list[Endpoint]:
    """Served by managers. A change that was cut short is made again."""

    def listed(_: Asked) -> ManagersShape:
        return _shown(membership.status())

    def add(asked: Asked) -> ManagersShape:
        return _shown(membership.add(ManagerSeat(**asked.body.model_dump())))

    def remove(asked: Asked) -> ManagersShape:
        return _shown(membership.remove(asked.body.node_id))

    def replace(asked: Asked) -> ManagersShape:
        seat = asked.body.model_dump()
        return _shown(membership.replace(seat.pop("replaced"), ManagerSeat(**seat)))

    rows = (
        ("GET", "", "ListManagers", "Every manager.", listed, None),
        ("POST", "/add", "AddManager", "Let one more manager vote.", add, SeatShape),
        ("POST", "/remove", "RemoveManager", "Take a manager's vote.", remove, NodeShape),
        ("POST", "/replace", "ReplaceManager", "Add one, then remove the other.", replace, ReplacementShape),
    )
    return [
        Endpoint(method, f"/cluster/managers{path}", action, text, answers, SYSTEM, body=body, returned=ManagersShape)
        for method, path, action, text, answers, body in rows
    ]


def _shown(status: ManagersStatus) -> ManagersShape:
    managers = [
        ManagerShape(
            node_id=seat.node_id,
            grpc_address=seat.grpc_address,
            raft_address=seat.raft_address,
            leader=seat.node_id == status.leader,
        )
        for seat in status.seats
    ]
    return ManagersShape(managers=managers, leader=status.leader, term=status.term, told_by=status.told_by)
