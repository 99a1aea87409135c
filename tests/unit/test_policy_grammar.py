"""Policies read: what is taken, what is refused and in which words, and that nothing else escapes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.cluster.built_in import BUILT_IN
from app.core.errors import S3Error
from app.core.policy.grammar import BUCKET, IDENTITY, TRUST, check_bucket_policy, check_size, parse

STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def document(*statements, **elements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **elements})


def changed(**elements):
    return document({name: value for name, value in (STATEMENT | elements).items() if value is not None})


def refusal(text, kind=BUCKET, bucket="b"):
    with pytest.raises(S3Error) as caught:
        check_bucket_policy(parse(text, kind), bucket)
    assert caught.value.code == "MalformedPolicy"
    assert caught.value.status == 400
    return caught.value.message


def outcome(text, kind):
    try:
        policy = parse(text, kind)
        if kind == BUCKET:
            check_bucket_policy(policy, "b")
    except S3Error as error:
        return error.code
    return "taken"


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"Sid": "AddPerm"},
        {"Effect": "Deny", "Principal": None, "NotPrincipal": {"AWS": "111122223333"}},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["111122223333", "arn:aws:iam::444455556666:root"]}},
        {"Principal": {"AWS": "arn:aws:iam::111122223333:user/path/Alice"}},
        {"Principal": {"AWS": "arn:aws:iam::111122223333:role/Admin"}},
        {"Principal": {"AWS": "arn:aws:sts::111122223333:assumed-role/Admin/session"}},
        {"Principal": {"AWS": "arn:aws:iam::tenant1:root"}},
        {"Principal": {"CanonicalUser": "a" * 64}},
        {"Principal": {"Service": "logging.s3.amazonaws.com"}},
        {"Principal": {"Federated": "cognito-identity.amazonaws.com"}},
        {"Action": ["s3:Get*", "S3:PUTOBJECT"]},
        {"Action": "*"},
        {"Action": None, "NotAction": "s3:DeleteObject"},
        {"Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/${aws:username}/*"]},
        {"Resource": "arn:aws:s3:::*"},
        {"Resource": None, "NotResource": "arn:aws:s3:::b/private/*"},
        {"Condition": {"StringEquals": {"s3:x-amz-acl": ["public-read"]}, "Bool": {"aws:SecureTransport": True}}},
        {"Condition": {"NumericLessThan": {"s3:max-keys": 10}}},
        {"Condition": {"StringEquals": {"s3:ExistingObjectTag/Class": "open"}}},
        {"Condition": {}},
    ],
)
def test_a_well_formed_bucket_policy_is_taken(elements):
    check_bucket_policy(parse(changed(**elements), BUCKET), "b")


REFUSED = [
    ({"Effect": None}, "Missing required field Effect"),
    ({"Effect": "allow"}, "Invalid effect: allow"),
    ({"Effect": ["Allow"]}, "Invalid effect: ['Allow']"),
    ({"Principal": None}, "Missing required field Principal"),
    ({"NotPrincipal": "*"}, "Policy has both Principal and NotPrincipal"),
    ({"Principal": None, "NotPrincipal": {"AWS": "111122223333"}}, "Allow with NotPrincipal is not allowed."),
    ({"Principal": "everybody"}, "Invalid principal in policy"),
    ({"Principal": {}}, "Invalid principal in policy"),
    ({"Principal": {"GCP": "*"}}, "Invalid principal in policy"),
    ({"Principal": {"AWS": "1"}}, "Invalid principal in policy"),
    ({"Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}}, "Invalid principal in policy"),
    ({"Principal": {"AWS": "arn:aws:iam::11112222333:root"}}, "Invalid principal in policy"),
    ({"Principal": {"AWS": "arn:aws:iam::*:root"}}, "Invalid principal in policy"),
    ({"Principal": {"CanonicalUser": "*"}}, "Invalid principal in policy"),
    ({"Principal": {"AWS": []}}, "Invalid principal in policy"),
    ({"Principal": {"AWS": 111122223333}}, "Invalid principal in policy"),
    ({"Action": None}, "Missing required field Action"),
    ({"Action": "s3:NoSuchThing"}, "Policy has invalid action"),
    ({"Action": "iam:GetUser"}, "Policy has invalid action"),
    ({"Action": "GetObject"}, "Policy has invalid action"),
    ({"Action": []}, "Policy has invalid action"),
    ({"Action": {"s3": "GetObject"}}, "Policy has invalid action"),
    ({"Resource": None}, "Missing required field Resource"),
    ({"Resource": "b/*"}, "Policy has invalid resource"),
    ({"Resource": "arn:aws:s3:::other/*"}, "Policy has invalid resource"),
    ({"Resource": "arn:aws:s3"}, "Policy has invalid resource"),
    ({"Resource": "arn:aws:sqs:us-east-1:111122223333:b"}, "Policy has invalid resource"),
    ({"Resource": "arn:aws:s3:::b/${aws:username"}, "Policy has invalid resource"),
    ({"Resource": [""]}, "Policy has invalid resource"),
    ({"Resource": "arn:aws:s3:::b/" + "x" * 3000}, "Policy has invalid resource"),
    ({"Condition": {"StringSame": {"s3:prefix": "x"}}}, "Invalid Condition type : StringSame"),
    ({"Condition": {"StringEquals": {"s3:nothing": "x"}}}, "Policy has an invalid condition key"),
    ({"Condition": {"StringEquals": {"prefix": "x"}}}, "Policy has an invalid condition key"),
    ({"Condition": {"NumericEquals": {"s3:max-keys": "x"}}}, "Policy has an invalid condition value for s3:max-keys"),
    ({"Condition": {"StringEquals": {"s3:prefix": []}}}, "Policy has an invalid condition value for s3:prefix"),
    ({"Condition": {"StringEquals": {"s3:prefix": None}}}, "Policy has an invalid condition value for s3:prefix"),
    ({"Condition": {"StringEquals": "x"}}, "Condition must be a JSON object"),
    ({"Condition": []}, "Condition must be a JSON object"),
    ({"Sid": 1}, "Invalid policy syntax: Sid must be a string"),
    ({"Colour": "red"}, "Policy has an unknown field Colour"),
]


@pytest.mark.parametrize(("elements", "message"), REFUSED)
def test_what_is_not_understood_refuses_the_policy(elements, message):
    assert refusal(changed(**elements)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Policies must be valid JSON and the first byte must be '{'"),
        ("[]", "Policies must be valid JSON and the first byte must be '{'"),
        ("{", "This policy contains invalid Json"),
        ('{"Version": NaN}', "This policy contains invalid Json"),
        ('{"Id": "\\ud800", "Statement": []}', "This policy contains invalid Json"),
        ("{" + '"a":{' * 10_000, "Policy exceeds the maximum allowed document size of 20480 bytes."),
        ('{"a":' + "[" * 20_000, "This policy contains invalid Json"),
        ('{"a":' + "[" * 20 + "]" * 20 + "}", "Policy is nested too deeply"),
        ("{}", "Missing required field Statement"),
        (document(), "Could not parse the policy: Statement is empty!"),
        (document(1), "Statement must be a JSON object"),
        (
            json.dumps({"Version": "2013-01-01", "Statement": [STATEMENT]}),
            "The policy must contain a valid version string",
        ),
        ('{"Statement": [], "Statement": []}', "Duplicate keys are not allowed in a policy"),
        (document(STATEMENT, Colour="red"), "Policy has an unknown field Colour"),
        (document(STATEMENT, Id=1), "Invalid policy syntax: Id must be a string"),
        (
            document(STATEMENT | {"Sid": "a"}, STATEMENT | {"Sid": "a"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ],
)
def test_a_document_that_is_no_policy_is_refused(text, message):
    assert refusal(text) == message


def test_identity_policies_name_nobody_and_trust_policies_no_resource():
    assert "principal" in refusal(document(STATEMENT), IDENTITY)
    assert refusal(document(STATEMENT), TRUST) == "Has prohibited field Resource"
    own = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}
    assert parse(document(own), IDENTITY).statements[0].audience is None
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}
    assert parse(document(trust), TRUST).statements[0].resources is None


def test_the_policies_every_account_has_are_well_formed():
    for text in BUILT_IN.values():
        assert parse(text, IDENTITY).statements


def test_a_bucket_policy_without_a_version_is_of_2008():
    assert parse(json.dumps({"Statement": STATEMENT}), BUCKET).version == "2008-10-17"


def test_blanks_do_not_count_towards_the_size_of_an_identity_policy():
    check_size("a " * 100, 100)
    with pytest.raises(S3Error, match="MalformedPolicy"):
        check_size("a " * 101, 100)


@pytest.mark.parametrize(
    ("elements", "asks"),
    [
        ({}, False),
        ({"Condition": {"StringEquals": {"s3:ExistingObjectTag/k": "v"}}}, True),
        ({"Condition": {"StringEquals": {"s3:RequestObjectTag/k": "v"}}}, False),
        ({"Condition": {"StringEquals": {"s3:prefix": "${s3:ExistingObjectTag/k}"}}}, True),
        ({"Resource": "arn:aws:s3:::b/${s3:ExistingObjectTag/k}"}, True),
    ],
)
def test_a_policy_says_whether_it_needs_the_objects_tags(elements, asks):
    assert parse(changed(**elements), BUCKET).asks_object_tags is asks


_WORDS = st.sampled_from(
    (
        *("Version", "Statement", "Effect", "Allow", "Principal", "*", "AWS", "Action", "s3:*", "Resource", "Deny"),
        *("Condition", "StringLike", "NumericLessThan", "aws:SourceIp", "${aws:username}", "${", "2012-10-17"),
        "arn:aws:s3:::b",
    )
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _WORDS, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=5)),
    max_leaves=20,
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(_JSON.map(json.dumps), st.text(max_size=50), _JSON.map(lambda one: document(STATEMENT | {"x": one}))))
def test_nothing_but_a_refusal_escapes_the_parser(text):
    for kind in (BUCKET, IDENTITY, TRUST):
        assert outcome(text, kind) in ("taken", "MalformedPolicy")


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted({*STATEMENT, "Condition", "NotAction", "Sid"})), _JSON)
def test_no_value_of_any_element_breaks_the_parser(name, value):
    assert outcome(document(STATEMENT | {name: value}), BUCKET) in ("taken", "MalformedPolicy")
