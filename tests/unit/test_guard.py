"""The gate: who may do what, told from owners, lists, policies and the public access block alone."""

import json
from dataclasses import replace

import pytest

from app.core.acl import settings
from app.core.acl.settings import ENFORCED, PREFERRED, WRITER, PublicAccessBlock
from app.core.cluster import Account
from app.core.cluster.state import assembled
from app.core.errors import Missing, S3Error
from app.core.policy.principal import AttachedPolicy, Principal
from app.core.types import Attributes, Bucket, Version
from app.services.call import NOBODY, SYSTEM, Call, Caller, Facts, Stages
from app.services.gate.directory import Directory
from app.services.gate.guard import Guard

OWNER = Caller("1" * 12, "a" * 64, "owner", "AK1")
OTHER = Caller("2" * 12, "b" * 64, "other", "AK2")
OPERATOR = Caller("9" * 12, "f" * 64, "operator", "AK9", root=True)


def user(account, *policies, boundary=None):
    """A user of the account with inline policies."""
    attached = tuple(AttachedPolicy("inline", f"p{index}", text) for index, text in enumerate(policies))
    arn = f"arn:aws:iam::{account.account_id}:user/joe"
    bound = None if boundary is None else AttachedPolicy("boundary", "b", boundary)
    principal = Principal("user", arn, account.account_id, "joe", "AIDAJOE", identity=attached, boundary=bound)
    return account._replace(principal=principal)


def statement(effect, action, resource="*", **more):
    """A policy of one statement, as text."""
    one = {"Effect": effect, "Action": action, "Resource": resource} | more
    return json.dumps({"Version": "2012-10-17", "Statement": [one]})


class OneBucket:
    """A store that holds one bucket and is asked for nothing else."""

    def __init__(self, bucket):
        self.bucket = bucket

    def bucket_get(self, name):
        if name != self.bucket.name:
            raise Missing(name)
        return self.bucket


class Accounts:
    """The control state of three accounts."""

    def state(self):
        made = [Account(one.account_id, one.canonical_id, one.display_name, "", 0) for one in (OWNER, OTHER, OPERATOR)]
        return assembled(1, made, (), {})


def bucket(ownership=WRITER, acl="", policy=None, block=None, **more):
    configs = dict(more)
    if ownership != WRITER:
        configs["ownershipControls"] = settings.ownership_document(ownership)
    if acl:
        configs["acl"] = acl.encode()
    if policy is not None:
        configs["policy"] = policy.encode()
    if block is not None:
        configs["publicAccessBlock"] = settings.block_document(block)
    return Bucket(b"i" * 16, "bucket", OWNER.canonical_id, 0, configs=configs)


def version(owner=OWNER, acl="", **tags):
    attributes = Attributes(acl=acl, tags=tags)
    return Version(b"i" * 16, b"key", bytes(16), 1, bytes(16), 1, "e", 0, owner.canonical_id, attributes)


def call(caller, **headers):
    facts = Facts(headers={name.replace("_", "-"): value for name, value in headers.items()}, remote="192.0.2.1")
    return Call(caller, "R", 1_800_000_000_000, Stages(), facts)


def may(caller, where, action, found="no object", **headers):
    """Whether the gate lets it pass; `found`: what is there when the object is looked at."""
    guard, key = Guard(OneBucket(where), Directory(Accounts())), b"key" if "Object" in action else b""
    try:
        admission = guard.admit(call(caller, **headers), "bucket", action, key)
        if found != "no object":
            admission.seen(found)
    except S3Error as error:
        return error.code != "AccessDenied" or not error.reason
    return True


EVERYBODYS_OWNERSHIP = (WRITER, PREFERRED, ENFORCED)
READS = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectTagging")
WRITES = ("s3:PutObject", "s3:DeleteObject", "s3:PutBucketAcl", "s3:PutBucketPolicy", "s3:DeleteBucket")


@pytest.mark.parametrize("ownership", EVERYBODYS_OWNERSHIP)
def test_a_private_bucket_is_its_owners_and_the_operators(ownership):
    where = bucket(ownership)
    for action in (*WRITES, "s3:ListBucket"):
        assert may(OWNER, where, action)
        assert may(OPERATOR, where, action)
        assert may(SYSTEM, where, action)
        for stranger in (OTHER, NOBODY, user(OTHER), user(OWNER)):
            assert not may(stranger, where, action), (stranger, action)
    for action in READS:
        assert may(OWNER, where, action, version())
        assert may(OPERATOR, where, action, version(OTHER))
        assert may(SYSTEM, where, action, version(OTHER))
        for stranger in (OTHER, NOBODY, user(OTHER), user(OWNER)):
            assert not may(stranger, where, action, version()), (stranger, action)
            assert not may(stranger, where, action, None), (stranger, action)


@pytest.mark.parametrize("ownership", EVERYBODYS_OWNERSHIP)
def test_what_another_account_wrote_is_its_own_unless_the_bucket_owns_everything(ownership):
    where, theirs = bucket(ownership), version(OTHER)
    assert may(OWNER, where, "s3:GetObject", theirs) is (ownership == ENFORCED)
    assert may(OTHER, where, "s3:GetObject", theirs) is (ownership != ENFORCED)
    assert may(OTHER, where, "s3:PutObjectAcl", theirs) is (ownership != ENFORCED)
    assert may(OWNER, where, "s3:DeleteObject")
    assert may(OWNER, where, "s3:PutObjectTagging", theirs)
    assert not may(OTHER, where, "s3:PutObjectTagging", theirs)


ON_BUCKETS = {
    "r@all": "s3:ListBucket s3:ListBucketVersions s3:ListBucketMultipartUploads",
    "w@all": "s3:PutObject s3:DeleteObject s3:AbortMultipartUpload s3:ListMultipartUploadParts",
    "R@all": "s3:GetBucketAcl",
    "W@all": "s3:PutBucketAcl",
}
EVERY = [*" ".join(ON_BUCKETS.values()).split(), "s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:DeleteBucket"]


@pytest.mark.parametrize("acl", ON_BUCKETS)
@pytest.mark.parametrize("action", EVERY)
def test_a_buckets_list_allows_what_its_permission_names(acl, action):
    where = bucket(acl=acl)
    expected = action in ON_BUCKETS[acl].split()
    assert may(NOBODY, where, action) is expected
    assert may(OTHER, bucket(acl=acl.replace("@all", "@authenticated")), action) is expected
    assert may(OTHER, bucket(acl=acl.replace("@all", OTHER.canonical_id)), action) is expected
    assert not may(NOBODY, bucket(acl=acl.replace("@all", "@authenticated")), action)
    assert not may(OTHER, bucket(acl=acl.replace("@all", "@logs")), action)
    assert not may(NOBODY, bucket(ENFORCED, acl=acl), action)
    assert not may(NOBODY, bucket(acl=acl, block=PublicAccessBlock(ignore_acls=True)), action)


@pytest.mark.parametrize(
    ("acl", "allowed"),
    [
        ("r@all", {"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"}),
        ("w@all", set()),
        ("R@all", {"s3:GetObjectAcl", "s3:GetObjectVersionAcl"}),
        ("W@all", {"s3:PutObjectAcl", "s3:PutObjectVersionAcl"}),
    ],
)
def test_an_objects_list_allows_what_its_permission_names(acl, allowed):
    actions = {"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectAcl"}
    actions |= {"s3:GetObjectVersionAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:PutObjectTagging"}
    for action in actions | {"s3:GetObjectTagging", "s3:PutObjectRetention"}:
        assert may(NOBODY, bucket(), action, version(acl=acl)) is (action in allowed), action
        assert not may(NOBODY, bucket(ENFORCED), action, version(acl=acl))
        assert not may(NOBODY, bucket(block=PublicAccessBlock(ignore_acls=True)), action, version(acl=acl))


def test_the_absence_of_an_object_is_told_to_those_who_may_list():
    assert may(OWNER, bucket(), "s3:GetObject", None)
    assert may(NOBODY, bucket(acl="r@all"), "s3:GetObject", None)
    assert not may(NOBODY, bucket(acl="w@all"), "s3:GetObject", None)
    marker = version()._replace(delete_marker=True)
    assert not may(NOBODY, bucket(acl="w@all"), "s3:GetObject", marker)
    assert may(NOBODY, bucket(acl="r@all"), "s3:GetObject", marker)


def test_a_list_of_ones_own_object_may_be_asked_for_and_of_anothers_not():
    where = bucket(acl="w" + OTHER.canonical_id)
    assert may(OTHER, where, "s3:PutObject", x_amz_acl="public-read")
    assert not may(user(OTHER, statement("Allow", "s3:PutObject")), where, "s3:PutObject", x_amz_acl="public-read")


def test_the_expected_owner_is_the_buckets_whoever_asks():
    guard = Guard(OneBucket(bucket(acl="r@all")), Directory(Accounts()))
    for caller in (OWNER, OTHER, OPERATOR, NOBODY):
        guard.admit(call(caller), "bucket", "s3:ListBucket", expected_owner=OWNER.account_id)
        with pytest.raises(S3Error) as error:
            guard.admit(call(caller), "bucket", "s3:ListBucket", expected_owner=OTHER.account_id)
        assert error.value.code == "AccessDenied"


def test_nobody_is_told_that_a_bucket_is_not_there():
    with pytest.raises(S3Error) as error:
        Guard(OneBucket(bucket()), Directory(Accounts())).admit(call(NOBODY), "none", "s3:ListBucket")
    assert error.value.code == "NoSuchBucket"


PAID = b"<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>"


def test_who_reads_where_the_requester_pays_is_known_and_agrees():
    where = bucket(acl="r@all", requestPayment=PAID)
    assert may(OWNER, where, "s3:ListBucket")
    assert not may(OTHER, where, "s3:ListBucket")
    assert may(OTHER, where, "s3:ListBucket", x_amz_request_payer="requester")
    assert not may(NOBODY, where, "s3:ListBucket", x_amz_request_payer="requester")
    asked = call(OTHER, x_amz_request_payer="requester")
    Guard(OneBucket(where), Directory(Accounts())).admit(asked, "bucket", "s3:ListBucket")
    assert asked.stages.charged


def test_a_refusal_names_the_reason_to_the_owners_account_only():
    guard = Guard(OneBucket(bucket()), Directory(Accounts()))
    for caller, told in ((user(OWNER), True), (user(OTHER), False), (OTHER, False), (NOBODY, False)):
        with pytest.raises(S3Error) as error:
            guard.admit(call(caller), "bucket", "s3:ListBucket")
        assert ("s3:ListBucket" in error.value.message) is told


def test_a_further_permission_is_asked_of_the_same_rules():
    where = bucket(acl="w@all")
    guard = Guard(OneBucket(where), Directory(Accounts()))
    assert guard.allows(call(OWNER), where, "s3:BypassGovernanceRetention", b"key")
    assert not guard.allows(call(OTHER), where, "s3:BypassGovernanceRetention", b"key")
    assert guard.allows(call(OTHER), where, "s3:PutObject", b"key")
    assert not guard.allows(call(OWNER), where, "s3:GetObject", b"key", version(OTHER))
    assert guard.allows(call(OWNER), replace(where, owner=OWNER.canonical_id), "s3:GetObject", b"key", version())


BUCKET_ARN = "arn:aws:s3:::bucket"
OBJECT_ARN = "arn:aws:s3:::bucket/key"


def allow(action, principal="*", resource=(BUCKET_ARN, f"{BUCKET_ARN}/*"), **more):
    return statement("Allow", action, list(resource), Principal=principal, **more)


def deny(action, principal="*", **more):
    return statement("Deny", action, [BUCKET_ARN, f"{BUCKET_ARN}/*"], Principal=principal, **more)


MAY_READ = statement("Allow", "s3:GetObject", OBJECT_ARN)


def test_a_user_needs_a_policy_of_its_own_or_of_the_bucket():
    joe = user(OWNER, MAY_READ)
    assert may(joe, bucket(), "s3:GetObject", version())
    assert not may(joe, bucket(), "s3:PutObject")
    named = {"AWS": joe.principal.arn}
    assert may(user(OWNER), bucket(policy=allow("s3:GetObject", named)), "s3:GetObject", version())
    assert not may(
        user(OWNER), bucket(policy=allow("s3:GetObject", {"AWS": OWNER.account_id})), "s3:GetObject", version()
    )
    assert not may(
        user(OWNER, MAY_READ, boundary=statement("Allow", "s3:PutObject")), bucket(), "s3:GetObject", version()
    )


def test_another_account_needs_both_sides():
    where = bucket(policy=allow("s3:GetObject", {"AWS": f"arn:aws:iam::{OTHER.account_id}:root"}))
    assert may(OTHER, where, "s3:GetObject", version())
    assert may(user(OTHER, MAY_READ), where, "s3:GetObject", version())
    assert not may(user(OTHER), where, "s3:GetObject", version())
    assert not may(user(OTHER, MAY_READ), bucket(), "s3:GetObject", version())
    assert not may(NOBODY, where, "s3:GetObject", version())


def test_a_list_that_names_an_account_opens_to_its_users_what_it_lets_them():
    listed = version(acl="r" + OTHER.canonical_id)
    assert may(OTHER, bucket(), "s3:GetObject", listed)
    assert may(user(OTHER, MAY_READ), bucket(), "s3:GetObject", listed)
    assert not may(user(OTHER), bucket(), "s3:GetObject", listed)


def test_a_bucket_policy_opens_no_object_of_another_account_and_closes_it():
    theirs = version(OTHER, acl="r@all")
    assert not may(NOBODY, bucket(policy=allow("s3:GetObject")), "s3:GetObject", version(OTHER))
    assert may(NOBODY, bucket(ENFORCED, policy=allow("s3:GetObject")), "s3:GetObject", version(OTHER))
    assert may(NOBODY, bucket(), "s3:GetObject", theirs)
    assert not may(NOBODY, bucket(policy=deny("s3:GetObject")), "s3:GetObject", theirs)


def test_an_explicit_denial_is_for_everybody_but_the_system():
    where = bucket(policy=deny("s3:*"))
    for caller in (OWNER, OTHER, OPERATOR, NOBODY, user(OWNER, statement("Allow", "*"))):
        assert not may(caller, where, "s3:ListBucket")
        assert not may(caller, where, "s3:GetObject", version(acl="r@all"))
        assert not may(caller, where, "s3:GetObject", None)
    assert may(SYSTEM, where, "s3:GetObject", version())


@pytest.mark.parametrize("action", ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"])
def test_the_owners_root_is_never_locked_out_of_the_policy(action):
    for policy in (deny("s3:*"), "not a policy"):
        assert may(OWNER, bucket(policy=policy), action)
        assert not may(OTHER, bucket(policy=policy), action)
        assert not may(user(OWNER, statement("Allow", "*")), bucket(policy=policy), action)


def test_a_policy_that_cannot_be_read_denies():
    where = bucket(policy='{"Version": "2012-10-17"}', acl="r@all")
    for caller in (OWNER, OTHER, OPERATOR, NOBODY):
        assert not may(caller, where, "s3:ListBucket")


def test_an_identity_policy_that_cannot_be_read_denies():
    assert not may(user(OWNER, MAY_READ, "junk"), bucket(), "s3:GetObject", version())


RESTRICTED = PublicAccessBlock(restrict=True)


def test_a_public_policy_of_a_restricted_bucket_is_for_its_own_account():
    public = bucket(policy=allow("s3:ListBucket"), block=RESTRICTED)
    assert may(OWNER, public, "s3:ListBucket")
    assert may(user(OWNER), public, "s3:ListBucket")
    for caller in (OTHER, NOBODY, user(OTHER, statement("Allow", "*"))):
        assert not may(caller, public, "s3:ListBucket")
        assert may(caller, bucket(policy=allow("s3:ListBucket")), "s3:ListBucket")
    named = bucket(policy=allow("s3:ListBucket", {"AWS": OTHER.account_id}), block=RESTRICTED)
    assert may(OTHER, named, "s3:ListBucket")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, True),
        ({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"StringEquals": {"s3:ExistingObjectTag/team": "red"}}, True),
        ({"StringEquals": {"s3:ExistingObjectTag/team": "blue"}}, False),
        ({"StringEquals": {"aws:ResourceAccount": "1" * 12}}, True),
    ],
)
def test_conditions_are_asked_of_the_request_and_of_the_object(condition, holds):
    where, tagged = bucket(policy=allow("s3:GetObject", Condition=condition)), version(team="red")
    assert may(NOBODY, where, "s3:GetObject", tagged) is holds
    closed = bucket(policy=deny("s3:GetObject", Condition=condition))
    assert may(OWNER, closed, "s3:GetObject", tagged) is not holds


def test_absence_is_told_by_the_prefix_that_may_be_listed():
    def where(prefix):
        return bucket(policy=allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": prefix}}))

    assert may(NOBODY, where("ke*"), "s3:GetObject", None)
    assert not may(NOBODY, where("other*"), "s3:GetObject", None)


def test_who_may_write_may_not_set_a_list_without_the_permission():
    where = bucket(ENFORCED, policy=allow("s3:PutObject"))
    assert may(NOBODY, where, "s3:PutObject")
    joe = user(OWNER, statement("Allow", "s3:PutObject"))
    assert may(joe, where, "s3:PutObject")
    assert not may(joe, where, "s3:PutObject", x_amz_acl="public-read")
    assert not may(joe, where, "s3:PutObject", x_amz_grant_read="id=x")


def test_a_buckets_tags_are_asked_where_its_owner_says_so():
    condition = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    tagging = b"<Tagging><TagSet><Tag><Key>team</Key><Value>red</Value></Tag></TagSet></Tagging>"
    joe = user(OWNER, statement("Allow", "s3:ListBucket", BUCKET_ARN, Condition=condition))
    on, off = (b"<AbacStatus><Status>%s</Status></AbacStatus>" % status for status in (b"Enabled", b"Disabled"))
    assert may(joe, bucket(tagging=tagging, abac=on), "s3:ListBucket")
    assert not may(joe, bucket(tagging=tagging, abac=off), "s3:ListBucket")
    assert not may(joe, bucket(tagging=tagging), "s3:ListBucket")
    assert not may(joe, bucket(abac=on), "s3:ListBucket")
