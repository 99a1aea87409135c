"""Wildcards and ARNs: what fits what, and that nothing takes long."""

import re
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.policy.wildcards import ArnPattern, Pattern, pattern, tokens_of


@pytest.mark.parametrize(
    ("text", "value", "fits"),
    [
        ("", "", True),
        ("a", "a", True),
        ("a", "A", False),
        ("*", "", True),
        ("*", "anything/at all", True),
        ("a*", "abc", True),
        ("a*", "ba", False),
        ("*c", "abc", True),
        ("a*c", "ac", True),
        ("a*c", "a", False),
        ("aa*aa", "aaa", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("?", "", False),
        ("*?", "", False),
        ("*?b*", "ab", True),
        ("*?b*", "b", False),
        ("a*b?c*d", "axxbyczd", True),
        ("a**b", "ab", True),
        ("[a]*", "[a]x", True),
        ("home/*/x", "home/a/b/x", True),
    ],
)
def test_a_pattern_fits_what_its_wildcards_say(text, value, fits):
    assert pattern(text).matches(value) is fits


@settings(max_examples=500, deadline=None)
@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_matching_agrees_with_regular_expressions(text, value):
    expression = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in text)
    assert pattern(text).matches(value) is bool(re.fullmatch(expression, value, re.DOTALL))


@pytest.mark.parametrize("text", ["*a" * 1000, "*?a" * 600, "*" + "?a" * 900 + "*b", "?" * 2000 + "*x"])
def test_no_pattern_takes_long_on_a_long_text(text):
    built, value = Pattern(tokens_of(text)), "a" * 32_768
    begun = perf_counter()
    built.matches(value)
    assert perf_counter() - begun < 1.0


def test_what_came_from_a_variable_is_literal():
    assert not Pattern(["home/", "*", "/x"]).matches("home/alice/x")
    assert Pattern(["home/", "*", "/x"]).matches("home/*/x")


@pytest.mark.parametrize(
    ("text", "arn", "fits"),
    [
        ("*", "arn:aws:s3:::bucket", True),
        ("arn:aws:s3:::*", "arn:aws:s3:::bucket/key", True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a:b", True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket", False),
        ("arn:aws:s3:::bucket*", "arn:aws:s3:::bucket/x", True),
        ("arn:*:s3:::bucket", "arn:aws:s3:::bucket", True),
        ("arn:aws:*:bucket", "arn:aws:s3:::bucket", False),
        ("arn:aws:iam::*:user/x", "arn:aws:iam::123456789012:user/x", True),
        ("arn:aws:iam::*", "arn:aws:iam::123456789012:user/x", False),
        ("arn:aws:s3:::bucket", "arn:aws:s3", False),
    ],
)
def test_no_wildcard_reaches_beyond_its_segment_of_an_arn(text, arn, fits):
    assert ArnPattern(tuple(tokens_of(text))).matches(arn) is fits
