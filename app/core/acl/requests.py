"""What a request's headers ask of an access control list: a canned one, or grants one by one.

Knows the headers' grammar. Must not know which accounts exist (services/gate/ownership resolves them).
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from app.core import limits
from app.core.acl import grants
from app.core.errors import S3Error

_GRANTS: Final[Mapping[str, str]] = {
    "x-amz-grant-read": grants.READ,
    "x-amz-grant-write": grants.WRITE,
    "x-amz-grant-read-acp": grants.READ_ACP,
    "x-amz-grant-write-acp": grants.WRITE_ACP,
    "x-amz-grant-full-control": grants.FULL_CONTROL,
}
HEADERS: Final = frozenset({"x-amz-acl", *_GRANTS})
"""Every header that asks for a list."""
_KINDS: Final = {"id": "id", "uri": "uri", "emailaddress": "email"}


class AskedGrant(NamedTuple):
    """`kind`: id (canonical id), uri (a group) or email. `value`: as the client wrote it."""

    kind: str
    value: str
    permission: str


class AclRequest(NamedTuple):
    """Either `canned` or `asked`; `owner`: the Owner a document names, "" when none is."""

    canned: str = ""
    asked: tuple[AskedGrant, ...] = ()
    owner: str = ""


def requested(headers: Mapping[str, str]) -> AclRequest | None:
    """None when no header asks for a list. Raises InvalidArgument, InvalidRequest (two sources)."""
    if HEADERS.isdisjoint(headers):
        return None
    canned = headers.get("x-amz-acl", "")
    asked = tuple(grant for name in _GRANTS if name in headers for grant in _parse(name, headers[name]))
    if "x-amz-acl" not in headers:
        return AclRequest(asked=bounded(asked))
    if asked:
        raise S3Error("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    if canned not in grants.CANNED:
        fields = {"ArgumentName": "x-amz-acl", "ArgumentValue": canned[:128]}
        raise S3Error("InvalidArgument", fields=fields)
    return AclRequest(canned)


def bounded(asked: tuple[AskedGrant, ...]) -> tuple[AskedGrant, ...]:
    """The grants themselves. Raises InvalidArgument for more than a list may hold."""
    if len(asked) > limits.ACL_GRANTS_MAX:
        raise S3Error("InvalidRequest", f"An access control list holds at most {limits.ACL_GRANTS_MAX} grants.")
    return asked


def _parse(name: str, value: str) -> list[AskedGrant]:
    """`id="…", uri=…, emailAddress="…"`."""
    found = []
    for item in value.split(","):
        kind, equals, grantee = item.strip().partition("=")
        grantee = grantee.strip().removeprefix('"').removesuffix('"')
        known = _KINDS.get(kind.strip().lower())
        if not equals or known is None or not grantee:
            fields = {"ArgumentName": name, "ArgumentValue": value[:128]}
            raise S3Error("InvalidArgument", "Argument format not recognized", fields=fields)
        found.append(AskedGrant(known, grantee, _GRANTS[name]))
    return found
