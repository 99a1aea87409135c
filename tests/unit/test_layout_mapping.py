"""The map of an epoch: balanced by capacity, spread over nodes and zones, and moving hardly more than it must."""

import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.layout.blob_ids import blob_id_for
from app.core.layout.mapping import handoffs, handoffs_of, mapped
from app.core.layout.placement import DRAINING, IN, OUT, WAITING, Device, Groups, Layout, Node, Placement
from app.core.layout.profiles import replication
from app.core.layout.shares import shares_of, spread_of

GROUPS = 1_024
Cluster = tuple[dict[str, Node], dict[int, Device]]


def cluster(nodes: int, devices: int = 1, zones: int = 1, capacities: tuple[int, ...] = (1_000,)) -> Cluster:
    """`devices` on each of the nodes, which take turns in zones, as devices do in capacities."""
    hosts = {f"n{i}": Node(f"n{i}", "a:1", f"z{i % zones}", 0) for i in range(nodes)}
    places = [(i // devices, capacities[i % len(capacities)]) for i in range(nodes * devices)]
    return hosts, {i + 1: Device(i + 1, f"{i:032x}", f"n{node}", size, IN) for i, (node, size) in enumerate(places)}


def with_state(devices: dict[int, Device], state: str, *numbers: int) -> dict[int, Device]:
    return {n: replace(device, state=state) if n in numbers else device for n, device in devices.items()}


def counts(groups: Groups) -> Counter[int]:
    return Counter(number for homes in groups for number in homes)


def moves(former: Groups, groups: Groups) -> int:
    """Fragments that have to move: positions held by another device than before."""
    return sum(a != b for before, now in zip(former, groups, strict=True) for a, b in zip(before, now, strict=True))


def least_moves(former: Groups, groups: Groups) -> int:
    """What nobody can do without, for the shares the devices end with: each has to get what it had not."""
    before = counts(former)
    return sum(max(0, count - before[number]) for number, count in counts(groups).items())


def check(nodes: dict[str, Node], devices: dict[int, Device], width: int, groups: Groups) -> None:
    """Everything a map owes, whatever it followed on."""
    part = [devices[number] for number in sorted(devices) if devices[number].state == IN]
    width = min(width, len(part))
    hosts = Counter(device.node_id for device in part)
    of_node = next(most for most in range(1, 99) if sum(min(most, count) for count in hosts.values()) >= width)
    rooms: Counter[str] = Counter()
    for node_id, count in hosts.items():
        rooms[nodes[node_id].zone] += min(count, of_node)
    of_zone = next(most for most in range(1, 99) if sum(min(most, count) for count in rooms.values()) >= width)
    for homes in groups:
        assert len(set(homes)) == len(homes) == width
        assert all(devices[number].state == IN for number in homes)
        assert max(Counter(devices[number].node_id for number in homes).values()) <= of_node
        assert max(Counter(nodes[devices[number].node_id].zone for number in homes).values()) <= of_zone


def off_balance(nodes: dict[str, Node], devices: dict[int, Device], width: int, groups: Groups) -> int:
    """Groups by which the worst device is off its share by capacity within the bounds."""
    part = [devices[number] for number in sorted(devices) if devices[number].state == IN]
    spread = spread_of(part, nodes, width)
    shares = shares_of([device.capacity_bytes for device in part], spread, len(groups), [0] * len(part))
    found = counts(groups)
    return max(abs(found[device.number] - share) for device, share in zip(part, shares, strict=True))


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    zones = draw(st.integers(1, 4))
    nodes = {
        f"n{i}": Node(f"n{i}", "a:1", f"z{draw(st.integers(1, zones))}", 0) for i in range(draw(st.integers(1, 9)))
    }
    devices: dict[int, Device] = {}
    for node_id in nodes:
        for _ in range(draw(st.integers(1, 4))):
            number = len(devices) + 1
            capacity = draw(st.sampled_from((0, 1, 500, 1_000, 1_000, 4_000, 10**13)))
            devices[number] = Device(number, f"{number:032x}", node_id, capacity, IN)
    return nodes, devices


@settings(max_examples=40, deadline=None)
@given(clusters(), st.integers(1, 8), st.data())
def test_every_map_is_spread_and_balanced_and_a_change_moves_little(made, width, data):
    nodes, devices = made
    former = mapped(devices, nodes, width, 128, None)
    check(nodes, devices, width, former)
    assert off_balance(nodes, devices, width, former) == 0
    for _ in range(3):
        chosen = data.draw(st.sets(st.sampled_from(sorted(devices)), min_size=1, max_size=4))
        changed = with_state(devices, data.draw(st.sampled_from((IN, OUT, WAITING))), *chosen)
        if not any(device.state == IN for device in changed.values()):
            continue
        devices, before = changed, former
        former = mapped(devices, nodes, width, 128, before)
        check(nodes, devices, width, former)
        # Zones, nodes and devices are rounded one after the other, and each keeps what it had where it may.
        assert off_balance(nodes, devices, width, former) <= 2
        if len(before[0]) == len(former[0]):
            # What the bounds of nodes and zones push out besides depends on the map before; where they do not
            # change, the least is what the shares demand.
            assert moves(before, former) <= 1.2 * least_moves(before, former) + forced(before, former, nodes, devices)


def forced(former: Groups, groups: Groups, nodes: dict[str, Node], devices: dict[int, Device]) -> int:
    """Fragments that are closer together in the map before than the bounds of the new one allow, and a handful."""
    spread = spread_of([d for n, d in sorted(devices.items()) if d.state == IN], nodes, len(groups[0]))
    too_close = 0
    for homes in former:
        hosts = [devices[number].node_id for number in homes]
        too_close += sum(max(0, count - spread.of_node) for count in Counter(hosts).values())
        zones = Counter(nodes[host].zone for host in hosts)
        too_close += sum(max(0, count - spread.of_zone) for count in zones.values())
    # Where bounds leave hardly a choice, two groups may have to change for one device's sake: a tenth of the groups.
    return 2 * too_close + 12


@pytest.mark.parametrize("width", [3, 14])
@pytest.mark.parametrize(
    "shape",
    [(100, 1, 1), (10, 10, 5), (25, 4, 3), (8, 3, 3), (20, 5, 1)],
    ids=lambda shape: "{}x{} in {} zones".format(*shape),
)
def test_balance_is_within_5_percent_and_moves_within_a_fifth_of_the_least_in_clusters_of_every_shape(shape, width):
    nodes, devices = cluster(*shape, capacities=(1_000, 3_000, 2_000, 1_500, 2_500))
    grown_nodes, grown = cluster(shape[0] + 1, *shape[1:], capacities=(1_000, 3_000, 2_000, 1_500, 2_500))
    drained = with_state(grown, DRAINING, *(n for n, device in grown.items() if device.node_id == "n0"))
    steps = [(nodes, devices), (nodes, with_state(devices, OUT, 1)), (nodes, devices), (grown_nodes, grown)]
    former = None
    for hosts, now in [*steps, (grown_nodes, drained)]:
        groups = mapped(now, hosts, width, GROUPS, former)
        check(hosts, now, width, groups)
        assert off_balance(hosts, now, width, groups) <= 1
        if former is not None:
            assert moves(former, groups) <= 1.2 * least_moves(former, groups) + 1
        former = groups


def test_by_capacity_means_within_5_percent_where_no_bound_is_met():
    nodes, devices = cluster(20, 5, capacities=(4_000, 8_000, 6_000))
    found = counts(mapped(devices, nodes, 6, GROUPS, None))
    whole = sum(device.capacity_bytes for device in devices.values())
    for number, device in devices.items():
        share = GROUPS * 6 * device.capacity_bytes / whole
        assert abs(found[number] - share) <= max(1, share * 0.05)


def test_a_device_larger_than_its_bound_allows_takes_every_group_once_and_the_others_share_the_rest():
    nodes, devices = cluster(4, capacities=(100_000, 1_000, 1_000, 2_000))
    found = counts(mapped(devices, nodes, 2, GROUPS, None))
    assert found == {1: 1_024, 2: 256, 3: 256, 4: 512}


def test_a_map_of_a_thousand_groups_over_a_hundred_devices_takes_less_than_a_second():
    """It is computed while a command is applied. On an idle core: 0.1 s anew, 0.02 s for a change, 0.6 s at worst, from
    one device to a hundred."""
    nodes, devices = cluster(25, 4, 3, capacities=(1_000, 2_000))
    alone = with_state(devices, WAITING, *range(2, 101))
    former = None
    for now in (devices, with_state(devices, OUT, 7), devices, alone, devices):
        began = time.process_time()
        former = mapped(now, nodes, 6, GROUPS, former)
        assert time.process_time() - began < 2.5  # shared, slow machines run this too


def test_the_same_devices_give_the_same_map_in_whatever_order_they_are_told():
    nodes, devices = cluster(9, 2, 3, capacities=(1, 2, 3))
    there = mapped(devices, nodes, 3, GROUPS, None)
    assert mapped(dict(reversed(devices.items())), dict(reversed(nodes.items())), 3, GROUPS, None) == there
    assert mapped(devices, nodes, 3, GROUPS, there) == there


def test_a_map_of_today_is_the_map_of_every_release():
    """Followers apply commands themselves: two releases in one cluster must come to the same map."""
    nodes, devices = cluster(4, 2, 2, capacities=(1, 2, 3))
    first = mapped(devices, nodes, 3, 8, None)
    assert first == PINNED
    assert mapped(with_state(devices, OUT, 3), nodes, 3, 8, first) == PINNED_WITHOUT_3


PINNED = ((6, 1, 3), (6, 8, 2), (4, 5, 2), (6, 7, 3), (5, 8, 3), (7, 1, 6), (3, 2, 6), (3, 5, 8))
PINNED_WITHOUT_3 = ((6, 1, 8), (6, 8, 2), (4, 5, 2), (6, 7, 4), (5, 8, 2), (7, 1, 6), (8, 2, 6), (2, 5, 8))


def test_with_fewer_devices_than_fragments_every_group_lists_all_of_them():
    nodes, devices = cluster(2, 2)
    groups = mapped(devices, nodes, 6, 16, None)
    assert all(sorted(homes) == [1, 2, 3, 4] for homes in groups)
    assert mapped(with_state(devices, OUT, 1, 2, 3, 4), nodes, 6, 16, groups) == ((),) * 16


def test_growing_from_one_device_to_six_nodes_ends_spread_and_each_stayer_keeps_its_position():
    nodes, devices = cluster(6, 2)
    former = mapped(with_state(devices, WAITING, *range(2, 13)), nodes, 6, GROUPS, None)
    assert former == ((1,),) * GROUPS
    for last in (2, 3, 6, 9, 12):
        now = with_state(devices, WAITING, *range(last + 1, 13))
        groups = mapped(now, nodes, 6, GROUPS, former)
        check(nodes, now, 6, groups)
        for before, after in zip(former, groups, strict=True):
            stayers = set(before) & set(after)
            if len(before) == len(after):
                assert all(before.index(one) == after.index(one) for one in stayers)
        former = groups


def test_neighbouring_groups_share_no_pattern_so_that_many_devices_help_to_rebuild_one():
    nodes, devices = cluster(25, 4)
    groups = mapped(devices, nodes, 3, GROUPS, None)
    partners = {other for homes in groups if 1 in homes for other in homes} - {1}
    assert len(partners) > 40
    assert len({frozenset(homes) for homes in groups}) > 1_000
    assert all(a != b for a, b in pairwise(groups))


def test_handoffs_are_all_other_serving_devices_those_of_unused_nodes_first():
    nodes, devices = cluster(6, 2)
    devices = with_state(with_state(devices, DRAINING, 11), OUT, 12)
    profile = replication(1, "STANDARD", 3)
    groups = mapped(devices, nodes, 3, GROUPS, None)
    placement = Placement(GROUPS, nodes, devices, {1: profile}, {"STANDARD": 1}, Layout(1, {3: groups}))
    for group, homes in enumerate(groups):
        others = handoffs_of(placement, 3, group)
        assert sorted((*homes, *others)) == list(range(1, 12))
        used = {devices[number].node_id for number in homes}
        near = [devices[number].node_id in used for number in others]
        assert near == sorted(near)
    assert len({handoffs_of(placement, 3, group)[0] for group in range(64)}) > 5
    blob_id = blob_id_for(1, bytes(14) + b"\x00\x40")
    assert handoffs(placement, blob_id) == handoffs_of(placement, 3, 1)
    assert handoffs(placement, blob_id[:15] + b"\x09") == ()
