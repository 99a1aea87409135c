"""Who the managers are, as an operator changes it: one at a time, each step safe to repeat.

Knows the order of steps. Must not know how votes are counted. Adding before removing keeps every majority of the
managers before in touch with every majority of those after, at each point a crash may leave things at.
"""

from app.core.errors import Conflict, Missing
from app.ports.cluster import ManagerSeat, ManagerSeats, ManagersStatus


class Membership:
    """The use cases."""

    def __init__(self, seats: ManagerSeats) -> None:
        self._seats = seats

    def status(self) -> ManagersStatus:
        """See ports.cluster."""
        return self._seats.managers()

    def add(self, seat: ManagerSeat) -> ManagersStatus:
        """Conflict when a manager of another name is at one of its addresses; Unavailable."""
        for other in self._seats.managers().seats:
            taken = {other.grpc_address, other.raft_address} & {seat.grpc_address, seat.raft_address}
            if other.node_id != seat.node_id and taken:
                raise Conflict(f"{other.node_id} is at {taken.pop()}")
        return self._seats.add_manager(seat)

    def remove(self, node_id: str) -> ManagersStatus:
        """Missing when there is none of that name, Conflict for the last one, Unavailable."""
        names = {seat.node_id for seat in self._seats.managers().seats}
        if node_id not in names:
            raise Missing(f"there is no manager {node_id}")
        if names == {node_id}:
            raise Conflict(f"{node_id} is the last manager")
        return self._seats.remove_manager(node_id)

    def replace(self, node_id: str, seat: ManagerSeat) -> ManagersStatus:
        """Add one, then remove the other. What was cut short after the first step is finished by the same call."""
        if node_id == seat.node_id:
            raise Conflict("the new manager needs a name of its own: a name never votes twice")
        names = {one.node_id for one in self._seats.managers().seats}
        if not names & {node_id, seat.node_id}:
            raise Missing(f"there is no manager {node_id}")
        status = self.add(seat)
        return self.remove(node_id) if node_id in {one.node_id for one in status.seats} else status
