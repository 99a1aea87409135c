"""Worked examples of AWS's documentation, decided as it says."""

from app.core.policy.principal import account_root
from app.services.call import Facts
from tests.unit.policies import ALICE_ARN, ALLOW, BUCKET_ARN, OTHER, OWN, decision, documented, text, user

STRANGER = user([ALLOW], account=OTHER)


def test_the_documented_policy_for_encrypted_transport_denies_plain_http():
    policy = documented(
        [
            {
                "Sid": "RestrictToTLSRequestsOnly",
                "Action": "s3:*",
                "Effect": "Deny",
                "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                "Principal": "*",
            }
        ]
    )
    assert not decision(account_root(OWN), policy, facts=Facts(secure=False)).allowed
    assert decision(account_root(OWN), policy, facts=Facts(secure=True)).allowed


def test_the_documented_policy_for_addresses_denies_all_others():
    policy = documented(
        [
            {
                "Sid": "IPAllow",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
                "Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
            }
        ]
    )
    assert decision(user([ALLOW]), policy, facts=Facts(remote="192.0.2.9")).allowed
    assert not decision(user([ALLOW]), policy, facts=Facts(remote="203.0.113.9")).allowed


def test_the_documented_policy_for_home_folders_opens_only_ones_own():
    policy = text(
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": BUCKET_ARN,
            "Condition": {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}},
        },
        {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/home/${aws:username}/*"},
    )

    def lists(prefix):
        facts = Facts(parameters={"prefix": prefix})
        return decision(user([policy]), action="s3:ListBucket", arn=BUCKET_ARN, facts=facts).allowed

    assert [lists(one) for one in ("", "home/", "home/alice/a", "home/bob/")] == [True, True, True, False]
    assert decision(user([policy])).allowed
    assert not decision(user([policy]), arn="arn:aws:s3:::b/home/bob/x").allowed


def test_the_documented_policy_for_classified_objects_reads_their_tags():
    policy = documented(
        [
            {
                "Principal": {"AWS": ALICE_ARN},
                "Effect": "Allow",
                "Resource": "arn:aws:s3:::b/*",
                "Action": ["s3:GetObject"],
                "Condition": {"StringEquals": {"s3:ExistingObjectTag/environment": "production"}},
            }
        ]
    )
    assert decision(user(), policy, object_tags={"environment": "production"}).allowed
    assert not decision(user(), policy, object_tags={"Environment": "production"}).allowed
    assert not decision(user(), policy).allowed


def test_the_documented_policy_for_full_control_wants_the_header():
    policy = documented(
        [
            {
                "Sid": "PolicyForAllowUploadWithACL",
                "Effect": "Allow",
                "Principal": {"AWS": OTHER},
                "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::b/*",
                "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
            }
        ]
    )
    asked = Facts(headers={"x-amz-acl": "bucket-owner-full-control"})
    assert decision(STRANGER, policy, action="s3:PutObject", facts=asked).allowed
    assert not decision(STRANGER, policy, action="s3:PutObject").allowed
