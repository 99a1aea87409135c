"""What the commands of the layout do: who may be in it, when an epoch begins and ends, and what is refused and why."""

import random
from dataclasses import replace
from itertools import count

import pytest

from app.core import cluster_limits, limits
from app.core.cluster import ClusterState, Command, Outcome, apply
from app.core.cluster.layout_commands import (
    FoundCluster,
    GroupsMoved,
    PutHealSettings,
    PutProfile,
    RegisterNode,
    RemoveDevices,
    SetDeviceState,
)
from app.core.layout.placement import DRAINING, IN, OUT, WAITING, HealSettings, Placement
from app.core.layout.profiles import Profile, erasure, replication

CLUSTER = "c" * 32


def device_id(node: int, device: int) -> str:
    return f"{node * 100 + device:032x}"


class Plane:
    """A state and the commands applied to it."""

    def __init__(self) -> None:
        self.state = ClusterState()
        self._ids = count()

    @property
    def placement(self) -> Placement:
        return self.state.placement

    def __call__(self, kind: type, *values: object, **named: object) -> Outcome:
        command: Command = kind(str(next(self._ids)), *values, **named)
        self.state, outcome = apply(self.state, command)
        return outcome

    def done(self, kind: type, *values: object, **named: object) -> None:
        assert self(kind, *values, **named) == Outcome()

    def register(self, *nodes: int, devices: int = 1, capacity: int = 1_000, zone: str = "z") -> None:
        for node in nodes:
            told = {device_id(node, one): capacity for one in range(devices)}
            self.done(RegisterNode, f"n{node}", f"10.0.0.{node}:1", zone, told, 5)

    def move_all(self) -> None:
        """Report every group complete, until no transition is in flight."""
        while self.placement.previous is not None:
            width, groups = next(iter(self.placement.pending.items()))
            self.done(GroupsMoved, self.placement.current.epoch, width, tuple(groups))

    def states(self) -> dict[int, str]:
        return {number: device.state for number, device in self.placement.devices.items()}


@pytest.fixture
def plane() -> Plane:
    made = Plane()
    made.done(FoundCluster, CLUSTER, 64)
    return made


def test_a_cluster_is_founded_once_and_nobody_registers_before():
    plane = Plane()
    assert "no cluster has been founded" in plane(RegisterNode, "n1", "a:1", "z", {}, 5).message
    assert "power of two" in plane(FoundCluster, CLUSTER, 100).message
    assert "power of two" in plane(FoundCluster, CLUSTER, 2 * cluster_limits.PLACEMENT_GROUPS_MAX).message
    assert "32 hex" in plane(FoundCluster, "x", 64).message
    plane.done(FoundCluster, CLUSTER, 64)
    plane.done(FoundCluster, CLUSTER, 64)
    assert plane(FoundCluster, "d" * 32, 64) == Outcome("InvalidInput", f"this is cluster {CLUSTER} already")
    assert (plane.state.cluster_id, plane.placement.groups) == (CLUSTER, 64)


def test_new_devices_wait_and_known_ones_keep_number_and_state_when_their_node_comes_back(plane):
    plane.register(1, 2, devices=2)
    plane.done(SetDeviceState, (1, 3), IN)
    plane.done(RegisterNode, "n1", "elsewhere:2", "z", {device_id(1, 0): 1_001, device_id(1, 7): 9}, 99)
    assert plane.states() == {1: IN, 2: WAITING, 3: IN, 4: WAITING, 5: WAITING}
    assert (plane.placement.nodes["n1"].address, plane.placement.nodes["n1"].registered_ms) == ("elsewhere:2", 5)
    assert plane.placement.devices[1].capacity_bytes == 1_000  # 0.1 % moves no bytes
    assert plane.placement.current.epoch == 1


def test_a_device_that_grew_or_a_node_in_another_zone_begins_the_next_epoch(plane):
    plane.register(1, 2, 3)
    plane.done(SetDeviceState, (1, 2, 3), IN)
    plane.register(1, capacity=3_000)
    assert plane.placement.current.epoch == 2
    plane.move_all()
    plane.register(1, capacity=3_000, zone="other")
    assert plane.placement.current.epoch == 3


def test_numbers_are_never_given_again(plane):
    plane.register(1, 2)
    plane.done(RemoveDevices, (2,))
    assert set(plane.placement.nodes) == {"n1"}
    plane.register(2)
    assert set(plane.placement.devices) == {1, 3}


def test_a_device_of_another_node_and_nonsense_are_refused_in_one_line(plane):
    plane.register(1)
    taken = plane(RegisterNode, "n2", "a:1", "z", {device_id(1, 0): 5}, 5)
    assert taken == Outcome("InvalidInput", f"device {device_id(1, 0)} (number 1) belongs to node n1")
    for node_id, address, zone, devices in (
        ("", "a:1", "z", {}),
        ("n 2", "a:1", "z", {}),
        ("n2", "", "z", {}),
        ("n2", "a:1", "z\n", {}),
        ("n2", "a:1", "z", {"short": 5}),
        ("n2", "a:1", "z", {device_id(2, 0): -1}),
    ):
        outcome = plane(RegisterNode, node_id, address, zone, devices, 5)
        assert outcome.error == "InvalidInput"
        assert "\n" not in outcome.message
    many = {device_id(3, one): 1 for one in range(cluster_limits.DEVICES_OF_NODE_MAX + 1)}
    assert plane(RegisterNode, "n3", "a:1", "z", many, 5).error == "LimitExceeded"


@pytest.mark.parametrize(
    ("numbers", "state", "words"),
    [
        ((9,), IN, "There is no device 9."),
        ((), IN, "no device was named"),
        ((1,), WAITING, "'waiting' is no state"),
        ((2,), DRAINING, "device 2 is waiting: it cannot be draining"),
        ((1, 3), OUT, "one device at least must stay in"),
        ((1, 3), DRAINING, "one device at least must stay in"),
    ],
)
def test_devices_go_only_where_they_may(plane, numbers, state, words):
    plane.register(1, 2, 3)
    plane.done(SetDeviceState, (1, 3), IN)
    before = plane.placement
    assert words in plane(SetDeviceState, numbers, state).message
    assert plane.placement == before


def test_the_default_profile_follows_the_number_of_nodes_until_somebody_defines_standard(plane):
    plane.register(*range(1, 8))
    seen = []
    for number in range(1, 8):
        plane.done(SetDeviceState, (number,), IN)
        plane.move_all()
        profile = plane.placement.profile_for("STANDARD")
        assert profile == plane.placement.profile_for("GLACIER")
        seen.append((profile.data, profile.parity))
    assert seen == [(1, 0), (1, 1), (1, 2), (1, 2), (1, 2), (4, 2), (4, 2)]
    plane.done(PutProfile, replication(0, "STANDARD", 2))
    plane.done(SetDeviceState, (7,), OUT)
    assert plane.placement.profile_for("STANDARD") == replication(2, "STANDARD", 2)
    assert not plane.placement.automatic


def test_two_devices_of_one_node_keep_two_copies(plane):
    plane.register(1, devices=4)
    plane.done(SetDeviceState, (1, 2, 3, 4), IN)
    assert plane.placement.profile_for("STANDARD").width == 2


def test_an_identical_profile_keeps_its_number_and_a_new_width_has_a_map_at_once_in_the_same_epoch(plane):
    plane.register(1, 2, 3)
    plane.done(SetDeviceState, (1, 2, 3), IN)
    plane.done(PutProfile, replication(0, "REDUCED_REDUNDANCY", 2))
    plane.done(PutProfile, replication(0, "REDUCED_REDUNDANCY", 2, "zstd"))
    plane.done(PutProfile, replication(77, "REDUCED_REDUNDANCY", 2))
    assert plane.placement.classes == {"STANDARD": 1, "REDUCED_REDUNDANCY": 2}
    assert set(plane.placement.profiles) == {1, 2, 3}
    assert (plane.placement.current.epoch, set(plane.placement.current.maps)) == (1, {2, 3})
    assert plane.placement.automatic


@pytest.mark.parametrize(
    "profile",
    [
        replication(0, "STANDARD", 0),
        replication(0, "STANDARD", 33),
        replication(0, "standard", 3),
        erasure(0, "STANDARD", 1, 1),
        erasure(0, "STANDARD", 4, 0),
        erasure(0, "STANDARD", 4, 17),
        erasure(0, "STANDARD", 30, 3),
        replication(0, "STANDARD", 3, "gzip"),
        replace(replication(0, "STANDARD", 3), inline_bytes=limits.INLINE_BYTES_MAX + 1),
        Profile(0, "STANDARD", 2, 1, erasure=False),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(plane, profile):
    assert plane(PutProfile, profile).error == "InvalidInput"
    assert plane.placement.automatic


def test_there_are_no_more_profiles_than_a_blob_id_can_name(plane):
    plane.register(1)
    plane.done(SetDeviceState, (1,), IN)
    for number in range(cluster_limits.PROFILES_MAX - 1):
        plane.done(PutProfile, replace(replication(0, "STANDARD", 1), inline_bytes=number))
    assert plane(PutProfile, replication(0, "OTHER", 1)).error == "LimitExceeded"
    plane.done(PutProfile, replace(replication(0, "STANDARD", 1), inline_bytes=3))


def test_an_epoch_ends_when_its_last_group_moved_and_what_was_staged_begins_the_next(plane):
    plane.register(1, 2, 3, 4, 5)
    plane.done(SetDeviceState, (1, 2, 3), IN)
    assert plane.placement.previous is None  # nothing was written before the first epoch
    plane.done(SetDeviceState, (4,), IN)
    placement = plane.placement
    assert (placement.current.epoch, placement.previous.epoch, placement.staged) == (2, 1, False)
    changed = {g for g in range(64) if placement.current.homes(3, g) != placement.previous.homes(3, g)}
    assert placement.pending == {3: changed}
    plane.done(SetDeviceState, (5,), IN)
    plane.done(SetDeviceState, (1,), DRAINING)
    assert (plane.placement.current, plane.placement.staged) == (placement.current, True)
    plane.done(GroupsMoved, 1, 3, tuple(changed))
    plane.done(GroupsMoved, 2, 9, tuple(changed))
    last, *others = changed
    plane.done(GroupsMoved, 2, 3, tuple(others))
    assert plane.placement.pending == {3: {last}}
    plane.done(GroupsMoved, 2, 3, (last, 999))
    assert (plane.placement.current.epoch, plane.placement.previous.epoch, plane.placement.staged) == (3, 2, False)
    assert all(1 not in homes and 5 in plane.placement.devices for homes in plane.placement.current.maps[3])
    plane.move_all()
    assert (plane.placement.previous, plane.placement.pending) == (None, {})


def test_a_drained_device_is_removed_when_no_layout_names_it_any_more(plane):
    plane.register(1, 2, 3, 4)
    plane.done(SetDeviceState, (1, 2, 3, 4), IN)
    assert "drain it first" in plane(RemoveDevices, (4,)).message
    plane.done(SetDeviceState, (4,), DRAINING)
    assert "still part of a layout" in plane(RemoveDevices, (4,)).message
    plane.move_all()
    plane.done(RemoveDevices, (4,))
    assert set(plane.placement.devices) == set(range(1, 4))
    assert set(plane.placement.nodes) == {"n1", "n2", "n3"}


def test_what_changes_nothing_begins_no_epoch(plane):
    plane.register(1, 2)
    plane.done(SetDeviceState, (1, 2), IN)
    plane.done(SetDeviceState, (1, 2), IN)
    plane.register(1, 2, 3)
    plane.done(SetDeviceState, (3,), OUT)
    assert plane.placement.current.epoch == 1
    assert plane.placement.previous is None


def test_a_device_lost_while_groups_move_leaves_the_layout_at_once_and_no_group_is_forgotten(plane):
    """Else what was to move onto it would never be complete, and the transition would never end."""
    plane.register(*range(1, 8))
    plane.done(PutProfile, replication(0, "STANDARD", 3))
    plane.done(SetDeviceState, tuple(range(1, 7)), IN)
    first = plane.placement.current
    plane.done(SetDeviceState, (7,), IN)
    second = plane.placement.current
    arrived = sorted(plane.placement.pending[3])[:5]
    plane.done(GroupsMoved, 2, 3, tuple(arrived))
    still = plane.placement.pending[3]
    plane.done(SetDeviceState, (2,), OUT, silent=True)
    placement = plane.placement
    assert (placement.current.epoch, placement.previous.epoch, placement.staged) == (3, 2, False)
    assert all(2 not in homes for homes in placement.current.maps[3])
    assert still <= placement.pending[3]
    for group in range(64):
        # Where the bytes are now: those still to move from the first epoch, all others in the second.
        assert placement.previous.homes(3, group) == (first if group in still else second).homes(3, group)
        assert group in placement.pending[3] or placement.previous.homes(3, group) == placement.current.homes(3, group)
    assert placement.devices[2].silent
    plane.done(SetDeviceState, (2,), OUT)
    assert not plane.placement.devices[2].silent


def test_settings_of_healing_are_kept_by_kind(plane):
    plane.done(PutHealSettings, "scrub", HealSettings(bytes_per_s=5, days=7, asked_ms=9))
    assert plane.placement.heal_settings("scrub") == HealSettings(5, paused=False, days=7, asked_ms=9)
    assert plane.placement.heal_settings("repair") == HealSettings()
    assert "no kind of healing" in plane(PutHealSettings, "magic", HealSettings()).message
    assert plane(PutHealSettings, "repair", HealSettings(-1)).error == "InvalidInput"


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_commands_keeps_one_transition_and_tells_where_every_group_is(seed):
    """A model beside it knows where each group's bytes are: the homes must lead there at every step."""
    dice = random.Random(seed)
    plane = Plane()
    plane.done(FoundCluster, CLUSTER, 32)
    plane.register(*range(8), devices=2)
    bytes_at: dict[tuple[int, int], tuple[int, ...]] = {}
    for _ in range(120):
        numbers = tuple(dice.sample(sorted(plane.placement.devices), dice.randint(1, 3)))
        step = dice.randrange(6)
        if step < 3:
            plane(SetDeviceState, numbers, dice.choice((IN, IN, DRAINING, OUT)))
        elif step == 3:
            plane(PutProfile, replication(0, dice.choice(("STANDARD", "OTHER")), dice.randint(1, 4)))
        elif plane.placement.pending:
            width = dice.choice(sorted(plane.placement.pending))
            groups = tuple(dice.sample(sorted(plane.placement.pending[width]), 1)) if step == 4 else tuple(range(32))
            bytes_at |= {(width, group): plane.placement.current.homes(width, group) for group in groups}
            plane.done(GroupsMoved, plane.placement.current.epoch, width, groups)
        placement = plane.placement
        assert (placement.previous is None) == (not placement.pending)
        for width, groups in placement.current.maps.items():
            for group, homes in enumerate(groups):
                where = bytes_at.setdefault((width, group), homes)
                former = () if placement.previous is None else placement.previous.homes(width, group)
                assert where in (homes, former)
                assert where == homes or group in placement.pending[width]
