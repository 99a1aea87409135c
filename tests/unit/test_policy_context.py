"""Condition keys of S3 requests: what each reads, and what is absent."""

import pytest

from app.core.policy.keys import canonical_key, is_known
from app.core.policy.principal import ANONYMOUS, SERVICE, Principal, account_root
from app.core.policy.s3_context import Acted, S3Context
from app.services.call import NO_FACTS, Facts

ALICE = Principal(
    "user", "arn:aws:iam::111122223333:user/alice", "111122223333", "alice", "AIDA1", tags={"Team": "red"}
)
ROLE = Principal(
    "role",
    "arn:aws:sts::111122223333:assumed-role/r/s",
    "111122223333",
    unique_id="AROA1:s",
    role_arn="arn:aws:iam::111122223333:role/r",
)
FACTS = Facts(
    headers={
        "user-agent": "boto3",
        "referer": "https://example.com/",
        "x-amz-acl": "private",
        "x-amz-copy-source": "/b/k",
        "x-amz-tagging": "Class=open&Owner=me",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2027-01-25T08:00:00Z",
        "x-amz-object-lock-legal-hold": "ON",
        "if-none-match": "*",
    },
    parameters={"prefix": "a/", "delimiter": "", "max-keys": "10", "versionId": "null"},
    remote="192.0.2.7",
    secure=True,
    auth_type="REST-HEADER",
    signature_version="AWS4-HMAC-SHA256",
    signature_age_ms=1500,
)
NOW_MS = 1_800_000_000_000  # 2027-01-15T08:00:00Z
ACTED = Acted("444455556666", {"Class": "shut"}, {"Cost": "7"}, {"s3:locationconstraint": ("eu-west-1",)})


def value(key, principal=ALICE, facts=FACTS, acted=ACTED):
    return S3Context(facts, principal, NOW_MS, acted).get(canonical_key(key))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("aws:SourceIp", "192.0.2.7"),
        ("aws:SecureTransport", "true"),
        ("aws:CurrentTime", "2027-01-15T08:00:00.000Z"),
        ("aws:EpochTime", "1800000000"),
        ("aws:UserAgent", "boto3"),
        ("aws:Referer", "https://example.com/"),
        ("aws:username", "alice"),
        ("aws:userid", "AIDA1"),
        ("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"),
        ("aws:PrincipalAccount", "111122223333"),
        ("aws:PrincipalType", "User"),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:PrincipalTag/team", "red"),
        ("aws:RequestTag/class", "open"),
        ("aws:ResourceTag/cost", "7"),
        ("aws:ResourceAccount", "444455556666"),
        ("s3:ResourceAccount", "444455556666"),
        ("s3:prefix", "a/"),
        ("s3:delimiter", ""),
        ("s3:max-keys", "10"),
        ("s3:VersionId", "null"),
        ("s3:x-amz-acl", "private"),
        ("s3:x-amz-copy-source", "/b/k"),
        ("s3:x-amz-server-side-encryption", "aws:kms"),
        ("s3:x-amz-storage-class", "STANDARD_IA"),
        ("s3:object-lock-mode", "GOVERNANCE"),
        ("s3:object-lock-legal-hold", "ON"),
        ("s3:object-lock-retain-until-date", "2027-01-25T08:00:00Z"),
        ("s3:object-lock-remaining-retention-days", "10"),
        ("s3:ExistingObjectTag/Class", "shut"),
        ("s3:RequestObjectTag/Class", "open"),
        ("s3:signatureversion", "AWS4-HMAC-SHA256"),
        ("s3:authType", "REST-HEADER"),
        ("s3:signatureAge", "1500"),
        ("s3:if-none-match", "*"),
        ("s3:LocationConstraint", "eu-west-1"),
    ],
)
def test_a_key_reads_the_request(key, expected):
    assert value(key) == (expected,)
    assert is_known(canonical_key(key))


def test_all_names_of_the_tags_asked_for_are_values():
    assert value("s3:RequestObjectTagKeys") == ("Class", "Owner")
    assert value("aws:TagKeys") == ("Class", "Owner")


@pytest.mark.parametrize(
    "key",
    [
        "aws:SourceIp",
        "aws:UserAgent",
        "aws:username",
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:TagKeys",
        "aws:PrincipalTag/team",
        "s3:prefix",
        "s3:signatureAge",
        "s3:authType",
        "s3:ExistingObjectTag/class",
        "s3:object-lock-remaining-retention-days",
        "s3:TlsVersion",
        "aws:SourceVpc",
        "nothing",
        "no/thing",
    ],
)
def test_what_is_unknown_is_absent_and_never_an_empty_text(key):
    assert value(key, ANONYMOUS, NO_FACTS, Acted()) is None


def test_who_calls_is_told_by_type():
    found = [value("aws:PrincipalType", one) for one in (account_root("1" * 12), ALICE, ROLE, ANONYMOUS, SERVICE)]
    assert found == [("Account",), ("User",), ("AssumedRole",), ("Anonymous",), ("Service",)]
    assert value("aws:userid", ANONYMOUS) == ("anonymous",)
    assert value("aws:PrincipalArn", ROLE) == ("arn:aws:iam::111122223333:role/r",)
    assert value("aws:username", ROLE) is None


def test_tags_that_cannot_be_read_are_none():
    facts = Facts(headers={"x-amz-tagging": "a=1&a=2"})
    assert value("s3:RequestObjectTagKeys", facts=facts) is None
