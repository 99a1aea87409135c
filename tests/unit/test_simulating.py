"""What is foretold: by the gate's own word, for every kind of caller, and worded as AWS words it."""

import json
from itertools import product

import pytest

from app.core.cluster import AccessKey, Account, Group, Role, User
from app.core.cluster.state import assembled
from app.core.errors import Missing, S3Error
from app.core.policy.evaluation import Decision, Effect
from app.core.types import Attributes, Bucket, Version
from app.services.call import NOBODY, Call, Facts, Sources, Stages
from app.services.gate.callers import Callers
from app.services.gate.directory import Directory
from app.services.gate.guard import Guard
from app.services.gate.simulating import ANONYMOUS, Question, Simulating
from app.services.identity.commanding import CommandRefused

NOW_MS = 1_800_000_000_000
TEAM, OTHER, OPERATOR = "1" * 12, "2" * 12, "9" * 12


def text(effect="Allow", action="s3:*", resource="*", **more):
    one = {"Sid": "It", "Effect": effect, "Action": action, "Resource": resource} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [one]})


READS = text(action="s3:Get*")


class World:
    """The control state, and a store of one bucket with one object."""

    def __init__(self, **configs):
        key = (AccessKey("AK-ann", b"s"),)
        users = {
            "ann": User("ann", "AIDAANN", 1, inline={"reads": READS}, keys=key),
            "ben": User("ben", "AIDABEN", 1, inline={"all": text(), "no": text("Deny", "s3:DeleteObject")}),
            "cat": User("cat", "AIDACAT", 1, groups=frozenset({"g"}), boundary="arn:aws:iam::aws:policy/none"),
        }
        team = Account(
            TEAM, "a" * 64, "team", "", 1, (AccessKey("AK-team", b"s"),), users=users,
            groups={"g": Group("g", "AGPAG", 1, inline={"all": text()})},
            roles={"r": Role("r", "AROAR", 1, "{}", inline={"reads": READS})},
        )  # fmt: skip
        dan = User("dan", "AIDADAN", 1, inline={"all": text()})
        other = Account(OTHER, "b" * 64, "other", "", 1, (AccessKey("AK-other", b"s"),), users={"dan": dan})
        operator = Account(OPERATOR, "c" * 64, "root", "", 1, (AccessKey("AK-root", b"s"),), root=True)
        self.now = assembled(1, [team, other, operator], (), {})
        self.bucket = Bucket(b"i" * 16, "bucket", "a" * 64, 0, configs=configs)

    def state(self):
        return self.now

    def bucket_get(self, name):
        if name != "bucket":
            raise Missing(name)
        return self.bucket

    def current(self, bucket_id, key):
        if key != b"key":
            raise Missing(key)
        return Version(b"i" * 16, b"key", bytes(16), 1, bytes(16), 1, "e", 0, "a" * 64, Attributes(tags={"t": "v"}))

    def simulating(self, store=True):
        return Simulating(self, Sources(lambda: NOW_MS, lambda: bytes(16)), self if store else None)

    def foretold(self, principal, action, resource="arn:aws:s3:::bucket/key", within="", **more):
        return self.simulating().simulate(Question(principal, action, resource, **more), within)


POLICIES = {
    "none": None,
    "everybody": text(Principal="*"),
    "denies all": text("Deny", Principal="*"),
    "denies by tag": text(
        "Deny", "s3:GetObject", Principal="*", Condition={"StringEquals": {"s3:ExistingObjectTag/t": "v"}}
    ),
    "names the other": text(Principal={"AWS": f"arn:aws:iam::{OTHER}:root"}),
    "names ann": text(Principal={"AWS": f"arn:aws:iam::{TEAM}:user/ann"}),
    "broken": "{",
}
HOLDERS = {
    f"arn:aws:iam::{TEAM}:root": "AK-team",
    f"arn:aws:iam::{TEAM}:user/ann": "AK-ann",
    f"arn:aws:iam::{OTHER}:root": "AK-other",
    f"arn:aws:iam::{OPERATOR}:root": "AK-root",
    ANONYMOUS: "",
}
ACTIONS = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:ListBucket",
    "s3:GetBucketPolicy",
    "s3:GetObjectTagging",
)


@pytest.mark.parametrize(("name", "block"), [*product(POLICIES, ("", "restricted"))])
def test_what_is_foretold_is_what_the_guard_says_to_a_caller_with_a_key(name, block):
    configs = {} if POLICIES[name] is None else {"policy": POLICIES[name].encode()}
    if block:
        configs["publicAccessBlock"] = (
            b"<PublicAccessBlockConfiguration><RestrictPublicBuckets>true</RestrictPublicBuckets>"
            b"</PublicAccessBlockConfiguration>"
        )
    world = World(**configs)
    callers = Callers(world, lambda _, sealed: sealed.decode())
    for (arn, access_key), action in product(HOLDERS.items(), ACTIONS):
        known = callers.find(access_key) if access_key else None
        caller = NOBODY if known is None else known.caller
        key = b"key" if "Object" in action else b""
        call = Call(caller, "R", NOW_MS, Stages(), Facts())
        try:
            Guard(world, Directory(world)).admit(call, "bucket", action, key).seen(world.current(b"", b"key"))
            served = "allowed"
        except S3Error as error:
            served = error.code
        resource = "arn:aws:s3:::bucket/key" if key else "arn:aws:s3:::bucket"
        told = world.foretold(arn, action, resource)
        assert (told.decision == "allowed") is (served != "AccessDenied"), (arn, action, told)
        assert world.foretold(arn, action.upper().replace("S3:", "s3:"), resource).decision == told.decision


def test_who_decided_and_what_was_missing_is_named():
    world = World()
    ann = f"arn:aws:iam::{TEAM}:user/ann"
    told = world.foretold(ann, "s3:GetObject")
    assert (told.decision, told.kind, told.policy, told.statement) == ("allowed", "inline", "reads", "It")
    told = world.foretold(ann, "s3:PutObject")
    assert (told.decision, told.kind, told.missing) == ("implicitDeny", "", "identity")
    told = world.foretold(f"arn:aws:iam::{TEAM}:user/ben", "s3:DeleteObject")
    assert (told.decision, told.kind, told.policy) == ("explicitDeny", "inline", "no")
    told = world.foretold(f"arn:aws:iam::{TEAM}:user/cat", "s3:GetObject")
    assert (told.decision, told.missing) == ("implicitDeny", "boundary")
    assert [kind for kind, _ in told.considered] == ["group-inline", "boundary"]
    told = world.foretold(ann, "s3:GetObject", session_policies=(text(action="s3:PutObject"),))
    assert (told.decision, told.missing) == ("implicitDeny", "session")
    told = world.foretold(f"arn:aws:iam::{TEAM}:role/r", "s3:GetObject")
    assert (told.decision, told.policy) == ("allowed", "reads")


def test_a_context_counts_instead_of_what_a_request_says():
    condition = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "StringEquals": {"s3:prefix": "home/"}}
    world = World(policy=text(Principal="*", Condition=condition).encode())
    context = {"AWS:SourceIp": ("192.0.2.7",), "s3:prefix": ("home/",)}
    dan, bucket = f"arn:aws:iam::{OTHER}:user/dan", "arn:aws:s3:::bucket"
    assert world.foretold(dan, "s3:ListBucket", bucket).decision == "implicitDeny"
    assert world.foretold(dan, "s3:ListBucket", bucket, context=context).decision == "allowed"
    deed = text("Deny", "iam:*", Condition={"StringEquals": {"iam:PolicyARN": "x"}})
    ben = f"arn:aws:iam::{TEAM}:user/ben"
    asked = {"session_policies": (text(action="*"), deed)}
    assert world.foretold(ben, "iam:AttachUserPolicy", "*", **asked).missing == "identity"
    told = world.foretold(ben, "iam:AttachUserPolicy", "*", context={"iam:PolicyARN": ("x",)}, **asked)
    assert (told.decision, told.kind) == ("explicitDeny", "session")


def test_an_object_that_is_not_there_is_judged_as_one_of_the_owners():
    world = World()
    assert (
        world.foretold(f"arn:aws:iam::{TEAM}:user/ann", "s3:GetObject", "arn:aws:s3:::bucket/none").decision
        == "allowed"
    )
    assert world.foretold(ANONYMOUS, "s3:GetObject", "arn:aws:s3:::bucket/none").decision == "implicitDeny"


def test_where_no_database_is_bucket_policies_are_said_not_to_be_known():
    simulating = World(policy=text("Deny", Principal="*").encode()).simulating(store=False)
    ann = f"arn:aws:iam::{TEAM}:user/ann"
    told = simulating.simulate(Question(ann, "s3:GetObject", "arn:aws:s3:::bucket/key"))
    assert (told.decision, told.resource_policy) == ("allowed", "not known here")
    deny = text("Deny", Principal="*", Resource="arn:aws:s3:::bucket/*")
    told = simulating.simulate(Question(ann, "s3:GetObject", "arn:aws:s3:::bucket/key", resource_policy=deny))
    assert (told.decision, told.kind, told.resource_policy) == ("explicitDeny", "resource", "given")


def test_buckets_to_be_are_the_callers_own():
    world = World()
    for principal, decision in ((f"arn:aws:iam::{TEAM}:user/ben", "allowed"), (ANONYMOUS, "implicitDeny")):
        assert world.foretold(principal, "s3:CreateBucket", "arn:aws:s3:::new").decision == decision
        assert world.foretold(principal, "s3:ListAllMyBuckets", "*").decision == decision


def test_an_account_asks_about_its_own_principals_and_learns_nothing_of_others_buckets():
    world = World(policy=text(Principal="*").encode())
    with pytest.raises(CommandRefused):
        world.foretold(f"arn:aws:iam::{TEAM}:user/ann", "s3:GetObject", within=OTHER)
    told = world.foretold(f"arn:aws:iam::{OTHER}:user/dan", "s3:GetObject", within=OTHER)
    assert (told.decision, told.kind, told.policy, told.considered) == ("allowed", "", "", ())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("identity", "identity-based policy"),
        ("boundary", "permissions boundary"),
        ("session", "session policy"),
        ("resource", "resource-based policy"),
    ],
)
def test_denials_are_worded_as_aws_documents_them(kind, words):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
    begin = 'User: arn:u is not authorized to perform: s3:GetObject on resource: "arn:r" '
    implicit = Decision(Effect.IMPLICIT_DENY, missing=kind).message("arn:u", "s3:GetObject", "arn:r")
    assert implicit == f"{begin}because no {words} allows the s3:GetObject action"
    article = "an" if kind == "identity" else "a"
    kind = "inline" if kind == "identity" else kind
    explicit = Decision(Effect.EXPLICIT_DENY, kind).message("arn:u", "s3:GetObject", "arn:r")
    assert explicit == f"{begin}with an explicit deny in {article} {words}"


def test_callers_of_the_owners_account_are_told_which_kind_of_policy_denied_and_others_are_not():
    world = World()
    simulating = world.simulating()
    cases = [
        (f"arn:aws:iam::{TEAM}:user/ann", (), "s3:PutObject", "because no identity-based policy"),
        (f"arn:aws:iam::{TEAM}:user/ben", (), "s3:DeleteObject", "with an explicit deny in an identity-based policy"),
        (f"arn:aws:iam::{TEAM}:user/cat", (), "s3:GetObject", "because no permissions boundary"),
        (f"arn:aws:iam::{TEAM}:user/ann", (text(action="s3:List*"),), "s3:GetObject", "because no session policy"),
        (f"arn:aws:iam::{TEAM}:user/ann", (text("Deny"),), "s3:GetObject", "with an explicit deny in a session policy"),
        (f"arn:aws:iam::{OTHER}:user/dan", (), "s3:GetObject", ""),
    ]
    for principal, session, action, words in cases:
        question = Question(principal, action, "arn:aws:s3:::bucket/key", session_policies=session)
        call = Call(simulating._caller(question, ""), "R", NOW_MS, Stages(), Facts())
        with pytest.raises(S3Error) as error:
            Guard(world, Directory(world)).admit(call, "bucket", action, b"key").seen(world.current(b"", b"key"))
        assert words in error.value.message if words else error.value.message == "Access Denied"
        assert call.stages.decision is not None
        assert not call.stages.decision.allowed
