"""Temporary credentials: who gets them, what they are worth, and what they die of."""

import os
from dataclasses import replace

import pytest

from app.adapters.cluster.sealing import Sealer
from app.adapters.sessions import SessionTokens
from app.core import limits
from app.core.cluster import Holder, RemoveKey, Rename, SetDisabled, SetKeyActive, Who
from app.core.errors import S3Error
from app.core.sessions.session import Party, Session, decode, encode
from app.services.call import NOBODY
from app.services.gate.callers import Callers, Tokens
from app.services.gate.permits import Deed, decision
from app.services.identity.commanding import CommandRefused
from app.services.identity.sessions import Wanted
from tests.session_room import MASTER_KEY, NOW_MS, OTHER, ROLE_ARN, TEAM, Room, allow, text, trust, user_arn

GET = Deed("s3:GetObject", "arn:aws:s3:::b/k", TEAM)


@pytest.fixture
def room():
    return Room()


def refused(act, *arguments):
    with pytest.raises((S3Error, CommandRefused)) as caught:
        act(*arguments)
    return caught.value.code


def assumed(room, name="now", **wanted):
    return room.sessions.assume_role(room.call("AKIAMIA"), ROLE_ARN, Wanted(name, **wanted))


def believed(room, issued):
    """Whether credentials are believed now; the code of the refusal."""
    try:
        room.by(issued)
    except S3Error as error:
        return error.code
    return ""


# --- the value and its token


def test_a_session_comes_back_from_its_document_as_it_was():
    party = Party("user", TEAM, 5, "mia", "AIDAMIA", "AKIAMIA")
    session = Session(
        "web-identity", "ASIA1", "s", party, 1, 2, (party, party), "n", ("{}",), ("arn",), {"a": "é"}, ("a",), "me",
        {"x:sub": ("1", "2")},
    )  # fmt: skip
    assert decode(encode(session)) == session
    assert "s3cret" not in repr(replace(session, secret="s3cret"))


@pytest.mark.parametrize("document", [b"[2,{}]", b"[1,{}]", b'[1,{"acts":[]}]', b"{}", b"x"])
def test_another_document_is_no_session(document):
    with pytest.raises(ValueError, match=r"."):
        decode(document)


def test_a_token_with_any_byte_changed_is_refused(room):
    issued = assumed(room)
    token = issued.token
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        assert refused(room.callers.find, issued.session.access_key, changed) == "InvalidToken"


@pytest.mark.parametrize(
    "token", ["t", "", "A" * 64, "é", "x" * (limits.SESSION_TOKEN_CHARS_MAX + 1), "AAAA\n", "=" * 8]
)
def test_what_is_no_token_is_refused(room, token):
    assert refused(room.tokens.open, token) == "InvalidToken"


def test_another_spelling_of_a_token_is_another_token(room):
    token = assumed(room).token
    for other in (token + "=", token + "\n", " " + token, token.replace("-", "+") + "=="):
        assert refused(room.tokens.open, other) == "InvalidToken"


def test_a_token_of_another_cluster_is_refused(room):
    theirs = SessionTokens(Sealer(b"o" * 32, lambda n: b"r" * n)).seal(assumed(room).session)
    assert refused(room.tokens.open, theirs) == "InvalidToken"


def test_a_token_opens_under_an_old_master_key_until_that_is_taken_out(room):
    issued = assumed(room)
    room.sealer.take((b"n" * 32, MASTER_KEY))
    assert believed(room, issued) == ""
    assert believed(room, assumed(room)) == ""
    room.sealer.take((b"n" * 32,))
    assert believed(room, issued) == "InvalidToken"


def test_the_token_of_one_does_not_go_with_the_key_of_another(room):
    mine, theirs = assumed(room), assumed(room)
    assert refused(room.callers.find, mine.session.access_key, theirs.token) == "InvalidToken"
    assert refused(room.callers.find, "AKIAMIA", theirs.token) == "InvalidToken"
    assert room.callers.find(mine.session.access_key) is None


def test_where_no_session_is_believed_a_token_is_refused(room):
    callers = type(room.callers)(room, lambda key, sealed: "s")
    assert refused(callers.find, "AKIAMIA", assumed(room).token) == "InvalidToken"


# --- what a session is worth


def test_a_role_s_session_is_called_and_keyed_as_on_aws(room):
    room.set_role(tags={"team": "red", "site": "x"})
    room.set_role(trust=trust({"AWS": user_arn("mia")}, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]))
    call = room.by(assumed(room, tags={"team": "blue"}, source_identity="mia"))
    who = call.caller.identity
    assert who.arn == f"arn:aws:sts::{TEAM}:assumed-role/reader/now"
    assert (who.kind, who.unique_id, who.role_arn) == ("role", "AROAREADER:now", ROLE_ARN)
    assert who.tags == {"team": "blue", "site": "x"}
    assert who.keys["aws:sourceidentity"] == ("mia",)
    assert who.keys["aws:tokenissuetime"] == ("2027-01-15T08:00:00.000Z",)
    assert who.keys["aws:multifactorauthpresent"] == ("false",)
    assert not call.caller.root


def test_a_role_s_policies_are_those_of_now(room):
    issued = assumed(room)
    assert decision(room.by(issued), GET).allowed
    room.set_role(inline={})
    assert not decision(room.by(issued), GET).allowed


def test_a_session_policy_narrows_and_never_widens(room):
    narrow = assumed(room, policy=allow("s3:ListBucket"))
    assert not decision(room.by(narrow), GET).allowed
    room.set_role(inline={"one": allow("s3:ListBucket")})
    wide = assumed(room, policy=allow())
    assert not decision(room.by(wide), GET).allowed


def test_session_policies_are_one_set(room):
    read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    issued = assumed(room, policy=allow("s3:PutObject"), policy_arns=(read_only,))
    assert decision(room.by(issued), GET).allowed
    assert decision(room.by(issued), GET.__class__("s3:PutObject", GET.resource, TEAM)).allowed
    assert not decision(room.by(issued), GET.__class__("s3:DeleteObject", GET.resource, TEAM)).allowed


def test_a_session_of_one_s_own_is_oneself(room):
    call = room.by(room.sessions.session_token(room.call("AKIAMIA"), None))
    assert call.caller.identity.arn == user_arn("mia")
    assert decision(call, GET).allowed


def test_a_federated_user_has_what_both_sides_allow(room):
    call = room.call("AKIAMIA")
    issued = room.sessions.federation_token(call, Wanted("bob", policy=allow("s3:GetObject")))
    bob = room.by(issued)
    assert bob.caller.identity.arn == f"arn:aws:sts::{TEAM}:federated-user/bob" == issued.arn
    assert bob.caller.identity.unique_id == f"{TEAM}:bob"
    assert decision(bob, GET).allowed
    assert not decision(bob, Deed("s3:PutObject", GET.resource, TEAM)).allowed
    room.set_user("mia", inline={"in": allow("s3:PutObject")})
    assert not decision(room.by(issued), GET).allowed


def test_a_federated_user_without_a_session_policy_may_nothing(room):
    issued = room.sessions.federation_token(room.call("AKIATEAM"), Wanted("bob"))
    assert not decision(room.by(issued), GET).allowed


def test_a_federated_user_of_the_operator_is_not_the_operator(room):
    issued = room.sessions.federation_token(room.call("AKIAROOT"), Wanted("bob", policy=allow("s3:GetObject")))
    call = room.by(issued)
    assert not call.caller.root
    assert decision(call, GET).allowed
    assert not decision(call, Deed("s3:PutObject", GET.resource, TEAM)).allowed


# --- what it dies of


def test_a_session_ends_at_its_time_and_not_before(room):
    issued = assumed(room, seconds=900)
    room.now_ms = NOW_MS + 899_999
    assert believed(room, issued) == ""
    room.now_ms = NOW_MS + 900_000
    assert believed(room, issued) == "ExpiredToken"


def removed_user(room):
    room.change(users={name: user for name, user in room.now.accounts["team"].users.items() if name != "mia"})


DEATHS = {
    "the user is disabled": lambda room: room.submit(SetDisabled("c", Holder("team", "mia"), True)),
    "the account is disabled": lambda room: room.submit(SetDisabled("c", Holder("team"), True)),
    "the user is gone": removed_user,
    "the user was made again": lambda room: room.set_user("mia", unique_id="AIDANEW"),
    "the account was made again": lambda room: room.change(created_ms=99),
    "the key is inactive": lambda room: room.submit(SetKeyActive("c", Holder("team", "mia"), "AKIAMIA", False)),
    "the key is gone": lambda room: room.submit(RemoveKey("c", Holder("team", "mia"), "AKIAMIA")),
    "the role was made again": lambda room: room.set_role(unique_id="AROANEW"),
    "the role is gone": lambda room: room.change(roles={}),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_role_s_session_dies_when(room, death):
    issued = assumed(room)
    assert believed(room, issued) == ""
    DEATHS[death](room)
    assert believed(room, issued) == "InvalidToken"


@pytest.mark.parametrize("death", [death for death in DEATHS if "role" not in death])
def test_sessions_of_one_s_own_and_for_others_die_when(room, death):
    call = room.call("AKIAMIA")
    all_of_them = [room.sessions.session_token(call, None), room.sessions.federation_token(call, Wanted("bob"))]
    assert [believed(room, one) for one in all_of_them] == ["", ""]
    DEATHS[death](room)
    assert [believed(room, one) for one in all_of_them] == ["InvalidToken"] * 2


def test_a_session_outlives_another_name_of_its_user(room):
    issued = assumed(room)
    room.submit(Rename("c", Who("team", "user", "mia"), "maria", "/"))
    assert believed(room, issued) == ""


def test_a_chain_of_roles_dies_with_its_first_key(room):
    room.set_role("writer", trust=trust({"AWS": ROLE_ARN}), inline={"s3": allow("s3:*")})
    first = assumed(room)
    second = room.sessions.assume_role(room.by(first), ROLE_ARN.replace("reader", "writer"), Wanted("then"))
    assert believed(room, second) == ""
    room.submit(SetKeyActive("c", Holder("team", "mia"), "AKIAMIA", False))
    assert believed(room, second) == "InvalidToken"


# --- who may take a role


def take(room, access_key, arn=ROLE_ARN):
    return room.sessions.assume_role(room.call(access_key), arn, Wanted("now"))


def test_a_role_is_taken_by_whom_it_trusts_only(room):
    assert refused(take, room, "AKIATOM") == "AccessDenied"
    room.set_user("tom", inline={"all": allow()})
    assert refused(take, room, "AKIATOM") == "AccessDenied"
    room.set_role(trust=trust({"AWS": user_arn("tom")}))
    assert take(room, "AKIATOM").arn.endswith("assumed-role/reader/now")
    room.set_user("tom", inline={})
    assert take(room, "AKIATOM").arn.endswith("assumed-role/reader/now")
    assert refused(take, room, "AKIAMIA") == "AccessDenied"


def test_a_trust_in_the_account_leaves_its_users_to_their_policies(room):
    room.set_role(trust=trust({"AWS": TEAM}))
    assert refused(take, room, "AKIATOM") == "AccessDenied"
    assert take(room, "AKIAMIA")


def test_another_account_s_user_needs_both_sides(room):
    room.set_role(trust=trust({"AWS": user_arn("zoe", OTHER)}))
    assert refused(take, room, "AKIAZOE") == "AccessDenied"
    room.set_user("zoe", "other", inline={"take": allow("sts:AssumeRole", ROLE_ARN)})
    assert take(room, "AKIAZOE").arn == f"arn:aws:sts::{TEAM}:assumed-role/reader/now"
    room.set_role(trust=trust({"AWS": user_arn("mia")}))
    assert refused(take, room, "AKIAZOE") == "AccessDenied"


def test_a_denial_of_either_side_is_final(room):
    room.set_user("mia", inline={"no": text({"Effect": "Deny", "Action": "sts:*", "Resource": "*"})})
    assert refused(take, room, "AKIAMIA") == "AccessDenied"


def test_nobody_and_roots_take_no_role(room):
    room.set_role(trust=trust("*"))
    nobody = room.call_of(NOBODY)
    assert refused(room.sessions.assume_role, nobody, ROLE_ARN, Wanted("now")) == "MissingAuthenticationToken"
    for access_key in ("AKIATEAM", "AKIAROOT"):
        assert refused(take, room, access_key) == "AccessDenied"


@pytest.mark.parametrize(
    "arn", [ROLE_ARN + "x", ROLE_ARN.replace(TEAM, "0" * 12), ROLE_ARN.replace("role/", "role/p/")]
)
def test_a_role_that_is_not_there_is_refused_as_one_that_is(room, arn):
    assert refused(take, room, "AKIAMIA", arn) == "AccessDenied"


@pytest.mark.parametrize("arn", ["", "reader", "arn:aws:iam::1:user/x", "arn:aws:s3:::b"])
def test_what_is_no_role_s_arn_is_invalid(room, arn):
    assert refused(take, room, "AKIAMIA", arn) == "ValidationError"


def test_a_role_may_want_an_external_id_and_a_name(room):
    condition = {"StringEquals": {"sts:ExternalId": "x-1", "sts:RoleSessionName": "${aws:username}"}}
    room.set_role(trust=trust({"AWS": user_arn("mia")}, Condition=condition))
    assert refused(assumed, room) == "AccessDenied"
    call = room.call("AKIAMIA")
    assert refused(room.sessions.assume_role, call, ROLE_ARN, Wanted("mia", external_id="x-2")) == "AccessDenied"
    assert room.sessions.assume_role(call, ROLE_ARN, Wanted("mia", external_id="x-1"))


def test_tags_and_a_source_identity_need_the_trust_to_say_so(room):
    call = room.call("AKIAMIA")
    for wanted in (Wanted("now", tags={"a": "b"}), Wanted("now", source_identity="mia")):
        assert refused(room.sessions.assume_role, call, ROLE_ARN, wanted) == "AccessDenied"
    room.set_role(trust=trust({"AWS": user_arn("mia")}, "sts:*", Condition={"StringLike": {"aws:RequestTag/a": "b*"}}))
    assert room.sessions.assume_role(call, ROLE_ARN, Wanted("now", tags={"a": "b"}))
    assert refused(room.sessions.assume_role, call, ROLE_ARN, Wanted("now", tags={"a": "c"})) == "AccessDenied"


def test_transitive_tags_and_the_source_identity_go_on_and_stay(room):
    everything = {"trust": trust({"AWS": [user_arn("mia"), ROLE_ARN]}, "sts:*"), "inline": {"all": allow()}}
    room.set_role(**everything)
    room.set_role("writer", **everything)
    first = assumed(room, tags={"a": "b", "c": "d"}, transitive=("a",), source_identity="mia")
    writer = ROLE_ARN.replace("reader", "writer")
    second = room.sessions.assume_role(room.by(first), writer, Wanted("then")).session
    assert (second.tags, second.transitive, second.source_identity) == ({"a": "b"}, ("a",), "mia")
    for wanted in (Wanted("then", tags={"a": "x"}), Wanted("then", source_identity="tom")):
        assert refused(room.sessions.assume_role, room.by(first), writer, wanted) in ("AccessDenied", "ValidationError")


# --- bounds


@pytest.mark.parametrize("seconds", [-1, 0, 899, 3601])
def test_a_role_s_session_lasts_as_long_as_the_role_lets_it(room, seconds):
    assert refused(lambda: assumed(room, seconds=seconds)) == "ValidationError"
    room.set_role(session_seconds_max=43_200)
    assert assumed(room, seconds=43_200).session.expires_ms == NOW_MS + 43_200_000
    assert assumed(room).session.expires_ms == NOW_MS + 3_600_000


def test_a_role_taken_by_a_role_s_session_lasts_an_hour_at_most(room):
    room.set_role("writer", trust=trust({"AWS": ROLE_ARN}), session_seconds_max=43_200)
    wanted = Wanted("then", seconds=3_601)
    writer = ROLE_ARN.replace("reader", "writer")
    assert refused(room.sessions.assume_role, room.by(assumed(room)), writer, wanted) == "ValidationError"


def test_a_chain_of_roles_has_an_end(room):
    room.set_role(trust=trust({"AWS": [user_arn("mia"), ROLE_ARN]}))
    issued = assumed(room)
    for _ in range(limits.SESSION_CHAIN_MAX - 1):
        issued = room.sessions.assume_role(room.by(issued), ROLE_ARN, Wanted("again"))
    assert refused(room.sessions.assume_role, room.by(issued), ROLE_ARN, Wanted("again")) == "AccessDenied"


def test_root_s_sessions_last_an_hour_at_most(room):
    assert refused(room.sessions.session_token, room.call("AKIATEAM"), 3_601) == "ValidationError"
    assert room.sessions.session_token(room.call("AKIATEAM"), None).session.expires_ms == NOW_MS + 3_600_000
    assert room.sessions.session_token(room.call("AKIAMIA"), 129_600).session.expires_ms == NOW_MS + 129_600_000
    assert refused(room.sessions.session_token, room.call("AKIAMIA"), 129_601) == "ValidationError"


WRONG = {
    "name": Wanted("x"),
    "no name": Wanted(""),
    "odd name": Wanted("a b"),
    "external id": Wanted("now", external_id="?" * 3),
    "source identity": Wanted("now", source_identity="aws:x"),
    "policy size": Wanted("now", policy=" " * 2_049),
    "policy arn": Wanted("now", policy_arns=("arn:aws:iam::aws:policy/None",)),
    "policy arns": Wanted("now", policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",) * 11),
    "tag": Wanted("now", tags={"aws:x": "y"}),
    "tags in case": Wanted("now", tags={"A": "y", "a": "y"}),
    "too many tags": Wanted("now", tags={f"k{n}": "v" for n in range(51)}),
    "transitive": Wanted("now", tags={"a": "y"}, transitive=("b",)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_malformed_is_told(room, wrong):
    room.set_role(trust=trust({"AWS": user_arn("mia")}, "sts:*"))
    assert refused(room.sessions.assume_role, room.call("AKIAMIA"), ROLE_ARN, WRONG[wrong]) == "ValidationError"


def test_a_malformed_session_policy_is_refused(room):
    assert refused(lambda: assumed(room, policy="{")) == "MalformedPolicyDocument"


def test_a_token_is_bounded(room):
    room.set_role(trust=trust({"AWS": user_arn("mia")}, "sts:*"))
    issued = assumed(room, tags={f"key-{n}": "v" * 256 for n in range(50)})
    assert 0 < issued.packed_percent <= 100
    # Nothing packs what is random.
    noise = {os.urandom(60).hex(): os.urandom(120).hex() for _ in range(50)}
    assert refused(lambda: assumed(room, tags=noise)) == "PackedPolicyTooLarge"


# --- escalation


def test_a_session_for_oneself_neither_administers_nor_makes_sessions(room):
    call = room.call("AKIAMIA")
    for issued in (
        room.sessions.session_token(call, None),
        room.sessions.federation_token(call, Wanted("bob", policy=allow())),
        room.sessions.session_token(room.call("AKIAROOT"), None),
        room.sessions.federation_token(room.call("AKIAROOT"), Wanted("bob", policy=allow())),
    ):
        session = room.by(issued)
        for action in ("iam:CreateAccessKey", "iam:CreateUser", "admin:CreateUser", "sts:GetFederationToken"):
            assert not decision(session, Deed(action, user_arn("mia"), TEAM)).allowed
        assert refused(room.sessions.session_token, session, None) == "AccessDenied"
        assert refused(room.sessions.federation_token, session, Wanted("eve", policy=allow())) == "AccessDenied"


def test_a_federated_user_takes_no_role_but_a_session_of_one_s_own_does(room):
    call = room.call("AKIAMIA")
    own, bob = (
        room.sessions.session_token(call, None),
        room.sessions.federation_token(call, Wanted("bob", policy=allow())),
    )
    room.set_role(trust=trust({"AWS": [user_arn("mia"), f"arn:aws:sts::{TEAM}:federated-user/bob"]}))
    assert room.sessions.assume_role(room.by(own), ROLE_ARN, Wanted("now"))
    assert refused(room.sessions.assume_role, room.by(bob), ROLE_ARN, Wanted("now")) == "AccessDenied"


def test_what_a_session_policy_leaves_out_cannot_be_given_to_oneself_again(room):
    """A session that was narrowed makes no key, user or session that is not (CVE-2025-62506)."""
    session = room.by(assumed(room, policy=allow("s3:GetObject")))
    for action in ("iam:CreateAccessKey", "iam:PutUserPolicy", "iam:CreateUser", "admin:CreateUser", "sts:AssumeRole"):
        assert not decision(session, Deed(action, user_arn("mia"), TEAM)).allowed
    room.set_role(trust=trust({"AWS": [user_arn("mia"), ROLE_ARN]}))
    assert refused(room.sessions.assume_role, session, ROLE_ARN, Wanted("wider")) == "AccessDenied"


def test_a_boundary_of_the_role_holds_in_its_sessions(room):
    room.set_role(boundary=f"arn:aws:iam::{TEAM}:policy/gone")
    assert not decision(room.by(assumed(room)), GET).allowed


def test_a_session_of_a_state_not_seen_yet_is_waited_for_once(room):
    issued = assumed(room)
    ahead = room.tokens.seal(replace(issued.session, version=room.now.version + 1))
    waited = []
    callers = Callers(room, lambda key, sealed: "s", Tokens(room.tokens.open, lambda: room.now_ms, waited.append))
    for _ in range(3):
        assert callers.find(issued.session.access_key, ahead)
        assert callers.find(issued.session.access_key, issued.token)
    assert waited == [room.now.version + 1]


def test_a_role_made_a_moment_ago_elsewhere_is_there_when_its_session_comes(room):
    before = room.now
    room.set_role("fresh", trust=trust({"AWS": user_arn("mia")}), inline={"s3": allow("s3:*")})
    issued = room.sessions.assume_role(room.call("AKIAMIA"), ROLE_ARN.replace("reader", "fresh"), Wanted("now"))
    after, room.now = room.now, before

    def catch_up(version):
        assert version == after.version
        room.now = after

    callers = Callers(room, lambda key, sealed: "s", Tokens(room.tokens.open, lambda: room.now_ms, catch_up))
    assert callers.find(issued.session.access_key, issued.token)
