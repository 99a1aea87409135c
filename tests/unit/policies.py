"""Principals, policies and decisions, as the tests of the policy engine write them."""

import json

from app.core.policy.evaluation import decide
from app.core.policy.grammar import BUCKET, parse
from app.core.policy.principal import AttachedPolicy, Principal
from app.core.policy.s3_context import Acted, S3Context
from app.core.policy.statement import Request
from app.services.call import Facts

OWN, OTHER = "111122223333", "444455556666"
BUCKET_ARN, KEY_ARN = "arn:aws:s3:::b", "arn:aws:s3:::b/home/alice/x"
ALICE_ARN = f"arn:aws:iam::{OWN}:user/alice"
ROLE_ARN = f"arn:aws:iam::{OWN}:role/reader"
SESSION_ARN = f"arn:aws:sts::{OWN}:assumed-role/reader/now"


def text(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def own(effect="Allow", action="s3:*", resource="*", **more):
    return text({"Effect": effect, "Action": action, "Resource": resource, **more})


def bucket_policy(principal="*", effect="Allow", action="s3:*", resource="arn:aws:s3:::b/*", **more):
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource, **more}
    return parse(text(statement), BUCKET)


ALLOW, DENY, SILENT = own(), own("Deny"), own(action="s3:CreateBucket")


def user(identity=(), boundary=None, session=(), account=OWN):
    return Principal(
        "user",
        f"arn:aws:iam::{account}:user/alice",
        account,
        name="alice",
        identity=tuple(AttachedPolicy("inline", f"p{n}", one) for n, one in enumerate(identity)),
        boundary=None if boundary is None else AttachedPolicy("boundary", "edge", boundary),
        session=tuple(AttachedPolicy("session", "s", one) for one in session),
    )


def role(identity=(), boundary=None, session=()):
    one = user(identity, boundary, session)
    return Principal(
        "role",
        SESSION_ARN,
        OWN,
        role_arn=ROLE_ARN,
        identity=one.identity,
        boundary=one.boundary,
        session=one.session,
    )


def decision(principal, resource=None, acl=False, action="s3:GetObject", arn=KEY_ARN, facts=None, **acted):
    context = S3Context(facts or Facts(), principal, 1_800_000_000_000, Acted(OWN, **acted))
    return decide(Request(principal, action, arn, OWN, context, "c" * 64), resource, acl)


def named(arn):
    return bucket_policy({"AWS": arn})


def documented(statements):
    return parse(json.dumps({"Version": "2012-10-17", "Statement": statements}), BUCKET)
