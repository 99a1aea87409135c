"""The leader's memory of heartbeats, and what becomes of the devices of a node that is silent."""

from dataclasses import replace

import pytest

from app.core.cluster import ClusterState, Outcome, apply
from app.core.cluster.layout_commands import FoundCluster, RegisterNode, SetDeviceState
from app.core.cluster_limits import CONTROL_NODES_MAX, HEARTBEAT_SECONDS_MAX
from app.core.errors import Conflict, Corrupt, Full, Unavailable
from app.core.layout.placement import DRAINING, IN, OUT, WAITING
from app.core.layout.reports import DeviceReport, LedgerReport, NodeReport, WorkReport
from app.services.control.heartbeats import Heartbeats
from app.services.control.silence import Silence


class Room:
    """A founded cluster of two file hosts, a leader's memory and a clock set by hand."""

    def __init__(self, out_after_s: int = 60) -> None:
        self.now = 1_000.0
        self.reachable = True
        self.state = ClusterState()
        self._number = 0
        self.heartbeats = Heartbeats(lambda: int(self.now * 1000), lambda: self.now)
        self.silence = Silence(self.heartbeats, lambda: self.state.placement, self.submit, self._new_id, out_after_s)
        self.submit(FoundCluster("found", "ab" * 16, 16))
        for number in (1, 2):
            devices = {f"{number:032x}": 2**40, f"{number + 16:032x}": 2**40}
            self.submit(RegisterNode(f"r{number}", f"file-{number}", f"127.0.0.1:{number}", "default", devices, 1))
        self.submit(SetDeviceState("in", tuple(self.state.placement.devices), IN))

    def submit(self, command) -> Outcome:
        if not self.reachable:
            raise Unavailable("no majority")
        self.state, outcome = apply(self.state, command)
        assert not outcome.error, outcome
        return outcome

    def _new_id(self) -> bytes:
        self._number += 1
        return self._number.to_bytes(16, "big")

    def beat(self, *node_ids: str) -> None:
        for node_id in node_ids:
            self.heartbeats.beat(NodeReport(node_id, "file", 0))

    def states(self, node_id: str) -> set[str]:
        return {one.state for one in self.state.placement.devices.values() if one.node_id == node_id}

    def later(self, seconds: float, *beating: str) -> list[str]:
        lines = []
        for _ in range(int(seconds)):
            self.now += 1
            self.beat(*beating)
            lines += self.silence.step(leads=True)
        return lines


@pytest.fixture
def room() -> Room:
    made = Room()
    made.silence.step(leads=True)
    return made


def test_a_node_is_up_while_its_heartbeats_come_and_down_after(room):
    room.beat("file-1")
    assert [(one.node_id, one.up, one.seen_ms) for one in room.heartbeats.health()] == [("file-1", True, 1_000_000)]
    room.now += HEARTBEAT_SECONDS_MAX + 0.1
    assert [(one.node_id, one.up) for one in room.heartbeats.health()] == [("file-1", False)]


def test_a_clock_that_steps_makes_nobody_silent():
    wall = [5_000]
    heartbeats = Heartbeats(lambda: wall[0], lambda: 1.0)
    heartbeats.beat(NodeReport("file-1", "file", 0))
    wall[0] += 10**9
    assert heartbeats.health()[0].up
    assert heartbeats.silent_s("file-1") == 0


def test_devices_of_a_silent_node_go_out_and_come_in_again_with_it(room):
    assert room.later(59, "file-1") == []
    (line,) = room.later(2, "file-1")
    assert line.startswith("file-2 has been silent for 60 s")
    assert (room.states("file-1"), room.states("file-2")) == ({IN}, {OUT})
    assert room.later(1, "file-1", "file-2") == ["file-2 is back: its devices are in again"]
    assert room.states("file-2") == {IN}


def test_what_an_operator_took_out_stays_out_when_its_node_speaks(room):
    numbers = tuple(n for n, one in room.state.placement.devices.items() if one.node_id == "file-2")
    room.submit(SetDeviceState("out", numbers, OUT))
    assert room.later(100, "file-1", "file-2") == []
    assert room.states("file-2") == {OUT}


def test_devices_that_were_draining_when_their_node_fell_silent_do_not_come_back(room):
    numbers = tuple(n for n, one in room.state.placement.devices.items() if one.node_id == "file-2")
    room.submit(SetDeviceState("drain", numbers[:1], DRAINING))
    room.later(61, "file-1")
    assert room.states("file-2") == {OUT}
    room.later(5, "file-1", "file-2")
    states = {number: room.state.placement.devices[number].state for number in numbers}
    assert states == {numbers[0]: OUT, numbers[1]: IN}


def test_a_new_leader_counts_silence_from_its_beginning_and_takes_in_what_another_took_out(room):
    room.later(61, "file-1")
    assert room.states("file-2") == {OUT}
    successor = Silence(room.heartbeats, lambda: room.state.placement, room.submit, lambda: b"new" * 6, 60)
    room.silence = successor
    room.now += 3_600
    assert successor.step(leads=True) == []
    assert room.states("file-1") == {IN}
    assert room.later(1, "file-1", "file-2") == ["file-2 is back: its devices are in again"]


def test_who_does_not_lead_or_is_told_never_to_takes_nobody_out():
    room = Room(out_after_s=0)
    assert room.later(10_000) == []
    room = Room()
    room.now += 10_000
    assert room.silence.step(leads=False) == []
    assert room.states("file-1") == {IN}


def test_a_proposal_that_found_no_majority_is_made_again(room):
    room.reachable = False
    assert room.later(70, "file-1") == []
    room.reachable = True
    assert len(room.later(1, "file-1")) == 1


def test_nobody_goes_out_while_nobody_is_heard(room):
    assert room.later(600) == []
    assert room.states("file-1") == room.states("file-2") == {IN}


def test_waiting_devices_wait_whoever_is_silent(room):
    placement = room.state.placement
    devices = {number: replace(one, state=WAITING) for number, one in placement.devices.items()}
    room.state = replace(room.state, placement=replace(placement, devices=devices))
    assert room.later(100) == []


def test_no_more_nodes_are_remembered_than_a_cluster_may_have(room):
    for number in range(CONTROL_NODES_MAX):
        room.beat(f"n{number}")
    with pytest.raises(Full):
        room.beat("one-more")
    room.beat("n0")


def test_names_that_went_away_make_room_for_others(room):
    for number in range(CONTROL_NODES_MAX):
        room.beat(f"n{number}")
    room.now += HEARTBEAT_SECONDS_MAX + 1
    room.beat("one-more")
    assert room.heartbeats.heard("one-more", 1)


def test_two_nodes_of_one_name_are_not_taken_for_one(room):
    told = NodeReport("file-1", "file", 0, address="10.0.0.1:8081")
    room.heartbeats.beat(told)
    for other in (replace(told, address="10.0.0.9:8081"), replace(told, role="metadata")):
        with pytest.raises(Conflict, match=r"file-1 is up at 10\.0\.0\.1:8081"):
            room.heartbeats.beat(other)
    room.heartbeats.beat(told)
    room.now += HEARTBEAT_SECONDS_MAX + 1
    room.heartbeats.beat(replace(told, address="10.0.0.9:8081"))  # one that moved was down meanwhile


@pytest.mark.parametrize(
    "absurd",
    [
        {"devices": (DeviceReport(1, "up", 1, 1, 1),) * 100_000},
        {"ledger": {str(number): LedgerReport() for number in range(1_000)}},
        {"work": (WorkReport("repair", 1, 1),) * 1_000},
        {"address": "a" * 1_000_000},
        {"devices": (DeviceReport(1, "u" * 1_000_000, 1, 1, 1),)},
    ],
)
def test_a_report_no_node_could_make_is_not_handed_to_the_others(room, absurd):
    with pytest.raises(Corrupt, match="file-1 reports more than one node can have"):
        room.heartbeats.beat(NodeReport("file-1", "file", 0, **absurd))
    assert room.heartbeats.health() == []
