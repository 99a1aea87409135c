"""Cross-origin requests: which rule of a bucket's configuration allows one, and the headers its answer bears.

Knows rules and headers as texts. Must not know wires or stores.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html, https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.cors import GRAMMAR

Headers = list[tuple[str, str]]

VARY: Final = ("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
_ASKED_HEADERS_MAX: Final = 256  # header names of one preflight; browsers send a handful
NOT_ENABLED: Final = "CORSResponse: CORS is not enabled for this bucket."
_NOT_ALLOWED: Final = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


class Rule(NamedTuple):
    """One CORSRule. `headers` are lower-case patterns."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    max_age: int | None


class Preflight(NamedTuple):
    """What a browser asks before it asks. `headers`: lower-case names."""

    origin: str
    method: str
    headers: tuple[str, ...]


@lru_cache(limits.CONFIGS_PARSED_MAX)
def rules(stored: bytes) -> tuple[Rule, ...]:
    """The rules of a stored document. Raises Corrupt."""
    return tuple(
        Rule(
            origins=tuple(rule.texts("AllowedOrigin")),
            methods=tuple(dict.fromkeys(rule.texts("AllowedMethod"))),
            headers=tuple(header.lower() for header in rule.texts("AllowedHeader")),
            exposed=tuple(rule.texts("ExposeHeader")),
            max_age=rule.number("MaxAgeSeconds"),
        )
        for rule in GRAMMAR.stored(stored).nodes("CORSRule")
    )


def asked(headers: Mapping[str, str]) -> Preflight:
    """What a preflight asks. Raises BadRequest when it does not say from where and for which method."""
    origin = headers.get("origin")
    if not origin:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    method = headers.get("access-control-request-method")
    if not method:
        raise S3Error("BadRequest", "Invalid Access-Control-Request-Method: null")
    return Preflight(origin, method, _names(headers.get("access-control-request-headers", "")))


def preflight_headers(found: Iterable[Rule], preflight: Preflight, resource: str) -> Headers:
    """The answer of a preflight for `resource` (OBJECT or BUCKET). Raises AccessForbidden."""
    if len(preflight.headers) <= _ASKED_HEADERS_MAX:
        for rule in found:
            origin = _allows(rule, preflight.origin, preflight.method)
            if origin is not None and all(_any_matches(rule.headers, name) for name in preflight.headers):
                answer = _headers(rule, origin)
                if preflight.headers:
                    answer.append(("Access-Control-Allow-Headers", ", ".join(preflight.headers)))
                return answer
    raise S3Error("AccessForbidden", _NOT_ALLOWED, fields={"Method": preflight.method, "ResourceType": resource})


def answer_headers(found: Iterable[Rule], origin: str, method: str) -> Headers:
    """What the answer to a real request from `origin` bears; only Vary when no rule allows it."""
    for rule in found:
        allowed = _allows(rule, origin, method)
        if allowed is not None:
            return _headers(rule, allowed)
    return [VARY]


def _allows(rule: Rule, origin: str, method: str) -> str | None:
    """The text of Access-Control-Allow-Origin, None when the rule does not speak of this request."""
    if method not in rule.methods:
        return None
    if "*" in rule.origins:
        return "*"
    return origin if _any_matches(rule.origins, origin) else None


def _any_matches(patterns: Iterable[str], value: str) -> bool:
    return any(_matches(pattern, value) for pattern in patterns)


def _matches(pattern: str, value: str) -> bool:
    """Whether a pattern of at most one `*` is the value."""
    head, star, tail = pattern.partition("*")
    if not star:
        return value == head
    return len(value) >= len(head) + len(tail) and value.startswith(head) and value.endswith(tail)


def _headers(rule: Rule, origin: str) -> Headers:
    answer = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", ", ".join(rule.methods)),
    ]
    if rule.exposed:
        answer.append(("Access-Control-Expose-Headers", ", ".join(rule.exposed)))
    if rule.max_age is not None:
        answer.append(("Access-Control-Max-Age", str(rule.max_age)))
    if origin != "*":
        answer.append(("Access-Control-Allow-Credentials", "true"))
    answer.append(VARY)
    return answer


def _names(header: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in header.split(",") if name.strip())
