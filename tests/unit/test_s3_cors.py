"""CORS: the grammar of its rules, which rule allows what, and the headers of answers."""

import pytest

from app.core.errors import S3Error
from app.core.s3 import cors
from app.core.s3.configs.cors import GRAMMAR

GET_ANY = "<AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"


def configured(*rules: str) -> bytes:
    inner = "".join(f"<CORSRule>{rule}</CORSRule>" for rule in rules)
    return GRAMMAR.canonical(f"<CORSConfiguration>{inner}</CORSConfiguration>".encode())


def rule(origin: str, *methods: str, more: str = "") -> str:
    allowed = "".join(f"<AllowedMethod>{method}</AllowedMethod>" for method in methods or ("GET",))
    return f"<AllowedOrigin>{origin}</AllowedOrigin>{allowed}{more}"


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ((), "MalformedXML"),
        (("<AllowedOrigin>*</AllowedOrigin>",), "MalformedXML"),
        (("<AllowedMethod>GET</AllowedMethod>",), "MalformedXML"),
        ((rule("*", "PATCH"),), "InvalidRequest"),
        ((rule("*", "get"),), "InvalidRequest"),
        ((rule("a*b*"),), "InvalidRequest"),
        ((rule("*", more="<AllowedHeader>**</AllowedHeader>"),), "InvalidRequest"),
        ((rule("*", more="<ExposeHeader>x-*</ExposeHeader>"),), "InvalidRequest"),
        ((rule("*", more="<ExposeHeader>x\ny</ExposeHeader>"),), "MalformedXML"),
        ((rule("*", more="<MaxAgeSeconds>soon</MaxAgeSeconds>"),), "MalformedXML"),
        ((rule("*", more="<MaxAgeSeconds>1</MaxAgeSeconds>" * 2),), "MalformedXML"),
        ((rule("*", more="<Colour/>"),), "MalformedXML"),
        ((rule("*", more=f"<ID>{'i' * 256}</ID>"),), "MalformedXML"),
        ((GET_ANY,) * 101, "InvalidRequest"),
    ],
)
def test_what_is_no_rule_is_refused(rules: tuple[str, ...], code: str) -> None:
    with pytest.raises(S3Error) as caught:
        configured(*rules)
    assert caught.value.code == code


def test_a_hundred_rules_are_taken() -> None:
    assert len(cors.rules(configured(*[GET_ANY] * 100))) == 100


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("foo.suffix", True),
        ("foo.bar", False),
        ("foo.suffix.get", False),
        ("startend", True),
        ("start12end", True),
        ("starend", False),
        ("0start12end", False),
        ("prefix", True),
        ("prefix.x", True),
        ("bla.prefix", False),
        ("exact", True),
        ("exactly", False),
    ],
)
def test_an_origin_is_matched_by_at_most_one_star(origin: str, allowed: bool) -> None:
    rules = cors.rules(configured(rule("*suffix"), rule("start*end"), rule("prefix*"), rule("exact")))
    answer = dict(cors.answer_headers(rules, origin, "GET"))
    assert answer.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    assert ("Access-Control-Allow-Credentials" in answer) == allowed
    assert answer["Vary"].startswith("Origin")


def test_any_origin_is_answered_with_a_star_and_without_credentials() -> None:
    more = "<ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-a</ExposeHeader><MaxAgeSeconds>30</MaxAgeSeconds>"
    answer = dict(cors.answer_headers(cors.rules(configured(rule("*", "GET", "PUT", more=more))), "o", "PUT"))
    assert answer == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, PUT",
        "Access-Control-Expose-Headers": "ETag, x-a",
        "Access-Control-Max-Age": "30",
        "Vary": cors.VARY[1],
    }


def test_the_first_rule_that_allows_all_of_a_preflight_answers_it() -> None:
    rules = cors.rules(
        configured(
            rule("*", more="<AllowedHeader>x-*</AllowedHeader>"), rule("o", more="<AllowedHeader>*</AllowedHeader>")
        )
    )
    preflight = cors.asked(
        {
            "origin": "o",
            "access-control-request-method": "GET",
            "access-control-request-headers": "X-One, Content-Type",
        }
    )
    answer = dict(cors.preflight_headers(rules, preflight, "OBJECT"))
    assert answer["Access-Control-Allow-Origin"] == "o"
    assert answer["Access-Control-Allow-Headers"] == "x-one, content-type"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "BadRequest"),
        ({"origin": "o"}, "BadRequest"),
        ({"origin": "o", "access-control-request-method": "PUT"}, "AccessForbidden"),
        ({"origin": "other", "access-control-request-method": "GET"}, "AccessForbidden"),
        (
            {"origin": "o", "access-control-request-method": "GET", "access-control-request-headers": "x-a"},
            "AccessForbidden",
        ),
    ],
)
def test_a_preflight_nobody_allowed_is_refused(headers: dict[str, str], code: str) -> None:
    with pytest.raises(S3Error) as caught:
        cors.preflight_headers(cors.rules(configured(rule("o"))), cors.asked(headers), "OBJECT")
    assert caught.value.code == code
