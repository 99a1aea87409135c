"""The control plane as a pure function: what each command does, and with which of AWS's words it is refused."""

import dataclasses
import time

import pytest

from app.core import limits
from app.core.cluster import (
    AccessKey,
    Account,
    AddKey,
    AddPolicyVersion,
    Attach,
    ClusterState,
    Create,
    CreateAccount,
    CreateKmsKey,
    Delete,
    DeleteAccount,
    DeleteInline,
    Detach,
    Group,
    Holder,
    KmsKey,
    ManagedPolicy,
    Outcome,
    PolicyVersion,
    PutInline,
    PutRoot,
    RemoveKey,
    RemovePolicyVersion,
    Role,
    RotateKmsKey,
    SetBoundary,
    SetDefaultVersion,
    SetKeyActive,
    SetKmsKeyState,
    SetMember,
    SetTags,
    SetTrust,
    User,
    Who,
    apply,
    arn,
    assembled,
    holder_of,
    principal_of,
)

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
OWN = "arn:aws:iam::000000000001:policy/own"
TEXT = '{"Version":"2012-10-17","Statement":[]}'
MIA = Who("one", "user", "mia")
READERS = Who("one", "group", "readers")
TAKEN = Who("one", "role", "taken")
POLICY = Who("one", "policy", "own")


def account(number: int, name: str, **changes: object) -> Account:
    fields = {"email": f"{name}@example.com", "created_ms": 1, "keys": (AccessKey(f"AK{name}", b"sealed"),)}
    return Account(f"{number:012}", f"{number:064x}", name, **(fields | changes))


def key(name: str) -> AccessKey:
    return AccessKey(name, b"sealed", created_ms=5)


class Plane:
    """A state that commands are applied to, one after the other; each gets an id of its own."""

    def __init__(self) -> None:
        self.state = ClusterState()
        for made in (PutRoot("root", account(9, "root")), CreateAccount("one", account(1, "one"))):
            self.state, outcome = apply(self.state, made)
            assert outcome == Outcome()
        self.does(Create, "one", User("mia", "AIDA1", 1, tags={"team": "a"}))
        self.does(Create, "one", Group("readers", "AGPA1", 1))
        self.does(Create, "one", Role("taken", "AROA1", 1, TEXT))
        self.does(Create, "one", ManagedPolicy("own", "ANPA1", 1, (PolicyVersion("v1", TEXT, 1),)))

    def submit(self, kind: type, *values: object) -> Outcome:
        before = self.state
        self.state, outcome = apply(before, kind(f"c{before.version}", *values))
        assert self.state.version == before.version + 1
        rebuilt = assembled(
            self.state.version, self.state.accounts.values(), self.state.kms_keys.values(), self.state.outcomes
        )
        assert self.state == rebuilt, "an index is not what its contents make"
        return outcome

    def does(self, kind: type, *values: object) -> None:
        assert self.submit(kind, *values) == Outcome()

    def refuses(self, error: str, kind: type, *values: object) -> None:
        before = self.state.accounts, self.state.kms_keys
        assert self.submit(kind, *values).error == error
        assert (self.state.accounts, self.state.kms_keys) == before

    @property
    def one(self) -> Account:
        return self.state.accounts["one"]


@pytest.fixture
def plane() -> Plane:
    return Plane()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "one"},
        {"account_id": "000000000001"},
        {"canonical_id": f"{1:064x}"},
        {"email": "ONE@example.com"},
        {"keys": (key("AKone"),)},
    ],
)
def test_what_names_an_account_names_no_other(plane, changes):
    plane.refuses("EntityAlreadyExists", CreateAccount, dataclasses.replace(account(2, "two"), **changes))


def test_a_deleted_account_takes_its_users_keys_and_its_names_along(plane):
    plane.does(AddKey, Holder("one", "mia"), key("AKmia"))
    assert holder_of(plane.state, "AKmia") == (plane.one, plane.one.users["mia"])
    plane.does(DeleteAccount, "one")
    assert holder_of(plane.state, "AKmia") is None
    plane.does(CreateAccount, account(1, "one", keys=(key("AKmia"),)))
    plane.refuses("NoSuchEntity", DeleteAccount, "two")
    plane.refuses("DeleteConflict", DeleteAccount, "root")


def test_an_account_or_user_has_two_keys_and_no_more(plane):
    for holder in (Holder("one", "mia"), Holder("one")):
        while len(plane.one.users["mia"].keys if holder.user else plane.one.keys) < limits.ACCESS_KEYS_MAX:
            plane.does(AddKey, holder, key(f"AK{plane.state.version}"))
        plane.refuses("LimitExceeded", AddKey, holder, key("AKmore"))
    plane.refuses("EntityAlreadyExists", AddKey, Holder("root"), key("AKone"))
    plane.refuses("NoSuchEntity", AddKey, Holder("one", "tom"), key("AKtom"))


def test_keys_are_switched_and_removed_but_the_operator_keeps_one(plane):
    plane.does(AddKey, Holder("one", "mia"), key("AKmia"))
    plane.does(SetKeyActive, Holder("one", "mia"), "AKmia", False)
    assert [one.status for one in plane.one.users["mia"].keys] == ["Inactive"]
    plane.does(RemoveKey, Holder("one", "mia"), "AKmia")
    plane.refuses("NoSuchEntity", RemoveKey, Holder("one", "mia"), "AKmia")
    plane.refuses("NoSuchEntity", SetKeyActive, Holder("one"), "AKmia", True)
    plane.refuses("DeleteConflict", RemoveKey, Holder("root"), "AKroot")
    plane.refuses("DeleteConflict", SetKeyActive, Holder("root"), "AKroot", False)


def test_a_new_root_key_replaces_the_old_ones_and_keeps_the_identity(plane):
    plane.does(PutRoot, account(7, "other", keys=(key("AKfresh"),)))
    root = plane.state.accounts["root"]
    assert (root.account_id, [one.access_key for one in root.keys]) == (f"{9:012}", ["AKfresh"])
    assert holder_of(plane.state, "AKroot") is None
    plane.refuses("EntityAlreadyExists", PutRoot, account(7, "other", keys=(key("AKone"),)))


@pytest.mark.parametrize(
    "entity",
    [
        User("MIA", "AIDA2", 1),
        Group("Readers", "AGPA2", 1),
        Role("taken", "AROA2", 1, TEXT),
        ManagedPolicy("OWN", "ANPA2", 1, (PolicyVersion("v1", TEXT, 1),)),
    ],
)
def test_names_are_unique_in_their_kind_and_account_without_case(plane, entity):
    plane.refuses("EntityAlreadyExists", Create, "one", entity)
    plane.does(Create, "root", entity)
    plane.refuses("NoSuchEntity", Create, "two", entity)


def test_what_holds_something_cannot_be_deleted(plane):
    steps = [
        (MIA, (Attach, MIA, READ_ONLY), (Detach, MIA, READ_ONLY)),
        (MIA, (PutInline, MIA, "in", TEXT), (DeleteInline, MIA, "in")),
        (MIA, (AddKey, Holder("one", "mia"), key("AKmia")), (RemoveKey, Holder("one", "mia"), "AKmia")),
        (MIA, (SetMember, "one", "readers", "mia", True), (SetMember, "one", "readers", "mia", False)),
        (READERS, (SetMember, "one", "readers", "mia", True), (SetMember, "one", "readers", "mia", False)),
        (READERS, (Attach, READERS, OWN), (Detach, READERS, OWN)),
        (TAKEN, (PutInline, TAKEN, "in", TEXT), (DeleteInline, TAKEN, "in")),
        (POLICY, (Attach, TAKEN, OWN), (Detach, TAKEN, OWN)),
        (POLICY, (SetBoundary, MIA, OWN), (SetBoundary, MIA, "")),
        (POLICY, (AddPolicyVersion, POLICY, PolicyVersion("", TEXT, 2), False), (RemovePolicyVersion, POLICY, "v2")),
    ]
    for who, bind, loose in steps:
        plane.does(*bind)
        plane.refuses("DeleteConflict", Delete, who)
        plane.does(*loose)
    for who in (MIA, READERS, TAKEN, POLICY):
        plane.does(Delete, who)
        plane.refuses("NoSuchEntity", Delete, who)


def test_policies_are_attached_within_their_account_only(plane):
    plane.does(Attach, MIA, READ_ONLY)
    plane.does(Attach, MIA, READ_ONLY)
    assert plane.one.users["mia"].attached == (READ_ONLY,)
    for policy in ("arn:aws:iam::000000000009:policy/own", "arn:aws:iam::aws:policy/None", "own", OWN + "/own"):
        plane.refuses("NoSuchEntity", Attach, MIA, policy)
        plane.refuses("NoSuchEntity", SetBoundary, MIA, policy)
        plane.refuses("NoSuchEntity", Detach, MIA, policy)
    plane.refuses("NoSuchEntity", DeleteInline, MIA, "none")


def test_a_managed_policy_keeps_five_versions_and_numbers_none_twice(plane):
    for _ in range(limits.POLICY_VERSIONS_MAX - 1):
        plane.does(AddPolicyVersion, POLICY, PolicyVersion("", TEXT, 2), False)
    plane.refuses("LimitExceeded", AddPolicyVersion, POLICY, PolicyVersion("", TEXT, 2), False)
    plane.does(RemovePolicyVersion, POLICY, "v5")
    plane.does(AddPolicyVersion, POLICY, PolicyVersion("", "newest", 3), True)
    policy = plane.one.policies["own"]
    assert ([one.version_id for one in policy.versions], policy.default) == (["v1", "v2", "v3", "v4", "v6"], "v6")
    assert policy.text == "newest"
    plane.refuses("DeleteConflict", RemovePolicyVersion, POLICY, "v6")
    plane.refuses("NoSuchEntity", SetDefaultVersion, POLICY, "v5")
    plane.does(SetDefaultVersion, POLICY, "v1")
    assert plane.one.policies["own"].text == TEXT


def test_sizes_and_numbers_are_bounded_and_blanks_do_not_count(plane):
    plane.does(PutInline, MIA, "in", " " * 10_000 + "x" * limits.USER_INLINE_CHARS_MAX)
    plane.refuses("LimitExceeded", PutInline, MIA, "more", "x")
    plane.refuses("LimitExceeded", PutInline, READERS, "in", "x" * (limits.GROUP_INLINE_CHARS_MAX + 1))
    plane.refuses("LimitExceeded", SetTrust, TAKEN, "x" * (limits.TRUST_POLICY_CHARS_MAX + 1), 3_600)
    plane.refuses("LimitExceeded", SetTags, MIA, {str(n): "" for n in range(limits.ENTITY_TAGS_MAX + 1)})
    text = PolicyVersion("", "x" * (limits.MANAGED_POLICY_CHARS_MAX + 1), 1)
    plane.refuses("LimitExceeded", AddPolicyVersion, POLICY, text, False)
    for number in range(limits.ATTACHED_POLICIES_MAX + 1):
        policy = ManagedPolicy(f"p{number}", "ANPA", 1, (PolicyVersion("v1", TEXT, 1),))
        plane.does(Create, "one", policy)
        last = plane.submit(Attach, MIA, arn("000000000001", policy))
    assert last.error == "LimitExceeded"


def test_a_principal_gathers_every_policy_that_speaks_of_a_user(plane):
    plane.does(PutInline, MIA, "in", "1")
    plane.does(Attach, MIA, OWN)
    plane.does(PutInline, READERS, "shared", "2")
    plane.does(Attach, READERS, READ_ONLY)
    plane.does(SetMember, "one", "readers", "mia", True)
    plane.does(SetBoundary, MIA, READ_ONLY)
    found = principal_of(plane.one, plane.one.users["mia"])
    assert (found.kind, found.arn, found.name) == ("user", "arn:aws:iam::000000000001:user/mia", "mia")
    assert (found.unique_id, found.tags) == ("AIDA1", {"team": "a"})
    assert [(one.kind, one.name) for one in found.identity] == [
        ("inline", "in"),
        ("managed", OWN),
        ("group-inline", "readers/shared"),
        ("group-managed", READ_ONLY),
    ]
    assert found.boundary is not None
    assert "s3:Get*" in found.boundary.text
    assert principal_of(plane.one, None).arn == "arn:aws:iam::000000000001:root"


def test_a_boundary_that_is_gone_allows_nothing(plane):
    mia = dataclasses.replace(plane.one.users["mia"], boundary=OWN + "-gone", attached=(OWN + "-gone",))
    found = principal_of(plane.one, mia)
    assert found.identity == ()
    assert found.boundary is not None
    assert found.boundary.text == TEXT


def test_the_keyring_s_keys_are_found_by_id_alias_and_arn(plane):
    made = KmsKey("k1", "arn:aws:kms:here:1:key/k1", 1, (b"0",), ("alias/a/b",))
    plane.does(CreateKmsKey, made)
    names = ("k1", "alias/a/b", made.arn, "arn:aws:kms:here:1:alias/a/b")
    assert [plane.state.kms_key(name) for name in names] == [made] * 4
    assert plane.state.kms_key("k2") is None
    plane.refuses("EntityAlreadyExists", CreateKmsKey, made)
    plane.refuses("EntityAlreadyExists", CreateKmsKey, dataclasses.replace(made, key_id="k2"))


def test_a_rotated_key_keeps_its_older_material(plane):
    plane.does(CreateKmsKey, KmsKey("k1", "arn", 1, (b"0",)))
    plane.does(RotateKmsKey, "k1", 1, b"1")
    plane.refuses("ConcurrentModification", RotateKmsKey, "k1", 1, b"1 again")
    assert plane.state.kms_keys["k1"].versions == (b"0", b"1")
    plane.does(SetKmsKeyState, "k1", "PendingDeletion", 77)
    assert (plane.state.kms_keys["k1"].enabled, plane.state.kms_keys["k1"].deletion_ms) == (False, 77)
    plane.refuses("KMSInvalidStateException", RotateKmsKey, "k1", 2, b"2")
    plane.does(SetKmsKeyState, "k1", "Enabled")
    assert plane.state.kms_keys["k1"].deletion_ms == 0
    plane.refuses("NotFoundException", SetKmsKeyState, "k2", "Enabled")


def test_a_repeated_command_changes_nothing_and_answers_as_before(plane):
    command = CreateAccount("again", account(3, "three"))
    first, outcome = apply(plane.state, command)
    assert apply(first, command) == (first, outcome) == (first, Outcome())


@pytest.mark.slow
def test_a_change_among_ten_thousand_accounts_takes_a_few_milliseconds():
    state = assembled(1, [account(n, f"a{n}") for n in range(9_990)], (), {})
    begun = time.perf_counter()
    for number in range(50):
        state, outcome = apply(state, AddKey(f"c{number}", Holder(f"a{number}"), key(f"AKmore{number}")))
        assert outcome == Outcome()
    assert (time.perf_counter() - begun) / 50 < 0.02
