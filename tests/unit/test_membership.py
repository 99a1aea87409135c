"""Changing who the managers are: refused where it would harm, and finished by the same call wherever it was cut."""

import pytest

from app.adapters.cluster.machine import ControlMachine
from app.core.cluster.layout_commands import FoundCluster
from app.core.errors import Conflict, Missing, Unavailable
from app.core.layout.placement import GROUPS
from app.ports.cluster import ManagerSeat, ManagersStatus
from app.services.control.authority import Authority, Member
from app.services.control.membership import Membership
from tests.control_room import ENTRIES, OwnLog, no_halt


class Cut(Unavailable): ...


class Seats:
    """A leader's own use cases as the port, and a fault: after `steps` more steps of the log the caller is cut off.

    `done`: whether the step at which it is cut has happened; the caller does not know.
    """

    def __init__(self) -> None:
        self.book = ControlMachine(no_halt)
        self.log = OwnLog("m1", self.book)
        self._ids = 0
        self.authority = Authority(self.log, self.book, ENTRIES, self._new_id)
        self.authority.submit(FoundCluster("f", "ab" * 16, GROUPS))
        for number in (1, 2, 3):
            self.add_manager(seat(number))
        self.steps = -1
        self.done = False
        for name in ("propose", "add_member", "remove_member"):
            setattr(self.log, name, self._faulty(getattr(self.log, name)))

    def _new_id(self) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(16, "big")

    def _faulty(self, step):
        def call(*args):
            self.steps -= 1
            if self.steps == -1:
                if self.done:
                    step(*args)
                raise Cut("the line was cut")
            return step(*args)

        return call

    def managers(self) -> ManagersStatus:
        standing = self.authority.standing()
        seats = tuple(ManagerSeat(one.node_id, one.grpc_address, one.raft_address) for one in standing.members)
        return ManagersStatus("m1", standing.leader, standing.version, standing.term, standing.behind, seats, "")

    def add_manager(self, chosen: ManagerSeat) -> ManagersStatus:
        self.authority.add(Member(chosen.node_id, chosen.grpc_address, chosen.raft_address))
        return self.managers()

    def remove_manager(self, node_id: str) -> ManagersStatus:
        self.authority.remove(node_id)
        return self.managers()

    def sitting(self) -> tuple[set[str], set[str]]:
        """Who votes, and whom others look for."""
        return set(self.log.members), set(self.book.state().managers)


def seat(number: int) -> ManagerSeat:
    return ManagerSeat(f"m{number}", f"10.0.0.{number}:8050", f"10.0.0.{number}:8051")


CHANGES = {
    "add": (lambda made: made.add(seat(4)), {"m1", "m2", "m3", "m4"}),
    "remove": (lambda made: made.remove("m3"), {"m1", "m2"}),
    "replace": (lambda made: made.replace("m3", seat(4)), {"m1", "m2", "m4"}),
}


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("cut", range(5))
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_cut_short_at_any_step_is_finished_by_making_it_again(change, cut, done):
    act, wanted = CHANGES[change]
    seats = Seats()
    seats.steps, seats.done = cut, done
    membership = Membership(seats)
    try:
        act(membership)
    except Cut:
        voting, known = seats.sitting()
        assert voting >= wanted - {"m4"}  # at no point fewer vote than before and after
        assert known >= {"m1", "m2"}
        seats.steps = -1
        repeated(act, membership)
    assert seats.sitting() == (wanted, wanted)


def repeated(act, membership: Membership) -> None:
    """As an operator does; that there is no such manager any more says it was done."""
    try:
        act(membership)
    except Missing as error:
        assert "m3" in str(error)  # noqa: PT017 -- only a removal may find its manager gone


def test_a_manager_at_the_address_of_another_is_refused():
    membership = Membership(Seats())
    for chosen in (ManagerSeat("m9", "10.0.0.1:8050", "10.0.0.9:8051"), ManagerSeat("m9", "x:1", "10.0.0.2:8051")):
        with pytest.raises(Conflict, match="is at 10"):
            membership.add(chosen)


def test_a_manager_that_moved_is_added_under_its_own_name_again():
    membership, moved = Membership(Seats()), ManagerSeat("m2", "10.0.9.2:8050", "10.0.9.2:8051")
    assert moved in membership.add(moved).seats


def test_nobody_unknown_is_removed_and_nobody_replaces_himself():
    membership = Membership(Seats())
    with pytest.raises(Missing, match="no manager m9"):
        membership.remove("m9")
    with pytest.raises(Missing, match="no manager m8"):
        membership.replace("m8", seat(9))
    with pytest.raises(Conflict, match="name of its own"):
        membership.replace("m1", seat(1))


def test_the_last_manager_stays_where_it_is():
    membership = Membership(Seats())
    membership.remove("m3")
    membership.remove("m2")
    with pytest.raises(Conflict, match="last manager"):
        membership.remove("m1")
