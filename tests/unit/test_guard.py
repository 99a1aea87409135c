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
from app.services.directory import Directory
from app.services.guard import Guard

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
