"""A backup of lost managers in new ones: everybody who knew them is recognised, and nobody sees half of it."""

import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.cluster import command_codec, snapshot
from app.adapters.cluster.backup_form import BackupForm, size_of
from app.adapters.cluster.mirror import Mirror
from app.adapters.cluster.remote import RemoteCluster
from app.adapters.cluster.sealing import Sealer
from app.core.cluster import (
    AccessKey,
    ClusterState,
    CreateAccount,
    CreateKmsKey,
    Group,
    KmsKey,
    Limits,
    ManagedPolicy,
    PolicyVersion,
    PutRoot,
    Role,
    Scope,
    SetLimits,
    User,
    apply,
)
from app.core.cluster.layout_commands import BindDatabase, FoundCluster, RegisterNode, SetDeviceState
from app.core.cluster.restore_transitions import ERA
from app.core.cluster_limits import CONTROL_COMMAND_BYTES_MAX
from app.core.layout.placement import IN
from app.services.call import Sources
from app.services.control.backups import Backups, Form, begun_with, cut
from app.services.identity.commanding import CommandRefused, Desk, Identities
from tests.contract.test_cluster import account
from tests.control_processes import eventually
from tests.control_room import Manager, follower

LOST, FRESH, DATABASE = "ab" * 16, "cd" * 16, "ef" * 16
numbers = itertools.count(1)


def lost_state(users: int = 3) -> ClusterState:
    """What managers knew: people, keys, limits, and devices in the middle of a transition."""
    people = {
        f"u{number}": User(
            f"u{number}", f"AIDA{number}", 5, keys=(AccessKey(f"AKU{number}", b"sealed"),), inline={"p": "x" * 2_000}
        )
        for number in range(users)
    }
    policy = ManagedPolicy("own", "ANPA1", 8, (PolicyVersion("v1", "{}", 9),))
    owner = account(
        1,
        users=people,
        groups={"g": Group("g", "AGPA1", 6)},
        roles={"r": Role("r", "AROA1", 7, "{}")},
        policies={"own": policy},
        disabled=True,
    )
    state = ClusterState()
    commands = [
        FoundCluster("f", LOST, 16),
        PutRoot("r", account(9)),
        CreateAccount("a", owner),
        CreateKmsKey("k", KmsKey("k1", "arn:k1", 5, (b"\x00", b"\x01"), ("alias/a",))),
        SetLimits("l", Scope("account", owner.name), Limits(bytes=5)),
        BindDatabase("d", DATABASE),
        RegisterNode("n1", "file-1", "127.0.0.1:1", "z", {"01" * 16: 1 << 30, "02" * 16: 1 << 30}, 5),
        SetDeviceState("i", (1, 2), IN),
        RegisterNode("n2", "file-2", "127.0.0.1:2", "z", {"03" * 16: 1 << 30}, 6),
        SetDeviceState("j", (3,), IN),
    ]
    for command in commands:
        state, outcome = apply(state, command)
        assert not outcome.error, outcome
    assert state.placement.previous is not None
    assert state.placement.pending
    return state


def desk(cluster: RemoteCluster) -> Desk:
    sources = Sources(lambda: 1_800_000_000_000, lambda: next(numbers).to_bytes(16, "big"))
    return Desk(cluster, sources, Identities(lambda: "AK", lambda: "secret", os.urandom))


def backups(cluster: RemoteCluster, unopened: str = "") -> Backups:
    form = BackupForm(Sealer(bytes(32), os.urandom))
    return Backups(desk(cluster), Form(form.sealed, form.opened, size_of), lambda _: unopened)


def backup_of(state: ClusterState) -> bytes:
    return BackupForm(Sealer(bytes(32), os.urandom)).sealed(state, 1)


def contents(state: ClusterState) -> ClusterState:
    """A state without what belongs to its managers."""
    return replace(state, version=0, outcomes={}, managers={}, restored="")


@pytest.fixture
def manager():
    """Of a cluster that was founded and nothing else."""
    made = Manager()
    for command in (FoundCluster("f", FRESH, 16), PutRoot("r", account(7))):
        made.authority.submit(command)
    yield made
    made.stop()


@pytest.fixture
def admin(manager):
    made = follower(manager)
    made.start()
    assert eventually(lambda: made.state().cluster_id == FRESH)
    yield made
    made.close()


def test_everything_of_the_lost_managers_is_there_and_their_followers_are_recognised(
    manager: Manager, admin: RemoteCluster, tmp_path: Path
) -> None:
    lost = lost_state()
    mirror = Mirror(tmp_path)
    mirror.start(lambda error: None)
    mirror.take(admin.state())
    # A gateway of the lost managers, which saw more than the backup has: it knows its cluster and waits.
    gateway = follower(manager, cluster_id=LOST, node_id="gateway")
    gateway.start(kept=replace(lost, version=lost.version + 500))
    told = backups(admin).restore(backup_of(lost))
    assert (told.cluster_id, told.accounts, told.users, told.devices, told.version) == (LOST, 2, 3, 3, ERA)
    for state in (manager.book.state(), admin.state()):
        assert contents(state) == contents(lost)
    assert eventually(lambda: gateway.state() == manager.book.state())
    mirror.take(admin.state())
    mirror.close()
    kept = Mirror(tmp_path).kept()
    assert kept == admin.state()
    # Now the cluster is somebody's: nobody of another one is believed, and it goes on by deltas.
    again = follower(manager, cluster_id=LOST)
    again.start(kept=kept)
    assert not admin.submit(CreateAccount("later", account(3))).error
    assert eventually(lambda: again.state() == manager.book.state() == gateway.state())
    for one in (gateway, again):
        one.close()


def test_a_follower_that_was_away_while_its_empty_cluster_became_another_follows_it(
    manager: Manager, admin: RemoteCluster
) -> None:
    kept = admin.state()
    backups(admin).restore(backup_of(lost_state()))
    away = follower(manager, cluster_id=FRESH, node_id="away")
    away.start(kept=kept)
    assert eventually(lambda: away.state() == manager.book.state())
    away.close()


def test_a_restore_of_any_size_goes_through_commands_of_a_bounded_size_and_shows_at_its_end_only(
    manager: Manager, admin: RemoteCluster
) -> None:
    lost = lost_state(users=1_200)
    pieces = cut(lost, size_of)
    assert len(pieces) > 5
    assert max(len(command_codec.encode(one)) for one in pieces) < CONTROL_COMMAND_BYTES_MAX
    begun = begun_with(lost, "1" * 32)
    assert not admin.submit(replace(begun, command_id="begin")).error
    for number, piece in enumerate(pieces[:3]):
        assert not admin.submit(replace(piece, command_id=f"p{number}", restore_id="1" * 32)).error
    half = manager.book.state()
    assert set(half.accounts) == {"account-7"}
    assert half.cluster_id == FRESH
    assert snapshot.Codec().decode(snapshot.Codec().encode(half)) == half  # managers may change in the middle of it
    backups(admin).restore(backup_of(lost))  # what was cut short is made anew
    assert contents(manager.book.state()) == contents(lost)


@pytest.mark.parametrize("unopened", ["", "the secret of AKU1 does not open"])
def test_what_cannot_be_used_changes_nothing(manager: Manager, admin: RemoteCluster, unopened: str) -> None:
    before = manager.book.state()
    alone = replace(lost_state(), cluster_id="")
    document = backup_of(lost_state() if unopened else alone)
    with pytest.raises(CommandRefused, match=unopened or "of a server of one machine") as caught:
        backups(admin, unopened).restore(document)
    assert caught.value.status == 400
    assert manager.book.state() is before
