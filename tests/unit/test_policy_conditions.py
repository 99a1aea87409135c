"""Condition operators: each against values, absences, sets and variables."""

import pytest

from app.core.policy.conditions import Condition, operator_named
from app.core.policy.keys import canonical_key


def holds(operator, values, found, key="s3:k", variables=True, **others):
    """Whether `operator` over a policy's `values` holds where the request has `found` (None: it has not the key)."""
    context = {canonical_key(name.replace("__", ":")): (value,) for name, value in others.items()}
    if found is not None:
        context[key] = (found,) if isinstance(found, str) else tuple(found)
    values = (values,) if isinstance(values, str) else tuple(values)
    return Condition(operator_named(operator), key, values, variables).holds(context)


VALUES = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", ("a", "b"), "b", True),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", "a*", "a*", True),
    ("StringNotEquals", "a", "b", True),
    ("StringNotEquals", ("a", "b"), "b", False),
    ("StringEqualsIgnoreCase", "Abc", "aBC", True),
    ("StringNotEqualsIgnoreCase", "Abc", "aBC", False),
    ("StringLike", "home/*", "home/x", True),
    ("StringLike", "home/?", "home/xy", False),
    ("StringNotLike", "home/*", "home/x", False),
    ("StringNotLike", "home/*", "other", True),
    ("stringlike", "h*", "home", True),
    ("NumericEquals", "10", "10.0", True),
    ("NumericNotEquals", "10", "11", True),
    ("NumericLessThan", "10", "9", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericGreaterThan", "10", "10", False),
    ("NumericGreaterThan", "-1.5", "-1", True),
    ("NumericGreaterThanEquals", "10", "10", True),
    ("NumericEquals", "10", "ten", False),
    ("NumericLessThan", "10", "", False),
    ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
    ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", True),
    ("DateLessThan", "2026-01-01", "2025-12-31T23:59:59Z", True),
    ("DateLessThanEquals", "2026", "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", "1767225600", "2026-01-01T00:00:01Z", True),
    ("DateGreaterThanEquals", "2026-01-01T00:00:00Z", "1767225600", True),
    ("DateLessThan", "2026-01-01T00:00:00Z", "soon", False),
    ("Bool", "true", "TRUE", True),
    ("Bool", "false", "true", False),
    ("BinaryEquals", "QUJD", "QUJD", True),
    ("BinaryEquals", "QUJD", "!", False),
    ("IpAddress", "192.0.2.0/24", "192.0.2.188", True),
    ("IpAddress", "192.0.2.0/24", "192.0.3.1", False),
    ("IpAddress", "192.0.2.7", "192.0.2.7", True),
    ("IpAddress", "192.0.2.0/24", "::ffff:192.0.2.1", True),
    ("IpAddress", "2001:db8::/32", "2001:DB8:1234::1", True),
    ("IpAddress", "2001:db8::/32", "192.0.2.1", False),
    ("IpAddress", "0.0.0.0/0", "nowhere", False),
    ("NotIpAddress", "192.0.2.0/24", "192.0.3.1", True),
    ("NotIpAddress", ("192.0.2.0/24", "203.0.113.0/24"), "203.0.113.9", False),
    ("ArnEquals", "arn:aws:iam::*:user/a", "arn:aws:iam::123456789012:user/a", True),
    ("ArnLike", "arn:aws:iam::1*", "arn:aws:iam::123456789012:user/a", False),
    ("ArnNotEquals", "arn:aws:s3:::a", "arn:aws:s3:::b", True),
    ("ArnNotLike", "arn:aws:s3:::*", "arn:aws:s3:::b", False),
    ("Null", "true", "x", False),
    ("Null", "false", "x", True),
]


@pytest.mark.parametrize(("operator", "values", "found", "expected"), VALUES)
def test_an_operator_compares_as_aws_says(operator, values, found, expected):
    assert holds(operator, values, found) is expected


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("StringEquals", "a", False),
        ("StringNotEquals", "a", True),
        ("StringNotLike", "a", True),
        ("StringNotEqualsIgnoreCase", "a", True),
        ("NumericNotEquals", "1", True),
        ("NumericLessThan", "1", False),
        ("DateNotEquals", "2026-01-01", True),
        ("NotIpAddress", "192.0.2.0/24", True),
        ("IpAddress", "192.0.2.0/24", False),
        ("ArnNotLike", "arn:aws:s3:::*", True),
        ("Bool", "false", False),
        ("BoolIfExists", "true", True),
        ("StringEqualsIfExists", "a", True),
        ("NumericLessThanIfExists", "1", True),
        ("ForAllValues:StringEquals", "a", True),
        ("ForAllValues:StringNotEquals", "a", True),
        ("ForAnyValue:StringEquals", "a", False),
        ("ForAnyValue:StringNotEquals", "a", False),
        ("ForAnyValue:StringEqualsIfExists", "a", True),
        ("Null", "true", True),
        ("Null", "false", False),
    ],
)
def test_an_absent_key_meets_negations_if_exists_and_for_all_values(operator, value, expected):
    assert holds(operator, value, None) is expected


@pytest.mark.parametrize(
    ("operator", "values", "found", "expected"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "b"), ("a", "c"), False),
        ("ForAllValues:StringEquals", ("a", "b"), (), True),
        ("ForAnyValue:StringEquals", ("a", "b"), ("c", "b"), True),
        ("ForAnyValue:StringEquals", ("a", "b"), ("c", "d"), False),
        ("ForAllValues:StringNotEquals", ("a",), ("b", "c"), True),
        ("ForAllValues:StringNotEquals", ("a",), ("b", "a"), False),
        ("ForAnyValue:StringNotEquals", ("a",), ("a", "b"), True),
        ("ForAnyValue:StringNotEquals", ("a",), ("a",), False),
        ("ForAllValues:StringLike", ("x*",), ("x1", "x2"), True),
        ("StringEqualsIfExists", "a", "b", False),
    ],
)
def test_sets_of_values_are_asked_one_by_one(operator, values, found, expected):
    assert holds(operator, values, found) is expected


@pytest.mark.parametrize(
    ("operator", "value", "found", "others", "expected"),
    [
        ("StringEquals", "${aws:username}", "alice", {"aws__username": "alice"}, True),
        ("StringLike", "home/${aws:username}/*", "home/alice/x", {"aws__username": "alice"}, True),
        ("StringLike", "home/${aws:UserName}/*", "home/bob/x", {"aws__username": "alice"}, False),
        ("StringLike", "home/${aws:username}/*", "home/bob/x", {"aws__username": "*"}, False),
        ("StringLike", "home/${aws:username}/*", "home//x", {}, False),
        ("StringNotLike", "home/${aws:username}/*", "home//x", {}, True),
        ("StringEquals", "${aws:PrincipalTag/team, 'all'}", "all", {}, True),
        ("StringEquals", "${aws:PrincipalTag/team, 'all'}", "red", {"aws__PrincipalTag/team": "red"}, True),
        ("StringLike", "a${*}b", "a*b", {}, True),
        ("StringLike", "a${*}b", "axb", {}, False),
        ("StringLike", "a${?}b${$}", "a?b$", {}, True),
        ("ArnLike", "arn:aws:iam::${aws:PrincipalAccount}:*", "arn:aws:iam::1:x", {"aws__PrincipalAccount": "1"}, True),
    ],
)
def test_variables_are_filled_from_the_request(operator, value, found, others, expected):
    assert holds(operator, value, found, **others) is expected


def test_policies_of_2008_have_no_variables():
    assert holds("StringEquals", "${aws:username}", "${aws:username}", variables=False)


@pytest.mark.parametrize(
    "name", ["", "Equals", "StringEqual", "ForAllValues:", "ForSomeValues:StringEquals", "NullIfExists", "IfExists"]
)
def test_an_unknown_operator_is_refused(name):
    with pytest.raises(ValueError, match="operator"):
        operator_named(name)


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("NumericEquals", "ten"),
        ("NumericEquals", "9" * 100),
        ("DateLessThan", "tomorrow"),
        ("DateLessThan", "9999-99-99"),
        ("Bool", "yes"),
        ("Null", "maybe"),
        ("BinaryEquals", "***"),
        ("IpAddress", "300.0.0.1"),
        ("IpAddress", "192.0.2.0/33"),
        ("StringEquals", "${aws:username"),
        ("StringEquals", "${}"),
        ("StringEquals", "${nothing}"),
    ],
)
def test_a_value_the_operator_cannot_compare_is_refused(operator, value):
    with pytest.raises(ValueError, match=r"."):
        Condition(operator_named(operator), "s3:k", (value,), True)
