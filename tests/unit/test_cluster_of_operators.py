"""What operators may do to an account and the system: disable, rename, trust issuers, set limits, seal anew."""

from dataclasses import replace

import pytest

from app.core import limits as bounds
from app.core.cluster import (
    NO_LIMITS,
    AccessKey,
    AddKey,
    Create,
    CreateKmsKey,
    Delete,
    DeleteAccount,
    Group,
    Holder,
    KmsKey,
    Limits,
    OidcProvider,
    Rename,
    Reseal,
    Resealed,
    ResealMaterial,
    RotateKmsKey,
    Scope,
    SetDescription,
    SetDisabled,
    SetLimits,
    SetMember,
    SetOidcTrust,
    User,
    Who,
    apply,
    holder_of,
)
from tests.unit.test_cluster import MIA, TAKEN, Plane

ONE = Scope("account", "one")
ISSUER = Who("one", "oidc-provider", "id.example")
LEFT = Limits(bytes=5, requests_per_s=7)


@pytest.fixture
def plane() -> Plane:
    made = Plane()
    made.does(AddKey, Holder("one", "mia"), AccessKey("AKMIA", b"old"))
    return made


# --- disabled holders


def test_an_account_and_a_user_are_disabled_and_believed_again(plane: Plane) -> None:
    for holder in (Holder("one"), Holder("one", "mia")):
        for disabled in (True, True, False):
            plane.does(SetDisabled, holder, disabled)
            found = plane.one.users["mia"] if holder.user else plane.one
            assert found.disabled is disabled


def test_root_cannot_be_disabled_and_who_is_not_there_neither(plane: Plane) -> None:
    plane.refuses("DeleteConflict", SetDisabled, Holder("root"), True)
    plane.refuses("NoSuchEntity", SetDisabled, Holder("none"), True)
    plane.refuses("NoSuchEntity", SetDisabled, Holder("one", "none"), True)
    plane.does(SetDisabled, Holder("root"), False)


# --- other names


def test_a_renamed_user_keeps_keys_policies_groups_and_id(plane: Plane) -> None:
    plane.does(SetMember, "one", "readers", "mia", True)
    before = plane.one.users["mia"]
    plane.does(Rename, MIA, "maria", "/people/")
    assert plane.one.users == {"maria": replace(before, name="maria", path="/people/")}
    assert holder_of(plane.state, "AKMIA") == (plane.one, plane.one.users["maria"])


def test_a_renamed_group_keeps_its_members(plane: Plane) -> None:
    plane.does(SetMember, "one", "readers", "mia", True)
    plane.does(Rename, Who("one", "group", "readers"), "viewers", "/")
    assert set(plane.one.groups) == {"viewers"}
    assert plane.one.users["mia"].groups == ("viewers",)


def test_a_name_may_change_its_case_and_may_not_be_anothers(plane: Plane) -> None:
    plane.does(Create, "one", User("tom", "AIDA2", 1))
    plane.does(Create, "one", Group("writers", "AGPA2", 1))
    plane.refuses("EntityAlreadyExists", Rename, MIA, "TOM", "/")
    plane.refuses("EntityAlreadyExists", Rename, Who("one", "group", "readers"), "writers", "/")
    plane.refuses("NoSuchEntity", Rename, Who("one", "user", "none"), "x", "/")
    plane.does(Rename, MIA, "Mia", "/")
    assert set(plane.one.users) == {"Mia", "tom"}


def test_a_roles_description_is_set(plane: Plane) -> None:
    plane.does(SetDescription, TAKEN, "for audits")
    assert plane.one.roles["taken"].description == "for audits"
    plane.refuses("NoSuchEntity", SetDescription, Who("one", "role", "none"), "x")


# --- issuers


def test_an_issuer_is_made_trusted_otherwise_and_removed(plane: Plane) -> None:
    plane.does(Create, "one", OidcProvider("id.example", 5, ("app",)))
    plane.refuses("EntityAlreadyExists", Create, "one", OidcProvider("id.example", 6))
    plane.does(SetOidcTrust, ISSUER, ("app", "web"), ("ab" * 20,))
    found = plane.one.oidc_providers["id.example"]
    assert (found.client_ids, found.thumbprints, found.created_ms) == (("app", "web"), ("ab" * 20,), 5)
    many = tuple(str(number) for number in range(bounds.OIDC_CLIENTS_MAX + 1))
    plane.refuses("LimitExceeded", SetOidcTrust, ISSUER, many, ())
    plane.refuses("LimitExceeded", Create, "one", OidcProvider("other", 5, (), many))
    plane.does(Delete, ISSUER)
    assert plane.one.oidc_providers == {}
    plane.refuses("NoSuchEntity", SetOidcTrust, ISSUER, (), ())


# --- limits


def test_limits_are_set_for_an_account_a_bucket_and_everybody_and_taken_away() -> None:
    plane = Plane()
    for scope in (ONE, Scope("bucket", "not-there-yet"), Scope("all")):
        _set(plane, scope, LEFT)
        assert plane.state.limits_of(scope) == LEFT
        _set(plane, scope, NO_LIMITS)
        assert plane.state.limits_of(scope) == NO_LIMITS
    assert plane.state.limits == {}


def test_limits_of_an_account_go_with_it_and_need_it() -> None:
    plane = Plane()
    _set(plane, ONE, LEFT)
    plane.state, outcome = _applied(plane, DeleteAccount("gone", "one"))
    assert not outcome
    assert plane.state.limits == {}
    assert _applied(plane, SetLimits("l", ONE, LEFT))[1] == "NoSuchEntity"


def test_there_is_a_limit_to_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.cluster.transitions.LIMITS_MAX", 2)
    plane = Plane()
    for name in ("a", "b", "a"):
        _set(plane, Scope("bucket", name), LEFT)
    assert _applied(plane, SetLimits("l", Scope("bucket", "c"), LEFT))[1] == "LimitExceeded"


def _set(plane: Plane, scope: Scope, limits: Limits) -> None:
    plane.state, error = _applied(plane, SetLimits(f"l{plane.state.version}", scope, limits))
    assert not error


def _applied(plane: Plane, command):
    state, outcome = apply(plane.state, command)
    return state, outcome.error


# --- sealed anew


def test_secrets_are_sealed_anew_where_they_are_still_as_they_were(plane: Plane) -> None:
    plane.does(Reseal, (Resealed("AKMIA", b"old", b"new"), Resealed("AKone", b"sealed", b"fresh")))
    assert plane.one.users["mia"].keys[0] == AccessKey("AKMIA", b"new")
    assert plane.one.keys[0].sealed_secret == b"fresh"
    plane.does(Reseal, (Resealed("AKMIA", b"old", b"late"), Resealed("AKNONE", b"x", b"y")))
    assert plane.one.users["mia"].keys[0].sealed_secret == b"new"


def test_material_is_sealed_anew_in_all_versions_or_in_none(plane: Plane) -> None:
    plane.does(CreateKmsKey, KmsKey("k", "arn", 1, (b"m0",)))
    plane.does(RotateKmsKey, "k", 1, b"m1")
    one, other = Resealed("", b"m0", b"n0"), Resealed("", b"m1", b"n1")
    plane.refuses("ConcurrentModification", ResealMaterial, "k", (one,))
    plane.refuses("ConcurrentModification", ResealMaterial, "k", (other, one))
    plane.refuses("NotFoundException", ResealMaterial, "none", (one,))
    plane.does(ResealMaterial, "k", (one, other))
    assert plane.state.kms_keys["k"].versions == (b"n0", b"n1")
