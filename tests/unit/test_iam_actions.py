"""IAM's actions: what they do, who may ask for them, and what nobody reaches by way of them."""

import os

import pytest

from app.adapters.cluster.sealing import Sealer
from app.core import limits
from app.core.cluster import Group, apply
from app.core.errors import S3Error
from app.core.policy.principal import Principal
from app.faces.http.query.iam.ask import UseCases
from app.faces.http.query.iam.table import service
from app.services.call import Sources
from app.services.identity.commanding import CommandRefused, Desk, Identities
from app.services.identity.control import Control
from app.services.identity.iam import Iam
from app.services.identity.sessions import Wanted
from tests.session_room import OTHER, TEAM, Room, allow, assumed, text, user_arn

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


class IamRoom(Room):
    """The room of sessions, with IAM's actions in it."""

    def __init__(self):
        super().__init__()
        made = Identities(lambda: f"AKIA{os.urandom(8).hex().upper()}", lambda: os.urandom(20).hex(), os.urandom)
        desk = Desk(self, Sources(lambda: self.now_ms, lambda: os.urandom(16)), made)
        sealer = Sealer(b"k" * 32, os.urandom)
        self.actions = service(UseCases(Iam(desk), Control(desk, sealer.seal))).actions

    def submit(self, command):
        self.now, outcome = apply(self.now, command)
        return outcome

    def ask(self, action, by="AKIATEAM", **form):
        return self.asked(action, self.call(by), **form)

    def asked(self, action, call, **form):
        given = {name.replace("__", "."): value for name, value in form.items()}
        return self.actions[action](call, {"Action": action, **given})

    def denied(self, action, by, **form):
        return self.denied_call(action, self.call(by), **form)

    def denied_call(self, action, call, **form):
        with pytest.raises(S3Error) as caught:
            self.asked(action, call, **form)
        return caught.value.code == "AccessDenied"

    def refused(self, action, by="AKIATEAM", **form):
        with pytest.raises(CommandRefused) as caught:
            self.ask(action, by, **form)
        return caught.value.code


@pytest.fixture
def room():
    return IamRoom()


def test_a_user_is_made_found_without_case_renamed_and_deleted(room):
    made = room.ask("CreateUser", UserName="Ann", Path="/x/", Tags__member__1__Key="a", Tags__member__1__Value="b")
    assert made["User"]["Arn"] == f"arn:aws:iam::{TEAM}:user/x/Ann"
    assert made["User"]["Tags"] == [{"Key": "a", "Value": "b"}]
    assert room.ask("GetUser", UserName="ann") == made
    assert room.refused("CreateUser", UserName="ANN") == "EntityAlreadyExists"
    room.ask("UpdateUser", UserName="ann", NewUserName="bea", NewPath="/y/")
    assert room.ask("GetUser", UserName="bea")["User"]["UserId"] == made["User"]["UserId"]
    room.ask("DeleteUser", UserName="bea")
    assert room.refused("GetUser", UserName="bea") == "NoSuchEntity"


def test_who_is_meant_without_a_name_is_who_asks(room):
    assert room.ask("GetUser")["User"]["Arn"] == f"arn:aws:iam::{TEAM}:root"
    assert room.ask("GetUser", "AKIAMIA")["User"]["UserName"] == "mia"
    keys = room.ask("ListAccessKeys", "AKIAMIA")["AccessKeyMetadata"]
    assert [one["AccessKeyId"] for one in keys] == ["AKIAMIA"]
    made = room.ask("CreateAccessKey")["AccessKey"]
    assert room.call(made["AccessKeyId"]).caller.identity.kind == "root"


def test_keys_of_root_are_roots_alone(room):
    """A user who may do everything names root by no name; without a name it has its own keys."""
    before = room.now.accounts["team"].keys
    made = room.ask("CreateAccessKey", "AKIAMIA")["AccessKey"]
    assert made["UserName"] == "mia"
    assert room.refused("CreateAccessKey", "AKIAMIA", UserName="root") == "NoSuchEntity"
    assert room.refused("DeleteAccessKey", "AKIAMIA", AccessKeyId="AKIATEAM") == "NoSuchEntity"
    role = room.by(assumed(room))
    with pytest.raises(CommandRefused, match="non-User"):
        room.asked("CreateAccessKey", role)
    assert room.now.accounts["team"].keys == before


def test_who_has_no_policy_may_nothing_and_learns_nothing(room):
    assert room.denied("CreateUser", "AKIATOM", UserName="x")
    assert room.denied("GetUser", "AKIATOM", UserName="mia")
    assert room.denied("GetUser", "AKIATOM", UserName="nobody")
    assert room.denied("CreateAccessKey", "AKIATOM")
    assert room.denied("PutUserPolicy", "AKIATOM", UserName="tom", PolicyName="p", PolicyDocument=allow())
    assert room.denied("AttachUserPolicy", "AKIATOM", UserName="tom", PolicyArn=READ_ONLY)
    assert room.denied("AddUserToGroup", "AKIATOM", UserName="tom", GroupName="g")


def test_nobody_acts_on_another_account(room):
    assert room.refused("GetUser", "AKIAOTHER", UserName="mia") == "NoSuchEntity"
    assert room.refused("DeleteAccessKey", "AKIAOTHER", AccessKeyId="AKIAMIA") == "NoSuchEntity"
    assert room.refused("GetAccessKeyLastUsed", "AKIAOTHER", AccessKeyId="AKIAMIA") == "NoSuchEntity"
    room.ask("CreatePolicy", PolicyName="p", PolicyDocument=allow())
    theirs = f"arn:aws:iam::{TEAM}:policy/p"
    assert room.refused("GetPolicy", "AKIAOTHER", PolicyArn=theirs) == "NoSuchEntity"
    assert room.refused("AttachUserPolicy", "AKIAOTHER", UserName="zoe", PolicyArn=theirs) == "NoSuchEntity"
    assert room.ask("ListUsers", "AKIAOTHER")["Users"][0]["Arn"] == user_arn("zoe", OTHER)


def test_the_operators_root_acts_by_iam_in_its_own_account_only(room):
    assert room.ask("ListUsers", "AKIAROOT")["Users"] == []
    assert room.refused("GetUser", "AKIAROOT", UserName="mia") == "NoSuchEntity"


def test_a_session_policy_narrows_what_may_be_administered(room):
    """CVE-2025-62506: what a restricted session makes is restricted as it is."""
    narrow = assumed(room, policy=allow("s3:*"))
    assert room.denied_call("CreateAccessKey", room.by(narrow), UserName="mia")
    assert room.denied_call("CreateUser", room.by(narrow), UserName="x")
    assert room.asked("ListUsers", room.by(assumed(room)))["IsTruncated"] is False


def test_sessions_made_for_the_asking_administer_nothing(room):
    own = room.by(room.sessions.session_token(room.call("AKIAMIA"), None))
    theirs = room.by(room.sessions.federation_token(room.call("AKIAMIA"), Wanted(name="bob", policy=allow())))
    for call in (own, theirs):
        assert room.denied_call("CreateAccessKey", call, UserName="mia")
        assert room.denied_call("ListUsers", call)


def test_a_boundary_holds_whatever_its_bearer_gives_itself(room):
    room.ask("CreatePolicy", PolicyName="edge", PolicyDocument=allow(["s3:*", "iam:PutUserPolicy"]))
    edge = f"arn:aws:iam::{TEAM}:policy/edge"
    room.ask("PutUserPermissionsBoundary", UserName="mia", PermissionsBoundary=edge)
    room.ask("PutUserPolicy", "AKIAMIA", UserName="mia", PolicyName="more", PolicyDocument=allow())
    assert room.denied("DeleteUserPermissionsBoundary", "AKIAMIA", UserName="mia")
    assert room.denied("CreateUser", "AKIAMIA", UserName="x")
    assert room.refused("DeletePolicy", PolicyArn=edge) == "DeleteConflict"


def test_who_may_make_users_within_a_boundary_makes_no_others(room):
    room.ask("CreatePolicy", PolicyName="edge", PolicyDocument=allow("s3:*"))
    edge = f"arn:aws:iam::{TEAM}:policy/edge"
    bounded = {"StringEquals": {"iam:PermissionsBoundary": edge}}
    room.set_user("tom", inline={"a": allow(["iam:CreateUser", "iam:PutUserPolicy"], Condition=bounded)})
    assert room.denied("CreateUser", "AKIATOM", UserName="x")
    assert room.denied("CreateUser", "AKIATOM", UserName="x", PermissionsBoundary=READ_ONLY)
    room.ask("CreateUser", "AKIATOM", UserName="x", PermissionsBoundary=edge)
    room.ask("PutUserPolicy", "AKIATOM", UserName="x", PolicyName="p", PolicyDocument=allow())
    assert room.denied("PutUserPolicy", "AKIATOM", UserName="mia", PolicyName="p", PolicyDocument=allow())


def test_conditions_ask_for_tags_and_for_the_policy_attached(room):
    only = {"ArnEquals": {"iam:PolicyARN": READ_ONLY}}
    tagged = {"StringEquals": {"iam:ResourceTag/team": "red"}}
    room.set_user(
        "tom",
        inline={
            "a": text(
                {"Effect": "Allow", "Action": "iam:AttachUserPolicy", "Resource": "*", "Condition": only},
                {"Effect": "Allow", "Action": "iam:DeleteUser", "Resource": "*", "Condition": tagged},
                {"Effect": "Allow", "Action": ["iam:CreateUser", "iam:TagUser"], "Resource": "*"},
                {
                    "Effect": "Deny",
                    "Action": "iam:CreateUser",
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:RequestTag/team": "red"}},
                },
            )
        },
    )
    room.ask("AttachUserPolicy", "AKIATOM", UserName="tom", PolicyArn=READ_ONLY)
    full = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert room.denied("AttachUserPolicy", "AKIATOM", UserName="tom", PolicyArn=full)
    room.ask("CreateUser", UserName="red", Tags__member__1__Key="Team", Tags__member__1__Value="red")
    room.ask("DeleteUser", "AKIATOM", UserName="red")
    assert room.denied("DeleteUser", "AKIATOM", UserName="mia")
    for spelling in ("team", "TEAM"):
        tags = {"Tags__member__1__Key": spelling, "Tags__member__1__Value": "red"}
        assert room.denied("CreateUser", "AKIATOM", UserName="y", **tags)


def test_a_user_moved_to_another_path_must_be_ones_own_there_too(room):
    room.set_user("tom", inline={"a": allow("iam:*", f"arn:aws:iam::{TEAM}:user/mine/*")})
    room.ask("CreateUser", "AKIATOM", UserName="x", Path="/mine/")
    assert room.denied("UpdateUser", "AKIATOM", UserName="x", NewPath="/yours/")
    assert room.denied("UpdateUser", "AKIATOM", UserName="mia", NewPath="/mine/")
    room.ask("UpdateUser", "AKIATOM", UserName="x", NewPath="/mine/too/")


def test_lists_have_pages(room):
    for name in ("b", "A", "c"):
        room.ask("CreateGroup", GroupName=name)
    seen, marker = [], {}
    for _ in range(3):
        page = room.ask("ListGroups", MaxItems="1", **marker)
        seen += [one["GroupName"] for one in page["Groups"]]
        marker = {"Marker": page["Marker"]} if page["IsTruncated"] else {}
    assert (seen, marker) == (["A", "b", "c"], {})
    assert room.refused("ListGroups", MaxItems="0") == "ValidationError"
    assert room.refused("ListGroups", MaxItems=str(limits.QUERY_ITEMS_MAX + 1)) == "ValidationError"
    assert room.refused("ListGroups", Marker="!") == "ValidationError"


def test_built_in_policies_are_listed_and_stay_as_they_are(room):
    listed = room.ask("ListPolicies", Scope="AWS")["Policies"]
    assert READ_ONLY in [one["Arn"] for one in listed]
    assert room.ask("ListPolicies", Scope="Local")["Policies"] == []
    with pytest.raises(S3Error, match="Built-in"):
        room.ask("DeletePolicy", PolicyArn=READ_ONLY)
    room.ask("AttachUserPolicy", UserName="tom", PolicyArn=READ_ONLY)
    only = room.ask("ListPolicies", OnlyAttached="true")["Policies"]
    assert [(one["Arn"], one["AttachmentCount"]) for one in only] == [(READ_ONLY, 1)]
    users = room.ask("ListEntitiesForPolicy", PolicyArn=READ_ONLY)["PolicyUsers"]
    assert [one["UserName"] for one in users] == ["tom"]


def test_what_is_malformed_is_refused(room):
    assert room.refused("CreateUser") == "ValidationError"
    assert room.refused("CreateUser", UserName="a/b") == "ValidationError"
    assert room.refused("CreateUser", UserName="a", Path="x") == "ValidationError"
    assert (
        room.refused("PutUserPolicy", UserName="mia", PolicyName="p", PolicyDocument="{") == "MalformedPolicyDocument"
    )
    twice = {f"Tags__member__{n}__Key": key for n, key in ((1, "a"), (2, "A"))}
    assert room.refused("CreateUser", UserName="a", **twice) == "ValidationError"
    assert room.refused("UpdateAccessKey", AccessKeyId="AKIATEAM", Status="on") == "ValidationError"
    with pytest.raises(S3Error) as caught:
        room.ask("CreateLoginProfile", UserName="mia")
    assert caught.value.code == "NotImplemented"


def test_a_secret_is_told_once_and_everything_else_in_the_details(room):
    made = room.ask("CreateAccessKey", UserName="tom")["AccessKey"]
    room.ask("CreateGroup", GroupName="g")
    room.ask("AddUserToGroup", GroupName="g", UserName="TOM")
    assert isinstance(room.now.accounts["team"].groups["g"], Group)
    details = room.ask("GetAccountAuthorizationDetails")
    assert [one["GroupList"] for one in details["UserDetailList"]] == [[], ["g"]]
    assert made["SecretAccessKey"] not in str((details, room.ask("ListAccessKeys", UserName="tom")))
    assert room.ask("GetAccountSummary")["SummaryMap"]["Users"] == 2


def test_a_provider_of_identities_is_kept_by_its_url(room):
    form = {
        "Url": "https://login.example.com/x",
        "ClientIDList__member__1": "app",
        "ThumbprintList__member__1": "a" * 40,
    }
    made = room.ask("CreateOpenIDConnectProvider", **form)["OpenIDConnectProviderArn"]
    assert made == f"arn:aws:iam::{TEAM}:oidc-provider/login.example.com/x"
    room.ask("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=made, ClientID="two")
    assert room.ask("GetOpenIDConnectProvider", OpenIDConnectProviderArn=made)["ClientIDList"] == ["app", "two"]
    assert room.ask("ListOpenIDConnectProviders")["OpenIDConnectProviderList"] == [{"Arn": made}]
    room.ask("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=made)
    assert room.refused("GetOpenIDConnectProvider", OpenIDConnectProviderArn=made) == "NoSuchEntity"


def test_no_provider_s_claims_pass_for_condition_keys_of_the_system_s_own(room):
    for name in ("aws", "aws:principaltag/team", "s3", "sts/x", "ldap", "saml:x"):
        assert room.refused("CreateOpenIDConnectProvider", Url=f"https://{name}") == "ValidationError"
    assert room.ask("CreateOpenIDConnectProvider", Url="https://aws.example.com")


def test_nobody_in_particular_has_no_account(room):
    call = room.call("AKIAMIA")
    stranger = call.caller._replace(account_id="000000000000", principal=Principal("user", "", "000000000000"))
    assert room.denied_call("ListUsers", call._replace(caller=stranger))


@pytest.mark.parametrize("index", ["x", "0", "2", "01", ""])
def test_members_that_are_not_numbered_from_one_on_are_refused_and_not_left_out(room, index):
    tags = {f"Tags__member__{index}__Key": "team", f"Tags__member__{index}__Value": "red"}
    assert room.refused("CreateUser", UserName="red", **tags) == "ValidationError"
    assert room.refused("GetUser", UserName="red") == "NoSuchEntity"
    assert room.refused("UntagUser", UserName="mia", **{f"TagKeys__member__{index}": "team"}) == "ValidationError"
