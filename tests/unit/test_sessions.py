"""Temporary credentials: who gets them, what they are worth, and what they die of."""

from dataclasses import replace

import pytest

from app.adapters.cluster.sealing import Sealer
from app.adapters.sessions import SessionTokens
from app.core import limits
from app.core.cluster import AccessKey, Holder, RemoveKey, Rename, SetDisabled, SetKeyActive, Who
from app.core.errors import S3Error
from app.core.sessions.session import Party, Session, decode, encode
from app.services.gate.callers import Callers, Tokens
from app.services.gate.permits import Deed, decision
from app.services.identity.sessions import Wanted
from tests.session_room import (
    GET,
    MASTER_KEY,
    NOW_MS,
    ROLE_ARN,
    TEAM,
    Room,
    allow,
    assumed,
    refused,
    trust,
    user_arn,
)


@pytest.fixture
def room():
    return Room()


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
    room.set_role(tags={"TEAM": "red", "site": "x"})
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
    "the key was made again": lambda room: room.set_user("mia", keys=(AccessKey("AKIAMIA", b"s", created_ms=99),)),
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


# --- workers that are behind


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
