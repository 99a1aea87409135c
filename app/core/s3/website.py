"""A bucket as a website: which key a path means, and where a visitor is sent instead.

Knows a configuration's rules as values. Must not know wires, objects or who may read them.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html and how-to-page-redirect.html there
"""

from functools import lru_cache
from html import escape
from typing import Final, NamedTuple
from urllib.parse import quote

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.configs.grammar import Node
from app.core.s3.configs.website import GRAMMAR

_MOVED: Final = 301
_IN_LOCATION: Final = "/#!?=&%:@+,;~$'()*[]"  # what a configured replacement may mean by itself
_REASONS: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    412: "Precondition Failed",
    416: "Requested Range Not Satisfiable",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


class Here(NamedTuple):
    """How the visitor came: scheme and Host header."""

    scheme: str
    host: str


class Redirect(NamedTuple):
    """A status of 3XX and its Location."""

    status: int
    location: str


class RoutingRule(NamedTuple):
    """One rule; "" and None where it says nothing. `error`: the status it waits for, 0 for none."""

    prefix: str
    error: int
    scheme: str
    host: str
    status: int
    replace_prefix: str | None
    replace_key: str | None


class Site(NamedTuple):
    """`suffix`: of index documents. `error`: key of the error document, "" for none. `all_to`: the host every
    request is sent to, None for none."""

    suffix: str
    error: str
    all_to: Here | None
    rules: tuple[RoutingRule, ...]


@lru_cache(limits.CONFIGS_PARSED_MAX)
def site(stored: bytes) -> Site:
    """The site of a stored document. Raises Corrupt."""
    root = GRAMMAR.stored(stored)
    index, error, everything = (
        root.node("IndexDocument"),
        root.node("ErrorDocument"),
        root.node("RedirectAllRequestsTo"),
    )
    rules = root.node("RoutingRules")
    return Site(
        suffix="" if index is None else index.text("Suffix"),
        error="" if error is None else error.text("Key"),
        all_to=None if everything is None else Here(everything.text("Protocol"), everything.text("HostName")),
        rules=() if rules is None else tuple(_rule(rule) for rule in rules.nodes("RoutingRule")),
    )


def _rule(node: Node) -> RoutingRule:
    condition = node.node("Condition") or Node(())
    redirect = node.node("Redirect") or Node(())
    return RoutingRule(
        prefix=condition.text("KeyPrefixEquals"),
        error=condition.number("HttpErrorCodeReturnedEquals") or 0,
        scheme=redirect.text("Protocol"),
        host=redirect.text("HostName"),
        status=redirect.number("HttpRedirectCode") or _MOVED,
        replace_prefix=redirect.get("ReplaceKeyPrefixWith"),
        replace_key=redirect.get("ReplaceKeyWith"),
    )


def redirected(found: Site, key: str, here: Here) -> Redirect | None:
    """Where the visitor of a path is sent before anything is looked up, None when nowhere."""
    if found.all_to is not None:
        location = f"{found.all_to.scheme or here.scheme}://{found.all_to.host}/{quote(key, '/')}"
        return Redirect(_MOVED, location)
    return _first(found, key, here, 0)


def redirected_on_error(found: Site, key: str, here: Here, status: int) -> Redirect | None:
    """Where the visitor is sent whose request would be answered by this error."""
    return _first(found, key, here, status)


def index_key(found: Site, key: str) -> str:
    """The key of what a path shows: a folder shows its index document."""
    return key + found.suffix if not key or key.endswith("/") else key


def folder_index(found: Site, key: str) -> str:
    """The key whose existence makes a path a folder's name without its slash; "" when it has one."""
    return "" if not key or key.endswith("/") else f"{key}/{found.suffix}"


def to_folder(key: str) -> Redirect:
    """To the same path with a slash. Two slashes at its beginning would name another host."""
    path = quote(key, "/")
    return Redirect(302, f"/%2F{path[1:]}/" if path.startswith("/") else f"/{path}/")


def _first(found: Site, key: str, here: Here, status: int) -> Redirect | None:
    for rule in found.rules:
        if rule.error == status and key.startswith(rule.prefix):
            return _location(rule, key, here)
    return None


def _location(rule: RoutingRule, key: str, here: Here) -> Redirect:
    if rule.replace_key is not None:
        path = quote(rule.replace_key, _IN_LOCATION)
    elif rule.replace_prefix is not None:
        path = quote(rule.replace_prefix, _IN_LOCATION) + quote(key[len(rule.prefix) :], "/")
    else:
        path = quote(key, "/")
    return Redirect(rule.status, f"{rule.scheme or here.scheme}://{rule.host or here.host}/{path}")


def error_page(error: S3Error, request_id: str) -> bytes:
    """The page a website shows of an error when it has no document of its own for it."""
    title = f"{error.status} {_REASONS.get(error.status, 'Error')}"
    details = {"Code": error.code, "Message": error.message, **error.fields, "RequestId": request_id}
    items = "".join(f"<li>{escape(name)}: {escape(value)}</li>\n" for name, value in details.items())
    page = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n{items}</ul>\n<hr/>\n"
        "</body>\n</html>\n"
    )
    return page.encode("utf-8", "replace")


def error_headers(error: S3Error) -> list[tuple[str, str]]:
    """The error as headers, which bear it also where a document of the site's own is shown."""
    message = error.message.encode("ascii", "replace").decode().replace("\n", " ").replace("\r", " ")
    headers = [("x-amz-error-code", error.code), ("x-amz-error-message", message)]
    for name, value in error.fields.items():
        headers.append((f"x-amz-error-detail-{name}", quote(value, " /.,:;=+-_")))
    return headers
