"""The commands of a restore: into nothing but an empty control state, whole or not at all."""

from dataclasses import replace

import pytest

from app.core.cluster import (
    AccessKey,
    Account,
    ClusterState,
    Command,
    Create,
    CreateAccount,
    CreateKmsKey,
    Group,
    KmsKey,
    Limits,
    OidcProvider,
    PutRoot,
    RotateKmsKey,
    Scope,
    SetLimits,
    apply,
    holder_of,
)
from app.core.cluster.layout_commands import BindDatabase, FoundCluster, RegisterNode
from app.core.cluster.restore_commands import BeginRestore, EndRestore, RestoredLayout, RestorePiece
from app.core.cluster.restore_transitions import ERA, inhabited, occupied

ID, OTHER = "1" * 32, "2" * 32
LAYOUT = RestoredLayout(16, (), (), (), {}, {}, 0, -1, False, True, 0)


def account(number: int, **changes: object) -> Account:
    fields = {"keys": (AccessKey(f"AK{number}", b"sealed"),)} | changes
    return Account(f"{number:012}", f"{number:064x}", f"account-{number}", f"a{number}@x.example", 1, **fields)


def after(state: ClusterState, *commands: Command) -> ClusterState:
    for command in commands:
        state, outcome = apply(state, command)
        assert not outcome.error, outcome
    return state


def refused(state: ClusterState, command: Command) -> str:
    changed, outcome = apply(state, command)
    assert changed.accounts is state.accounts
    return outcome.error


KMS = (
    CreateKmsKey("k1", KmsKey("aws/s3", "arn:1", 1, (b"m",))),
    CreateKmsKey("k2", KmsKey("default", "arn:2", 1, (b"m",), ("alias/aws/s3",))),
)
FRESH = after(ClusterState(), FoundCluster("f", "ab" * 16, 16), PutRoot("root", account(9)), *KMS)
BEGUN = BeginRestore("b", ID, 70, "cd" * 16, "ef" * 16, LAYOUT)


def restored() -> ClusterState:
    pieces = (
        RestorePiece("p1", ID, accounts=(account(1, root=True), account(2))),
        RestorePiece("p2", ID, accounts=(account(2, keys=(), groups={"g": Group("g", "AGPA1", 1)}),)),
        RestorePiece("p3", ID, kms_keys=(KmsKey("k", "arn", 1, (b"m",), ("alias/k",)),), limits={"all/": Limits(1)}),
    )
    return after(FRESH, BEGUN, *pieces, EndRestore("e", ID, 3))


def test_what_was_restored_is_found_and_what_was_there_is_not() -> None:
    state = restored()
    assert set(state.accounts) == {"account-1", "account-2"}
    assert state.accounts["account-2"].groups.keys() == {"g"}
    assert holder_of(state, "AK2") == (state.accounts["account-2"], None)
    assert holder_of(state, "AK9") is None
    assert state.kms_key("alias/k") == state.kms_keys["k"]
    assert (state.cluster_id, state.database_id, state.restored, state.staged) == ("cd" * 16, "ef" * 16, ID, None)
    assert state.limits_of(Scope("all")) == Limits(1)


def test_its_version_is_above_any_the_lost_managers_may_have_given() -> None:
    assert restored().version == ERA
    far = replace(BEGUN, version=3 * ERA + 9)
    assert after(FRESH, far, EndRestore("e", ID, 0)).version == 4 * ERA


def test_nothing_is_in_force_before_the_end() -> None:
    state = after(FRESH, BEGUN, RestorePiece("p1", ID, accounts=(account(1, root=True),)))
    assert set(state.accounts) == {"account-9"}
    assert holder_of(state, "AK1") is None
    assert state.version == FRESH.version + 2


def test_pieces_of_another_restore_are_refused_and_missing_ones_missed() -> None:
    begun = after(FRESH, BEGUN)
    assert refused(begun, RestorePiece("p", OTHER)) == "RestoreSuperseded"
    assert refused(FRESH, RestorePiece("p", ID)) == "RestoreSuperseded"
    assert refused(begun, EndRestore("e", ID, 1)) == "RestoreIncomplete"
    again = after(begun, RestorePiece("p", ID), replace(BEGUN, command_id="b2", restore_id=OTHER))
    assert refused(again, EndRestore("e", ID, 1)) == "RestoreSuperseded"
    assert after(again, EndRestore("e", OTHER, 0)).restored == OTHER


def test_who_came_meanwhile_is_not_overwritten() -> None:
    begun = after(FRESH, BEGUN, CreateAccount("c", account(3)))
    assert refused(begun, EndRestore("e", ID, 0)) == "NotEmpty"


def test_a_machine_of_its_own_is_not_restored_into_a_cluster() -> None:
    assert refused(FRESH, replace(BEGUN, cluster_id="")) == "InvalidInput"
    alone = after(ClusterState(), PutRoot("root", account(9)))
    assert refused(alone, BEGUN) == "InvalidInput"


@pytest.mark.parametrize(
    "command",
    [
        CreateAccount("c", account(3)),
        Create("c", "account-9", Group("g", "AGPA1", 1)),
        Create("c", "account-9", OidcProvider("issuer", 1)),
        SetLimits("c", Scope("all"), Limits(1)),
        RegisterNode("c", "n", "127.0.0.1:1", "z", {}, 1),
        BindDatabase("c", "ef" * 16),
        CreateKmsKey("c", KmsKey("own", "arn", 1, (b"m",))),
        RotateKmsKey("c", "aws/s3", 1, b"m2"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_whoever_has_done_anything_has_an_occupied_control_state(command: Command) -> None:
    assert occupied(FRESH) == ""
    assert occupied(ClusterState()) == ""
    state = after(FRESH, command)
    assert occupied(state)
    assert refused(state, BEGUN) == "NotEmpty"


def test_a_restored_state_is_somebodys() -> None:
    assert inhabited(after(FRESH, BEGUN, EndRestore("e", ID, 0)))
