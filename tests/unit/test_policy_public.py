"""Whether a bucket policy is public, by AWS's rule of fixed values."""

import json

import pytest

from app.core.policy.grammar import BUCKET, parse
from app.core.policy.public import is_public


def public(condition=None, principal="*", effect="Allow", **more):
    statement = {"Effect": effect, "Principal": principal, "Action": "s3:*", "Resource": "arn:aws:s3:::b/*", **more}
    if condition is not None:
        statement["Condition"] = condition
    return is_public(parse(json.dumps({"Version": "2012-10-17", "Statement": [statement]}), BUCKET))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        ({"StringLike": {"aws:SourceVpc": "vpc-*"}}, True),
        ({"StringEquals": {"aws:SourceVpc": "vpc-91237329"}}, False),
        ({"StringLike": {"aws:SourceVpc": "vpc-91237329"}}, False),
        ({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-91237329"}}, True),
        ({"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-91237329"}}, True),
        ({"StringNotEquals": {"aws:SourceVpc": "vpc-91237329"}}, True),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, False),
        ({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/0"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/7"}}, True),
        ({"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}, False),
        ({"IpAddress": {"aws:SourceIp": "2000::/3"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, True),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/a"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "*"}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"StringEquals": {"aws:PrincipalArn": "${aws:PrincipalArn}"}}, True),
        ({"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-east-1:111122223333:accesspoint/*"}}, False),
        ({"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:*:*:accesspoint/*"}}, True),
        ({"StringEquals": {"aws:UserAgent": "me"}}, True),
        ({"StringEquals": {"aws:userid": "AIDAEXAMPLE"}}, False),
        ({"StringEquals": {"aws:userid": ["AIDAEXAMPLE", "anonymous"]}}, True),
        ({"StringEqualsIgnoreCase": {"aws:userid": "Anonymous"}}, True),
        ({"StringLike": {"aws:userid": "anonymous"}}, True),
        ({"StringEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "anybody sends it"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"StringEquals": {"s3:ExistingObjectTag/public": "yes"}}, True),
    ],
)
def test_a_grant_to_everybody_is_public_unless_a_condition_fixes_who_or_whence(condition, expected):
    assert public(condition) is expected


@pytest.mark.parametrize(
    "principal", [{"AWS": "111122223333"}, {"AWS": ["111122223333"]}, {"Service": "logging.s3.amazonaws.com"}]
)
def test_a_grant_to_fixed_principals_is_not_public(principal):
    assert not public(principal=principal)


def test_a_denial_is_not_public():
    assert not public(effect="Deny")


def test_one_public_statement_among_others_is_enough():
    assert public(principal={"AWS": ["111122223333", "*"]})
