"""What holds of every decision: a denial wins, nothing breaks it, and it does not take long."""

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.policy.evaluation import Effect
from app.core.policy.principal import ANONYMOUS, SERVICE, AttachedPolicy, Principal, account_root
from app.services.call import Facts
from tests.unit.policies import DENY, OTHER, OWN, bucket_policy, decision, documented, role, text, user

_STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.sampled_from(["*", "s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject"]),
        "Resource": st.sampled_from(["*", "arn:aws:s3:::*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}"]),
        "Condition": st.sampled_from(
            [
                {},
                {"StringLike": {"aws:UserAgent": "*x*"}},
                {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}},
                {"NumericLessThanIfExists": {"s3:max-keys": "10"}},
            ]
        ),
    }
)
_TEXTS = st.one_of(st.lists(_STATEMENTS, max_size=3).map(lambda some: text(*some)), st.text(max_size=5))
_PRINCIPALS = st.builds(
    lambda make, identity, boundary, session: make(identity, boundary, session),
    st.sampled_from([user, role, lambda *some: user(*some, account=OTHER)]),
    st.lists(_TEXTS, max_size=2),
    st.none() | _TEXTS,
    st.lists(_TEXTS, max_size=2),
)


@settings(max_examples=400, deadline=None)
@given(_PRINCIPALS, st.sampled_from(["identity", "boundary", "session", "resource"]), st.booleans())
def test_an_explicit_denial_anywhere_always_wins(principal, where, acl):
    resource = bucket_policy()
    if where == "resource":
        resource = bucket_policy(effect="Deny")
    attached = {
        "identity": (*principal.identity, AttachedPolicy("inline", "deny", DENY)),
        "session": (*principal.session, AttachedPolicy("session", "deny", DENY)),
    }
    parts = {name: getattr(principal, name) for name in ("identity", "boundary", "session")}
    if where in attached:
        parts[where] = attached[where]
    elif where == "boundary":
        parts["boundary"] = AttachedPolicy("boundary", "deny", DENY)
    one = Principal(principal.kind, principal.arn, principal.account_id, role_arn=principal.role_arn, **parts)
    assert decision(one, resource, acl).effect is Effect.EXPLICIT_DENY


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(_PRINCIPALS, st.sampled_from([ANONYMOUS, SERVICE, account_root(OWN)])),
    st.text(max_size=20),
    st.text(max_size=20),
    st.dictionaries(st.sampled_from(["user-agent", "x-amz-tagging", "x-amz-acl"]), st.text(max_size=9)),
    st.booleans(),
)
def test_no_request_and_no_policy_breaks_a_decision(principal, action, arn, headers, acl):
    found = decision(principal, bucket_policy(), acl, action, arn, Facts(headers=headers))
    assert found.reason
    assert found.message("a", action, arn)


def test_a_policy_of_ten_statements_is_weighed_quickly():
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringLike": {"aws:UserAgent": "*boto*"}}
    policy = documented(
        [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{OWN}:user/u{n}"},
                "Action": ["s3:GetObject", "s3:Put*"],
                "Resource": "arn:aws:s3:::b/home/${aws:username}/*",
                "Condition": condition,
            }
            for n in range(10)
        ]
    )
    facts, principal = Facts(remote="10.1.2.3", headers={"user-agent": "boto3"}), user()
    rounds = []
    for _ in range(5):
        begun = perf_counter()
        for _ in range(200):
            decision(principal, policy, facts=facts)
        rounds.append((perf_counter() - begun) / 200)
    assert min(rounds) < 400e-6  # 60 us on an idle machine


@pytest.mark.parametrize(
    "values",
    [
        [f"*{number}?*" for number in range(1_500)],
        ["*?${aws:Referer}*", *(f"?{number}${{aws:UserAgent}}*" for number in range(700))],
    ],
)
def test_no_policy_is_so_made_that_a_request_is_weighed_for_long(values):
    """Whoever owns a bucket writes its policy, and whoever comes writes the headers: neither keeps a worker busy."""
    condition = {"StringLike": {"aws:UserAgent": values}}
    policy = documented(
        [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "arn:aws:s3:::b/*", "Condition": condition}]
    )
    begun = perf_counter()
    decision(user(), policy, facts=Facts(headers={"user-agent": "ab" * 4_000, "referer": "a" * 4_000}))
    assert perf_counter() - begun < 0.5  # 5 ms on an idle machine; it was more than a second
