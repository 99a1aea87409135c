"""Who may take a role or have a session, for how long, and that none of them leads to more than it was given."""

import os

import pytest

from app.core import limits
from app.faces.http.query.sts import StsActions
from app.services.call import NOBODY
from app.services.gate.permits import Deed, decision
from app.services.identity.sessions import Wanted
from tests.session_room import (
    GET,
    NOW_MS,
    OTHER,
    ROLE_ARN,
    TEAM,
    Room,
    allow,
    assumed,
    refused,
    text,
    trust,
    user_arn,
)


@pytest.fixture
def room():
    return Room()


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


@pytest.mark.parametrize("member", ["member.x.arn", "member.2.arn", "member.01.arn", "1.arn", "member.1.Arn"])
def test_a_session_policy_in_a_list_that_is_misnumbered_is_refused_and_not_left_out(room, member):
    ask = StsActions(room.sessions, None, None).service().actions["AssumeRole"]
    form = {"RoleArn": ROLE_ARN, "RoleSessionName": "now"}
    read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    assert ask(room.call("AKIAMIA"), {**form, "PolicyArns.member.1.arn": read_only})["Credentials"]
    assert refused(ask, room.call("AKIAMIA"), {**form, f"PolicyArns.{member}": read_only}) == "ValidationError"


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
