"""What the file form of the control state owes the layout: every field, older forms, and a bound on its size."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from blake3 import blake3

from app.adapters.cluster import snapshot
from app.core.cluster import ClusterState, Outcome, apply
from app.core.cluster.layout_commands import FoundCluster, PutHealSettings, PutProfile, RegisterNode, SetDeviceState
from app.core.errors import Corrupt
from app.core.layout.placement import DRAINING, EMPTY, IN, OUT, HealSettings, Layout, Placement
from app.core.layout.profiles import erasure, replication
from tests.contract.test_cluster import full_state

_DATA = Path(__file__).parent / "data"


@cache
def cluster_of_a_hundred() -> ClusterState:
    """25 nodes of 4 devices, profiles of three widths, and a transition of every one of them in flight."""
    state = ClusterState(managers={"manager-1": "10.0.0.1:8050"})
    commands = [
        FoundCluster("f", "c" * 32, 1_024),
        *(
            RegisterNode(f"r{n}", f"file-{n}", f"10.0.1.{n}:8081", f"rack-{n % 3}", _devices(n), 1_700_000_000_000)
            for n in range(25)
        ),
        SetDeviceState("s1", tuple(range(1, 97)), IN),
        PutProfile("p1", erasure(0, "STANDARD", 4, 2, "zstd")),
        PutProfile("p2", replication(0, "REDUCED_REDUNDANCY", 3)),
        PutProfile("p3", erasure(0, "COLD", 10, 4)),
        SetDeviceState("s2", tuple(range(97, 101)), IN),
        SetDeviceState("s3", (1,), OUT, silent=True),
        SetDeviceState("s4", (9,), DRAINING),
        PutHealSettings("h", "scrub", HealSettings(1 << 20, paused=True, days=3, asked_ms=7)),
    ]
    for command in commands:
        state, outcome = apply(state, command)
        assert outcome == Outcome()
    return state


def _devices(node: int) -> dict[str, int]:
    return {f"{node * 4 + one:032x}": 16 * 10**12 for one in range(4)}


def test_every_field_of_a_placement_survives_the_file_and_a_large_cluster_s_stays_below_200_kib():
    state = cluster_of_a_hundred()
    assert state.placement.previous is not None
    assert state.placement.staged
    document = snapshot.Codec().encode(state)
    assert len(document) < 200 * 1_024
    assert snapshot.Codec().decode(document) == state


def test_maps_of_uneven_groups_and_of_more_devices_than_a_byte_tells_survive_too():
    uneven = ((1, 2), (), (3,), (70_000, 1))
    many = tuple((number, number + 1) for number in range(1, 600, 2))
    for groups in (uneven, many, ()):
        placed = Placement(current=Layout(3, {2: groups}), previous=Layout(2, {}), numbered=9)
        state = replace(ClusterState(), placement=placed)
        assert snapshot.Codec().decode(snapshot.Codec().encode(state)).placement == placed


def test_a_file_from_before_there_were_clusters_reads_as_a_single_machine_s():
    """It was written by that release, of the same state."""
    state = snapshot.Codec().decode((_DATA / "cluster-state-2").read_bytes())
    assert state == _as_of_that_release(full_state())
    assert (state.placement, state.cluster_id, state.managers) == (EMPTY, "", {})


def _as_of_that_release(state: ClusterState) -> ClusterState:
    """The state without what later releases added."""
    owner = state.accounts["account-1"]
    user, role, policy = owner.users["mia"], owner.roles["taken"], owner.policies["own"]
    owner = replace(
        owner,
        root=False,
        disabled=False,
        oidc_providers={},
        users={"mia": replace(user, disabled=False)},
        roles={"taken": replace(role, description="")},
        policies={"own": replace(policy, description="", tags={})},
    )
    return replace(state, accounts={**state.accounts, "account-1": owner}, limits={}, restored="", staged=None)


def test_a_placement_that_did_not_change_stays_the_same_value_in_a_follower():
    writes, reads = snapshot.Codec(), snapshot.Codec()
    state = cluster_of_a_hundred()
    first = reads.decode(writes.encode(state)).placement
    assert reads.decode(writes.encode(replace(state, version=99))).placement is first


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (b'"groups":1024', b'"groups":1023'),
        (b'"rows":"', b'"rows":"AAAA'),
        (b'"devices":[2,', b'"devices":['),
        (b'"numbered"', b'"number"'),
    ],
)
def test_a_damaged_map_is_corrupt_and_never_half_read(now, then):
    body = snapshot.Codec().encode(cluster_of_a_hundred()).partition(b"\n")[2].replace(now, then)
    with pytest.raises(Corrupt, match="not a cluster state"):
        snapshot.Codec().decode(b"zapfs-cluster 3 " + blake3(body).hexdigest().encode() + b"\n" + body)
