"""Decisions: AWS's order of evaluation, table by table, and what a decision says."""

import pytest

from app.core.policy.evaluation import Effect
from app.core.policy.grammar import BUCKET, parse
from app.core.policy.principal import ANONYMOUS, SERVICE, Principal, account_root
from tests.unit.policies import (
    ALICE_ARN,
    ALLOW,
    DENY,
    OTHER,
    OWN,
    ROLE_ARN,
    SESSION_ARN,
    SILENT,
    bucket_policy,
    decision,
    named,
    role,
    text,
    user,
)

WITHIN = [
    # principal, bucket policy, allowed, missing
    (user(), None, False, "identity"),
    (user([ALLOW]), None, True, ""),
    (user([SILENT, ALLOW]), None, True, ""),
    (user([ALLOW, DENY]), None, False, ""),
    (user([ALLOW]), bucket_policy(effect="Deny"), False, ""),
    (user(), named(ALICE_ARN), True, ""),
    (user(), bucket_policy(), True, ""),
    (user(), named(OWN), False, "identity"),
    (user(), named(OTHER), False, "identity"),
    (user([ALLOW], SILENT), None, False, "boundary"),
    (user([ALLOW], ALLOW), None, True, ""),
    (user([], ALLOW), None, False, "identity"),
    (user([ALLOW], DENY), None, False, ""),
    (user([ALLOW], None, [SILENT]), None, False, "session"),
    (user([ALLOW], None, [ALLOW]), None, True, ""),
    (user([ALLOW], ALLOW, [SILENT, ALLOW]), None, True, ""),
    (user([ALLOW], ALLOW, [ALLOW, DENY]), None, False, ""),
    (user([], SILENT, [SILENT]), named(ALICE_ARN), True, ""),
    (user([], SILENT), bucket_policy(), True, ""),
    (user([ALLOW], SILENT), named(OWN), False, "boundary"),
    (user([], DENY), named(ALICE_ARN), False, ""),
    (role(), named(ROLE_ARN), True, ""),
    (role([], SILENT), named(ROLE_ARN), False, "boundary"),
    (role([], None, [SILENT]), named(ROLE_ARN), False, "session"),
    (role([], SILENT, [SILENT]), named(SESSION_ARN), True, ""),
    (role([ALLOW], ALLOW, [ALLOW]), None, True, ""),
    (account_root(OWN), None, True, ""),
    (account_root(OWN), bucket_policy({"AWS": OWN}, "Deny"), False, ""),
    (account_root(OWN), bucket_policy(effect="Deny"), False, ""),
    (SERVICE, bucket_policy(effect="Deny"), True, ""),
]


@pytest.mark.parametrize(("principal", "resource", "allowed", "missing"), WITHIN)
def test_within_an_account_either_side_allows(principal, resource, allowed, missing):
    found = decision(principal, resource)
    assert (found.allowed, found.missing) == (allowed, missing)


STRANGER = user([ALLOW], account=OTHER)
STRANGER_ARN = f"arn:aws:iam::{OTHER}:user/alice"
ACROSS = [
    (STRANGER, None, False, False, "resource"),
    (STRANGER, named(STRANGER_ARN), False, True, ""),
    (STRANGER, named(OTHER), False, True, ""),
    (STRANGER, bucket_policy(), False, True, ""),
    (STRANGER, named(OWN), False, False, "resource"),
    (STRANGER, None, True, True, ""),
    (STRANGER, bucket_policy({"AWS": OTHER}, "Deny"), True, False, ""),
    (user(account=OTHER), named(STRANGER_ARN), False, False, "identity"),
    (user(account=OTHER), None, True, False, "identity"),
    (user([ALLOW], SILENT, account=OTHER), named(STRANGER_ARN), False, False, "boundary"),
    (user([ALLOW], None, [SILENT], account=OTHER), named(STRANGER_ARN), False, False, "session"),
    (user([ALLOW, DENY], account=OTHER), named(STRANGER_ARN), False, False, ""),
    (account_root(OTHER), named(OTHER), False, True, ""),
    (account_root(OTHER), None, True, True, ""),
    (account_root(OTHER), None, False, False, "resource"),
    (account_root(OTHER), bucket_policy({"CanonicalUser": "c" * 64}), False, True, ""),
    (account_root(OTHER), bucket_policy({"CanonicalUser": "d" * 64}), False, False, "resource"),
    (ANONYMOUS, None, False, False, "resource"),
    (ANONYMOUS, None, True, True, ""),
    (ANONYMOUS, bucket_policy(), False, True, ""),
    (ANONYMOUS, bucket_policy({"AWS": "*"}), False, True, ""),
    (ANONYMOUS, named(OWN), False, False, "resource"),
    (ANONYMOUS, bucket_policy(effect="Deny"), True, False, ""),
    (Principal("service", "", "", name="logging.s3.amazonaws.com"), None, False, False, "resource"),
    (
        Principal("service", "", "", name="logging.s3.amazonaws.com"),
        bucket_policy({"Service": "logging.s3.amazonaws.com"}),
        False,
        True,
        "",
    ),
]


@pytest.mark.parametrize(("principal", "resource", "acl", "allowed", "missing"), ACROSS)
def test_across_accounts_both_sides_allow_and_nobody_has_but_one(principal, resource, acl, allowed, missing):
    found = decision(principal, resource, acl)
    assert (found.allowed, found.missing) == (allowed, missing)


def test_what_a_list_grants_everybody_needs_no_policy_whatever_the_buckets_says_besides():
    for resource in (None, named(OWN), named(OTHER)):
        assert decision(user([], SILENT), resource, acl=True).allowed
    assert not decision(user(), bucket_policy(effect="Deny"), acl=True).allowed


ELEMENTS = [
    ({"action": "s3:getobject"}, True),
    ({"action": "s3:Get?bject"}, True),
    ({"action": "s3:PutObject"}, False),
    ({"resource": "arn:aws:s3:::b/home/*"}, True),
    ({"resource": "arn:aws:s3:::b/HOME/*"}, False),
    ({"resource": "arn:aws:s3:::b"}, False),
    ({"resource": "arn:aws:s3:::b/home/${aws:username}/*"}, True),
    ({"resource": "arn:aws:s3:::b/${aws:PrincipalTag/none}/*"}, False),
    ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, True),
    ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
    ({"Condition": {"Bool": {"aws:SecureTransport": "false"}, "Null": {"s3:prefix": "false"}}}, False),
    ({"Condition": {"StringEquals": {"aws:PrincipalArn": ALICE_ARN, "aws:username": "bob"}}}, False),
]


@pytest.mark.parametrize(("elements", "allowed"), ELEMENTS)
def test_every_element_of_a_statement_must_fit(elements, allowed):
    assert decision(user(), bucket_policy({"AWS": ALICE_ARN}, **elements)).allowed is allowed


def test_not_action_and_not_resource_speak_of_all_others():
    policy = text({"Effect": "Allow", "NotAction": "s3:Delete*", "NotResource": "arn:aws:s3:::b/secret/*"})
    principal = user([policy])
    assert decision(principal).allowed
    assert not decision(principal, action="s3:DeleteObject").allowed
    assert not decision(principal, arn="arn:aws:s3:::b/secret/x").allowed


@pytest.mark.parametrize(
    ("principal", "denied"),
    [
        (user([ALLOW]), False),
        (role([ALLOW]), True),
        (account_root(OWN), False),
        (STRANGER, True),
        (ANONYMOUS, True),
    ],
)
def test_naming_an_account_in_not_principal_spares_its_root_but_not_its_users(principal, denied):
    statement = {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": [ALICE_ARN, OWN]},
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/*",
    }
    found = decision(principal, parse(text(statement), BUCKET))
    assert (found.effect is Effect.EXPLICIT_DENY) is denied


def test_a_policy_that_cannot_be_read_denies():
    found = decision(user([ALLOW, "{"]))
    assert found.effect is Effect.EXPLICIT_DENY
    assert not decision(user([ALLOW], "nonsense"), named(ALICE_ARN)).allowed


def test_a_decision_says_which_statement_of_which_policy_made_it():
    denies = text(
        {"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Sid": "NoReading", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"},
    )
    found = decision(user([SILENT, denies]))
    assert (found.kind, found.name, found.sid, found.statement) == ("inline", "p1", "NoReading", 1)
    assert found.reason == "explicit deny by identity-based policy 'p1', statement 'NoReading'"
    allowed = decision(user([SILENT, denies]), action="s3:PutObject")
    assert (allowed.effect, allowed.sid, allowed.statement) == (Effect.ALLOW, "All", 0)


MESSAGES = [
    (user(), None, 'on resource: "r" because no identity-based policy allows the s3:GetObject action'),
    (user([ALLOW], SILENT), None, 'on resource: "r" because no permissions boundary allows the s3:GetObject action'),
    (user([ALLOW], None, [SILENT]), None, 'on resource: "r" because no session policy allows the s3:GetObject action'),
    (STRANGER, None, 'on resource: "r" because no resource-based policy allows the s3:GetObject action'),
    (user([DENY]), None, 'on resource: "r" with an explicit deny in an identity-based policy'),
    (user([ALLOW], DENY), None, 'on resource: "r" with an explicit deny in a permissions boundary'),
    (user(), bucket_policy(effect="Deny"), 'on resource: "r" with an explicit deny in a resource-based policy'),
]


@pytest.mark.parametrize(("principal", "resource", "ending"), MESSAGES)
def test_a_refusal_is_worded_as_aws_does(principal, resource, ending):
    message = decision(principal, resource).message("me", "s3:GetObject", "r")
    assert message == f"User: me is not authorized to perform: s3:GetObject {ending}"
