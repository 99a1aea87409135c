"""Access control lists as values: who is granted what, their text form, canned lists.

Knows grantees and permissions. Must not know wires, policies or whose a bucket is. A grantee is an account's canonical
id, or one of the groups below, which no canonical id can be called.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from app.core import limits

ALL_USERS: Final = "@all"
AUTHENTICATED_USERS: Final = "@authenticated"
LOG_DELIVERY: Final = "@logs"
PUBLIC: Final = (ALL_USERS, AUTHENTICATED_USERS)
GROUP_OF_URI: Final[Mapping[str, str]] = {
    "http://acs.amazonaws.com/groups/global/AllUsers": ALL_USERS,
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers": AUTHENTICATED_USERS,
    "http://acs.amazonaws.com/groups/s3/LogDelivery": LOG_DELIVERY,
}
URI_OF_GROUP: Final[Mapping[str, str]] = {group: uri for uri, group in GROUP_OF_URI.items()}

READ: Final = "READ"
WRITE: Final = "WRITE"
READ_ACP: Final = "READ_ACP"
WRITE_ACP: Final = "WRITE_ACP"
FULL_CONTROL: Final = "FULL_CONTROL"
_LETTERS: Final[Mapping[str, str]] = {READ: "r", WRITE: "w", READ_ACP: "R", WRITE_ACP: "W", FULL_CONTROL: "F"}
_PERMISSIONS: Final[Mapping[str, str]] = {letter: permission for permission, letter in _LETTERS.items()}
PERMISSIONS: Final = tuple(_LETTERS)

_NOBODY: Final = "-"

ANONYMOUS_OWNER: Final = "65a011a29cdf8ec533ec3d1ccaae921c"
"""The canonical id S3 itself gives as the owner of what nobody in particular wrote."""


class Grant(NamedTuple):
    """`permission` to `grantee`."""

    grantee: str
    permission: str


def encode(grants: Iterable[Grant], owner: str) -> str:
    """The text form: "" when `owner` alone has full control, else `F<id>,r@all`, groups first, each grant once."""
    ordered = sorted(dict.fromkeys(grants), key=lambda grant: not grant.grantee.startswith("@"))
    if ordered == [Grant(owner, FULL_CONTROL)]:
        return ""
    return ",".join(_LETTERS[grant.permission] + grant.grantee for grant in ordered) or _NOBODY


@lru_cache(limits.DOCUMENTS_PARSED_MAX)
def decode(text: str, owner: str) -> tuple[Grant, ...]:
    """The grants of a text form. What cannot be read grants nothing to anybody."""
    if not text:
        return (Grant(owner, FULL_CONTROL),)
    if text == _NOBODY:
        return ()
    try:
        return tuple(Grant(one[1:], _PERMISSIONS[one[0]]) for one in text.split(","))
    except (KeyError, IndexError):
        return ()


class Grantee(NamedTuple):
    """Who asks: a canonical id, "" for nobody. `public`: what everybody is granted counts."""

    canonical_id: str
    public: bool = True


def permits(grants: Iterable[Grant], permission: str, who: Grantee) -> bool:
    """Whether any of `grants` gives `who` the permission."""
    for grantee, granted in grants:
        if granted in (permission, FULL_CONTROL):
            if grantee == ALL_USERS:
                if who.public:
                    return True
            elif who.canonical_id and (grantee == who.canonical_id or (grantee == AUTHENTICATED_USERS and who.public)):
                return True
    return False


def is_public(grants: Iterable[Grant]) -> bool:
    """Whether everybody, or everybody with an account, is granted anything.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    """
    return any(grant.grantee in PUBLIC for grant in grants)


_CANNED: Final[Mapping[str, tuple[Grant, ...]]] = {
    "private": (),
    "public-read": (Grant(ALL_USERS, READ),),
    "public-read-write": (Grant(ALL_USERS, READ), Grant(ALL_USERS, WRITE)),
    "authenticated-read": (Grant(AUTHENTICATED_USERS, READ),),
    # The service this one is for does not exist here, so nobody but the owner is left of it.
    "aws-exec-read": (),
    "log-delivery-write": (Grant(LOG_DELIVERY, WRITE), Grant(LOG_DELIVERY, READ_ACP)),
    "bucket-owner-read": (),
    "bucket-owner-full-control": (),
}
CANNED: Final = frozenset(_CANNED)
_TO_BUCKET_OWNER: Final = {"bucket-owner-read": READ, "bucket-owner-full-control": FULL_CONTROL}


def canned(name: str, owner: str, bucket_owner: str = "") -> tuple[Grant, ...]:
    """The grants of a canned list. `bucket_owner`: for an object's list, "" for a bucket's, where the two lists made
    for objects mean nothing more. https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl"""
    grants = (*_CANNED[name], Grant(owner, FULL_CONTROL))
    if name in _TO_BUCKET_OWNER and bucket_owner and bucket_owner != owner:
        grants = (*grants, Grant(bucket_owner, _TO_BUCKET_OWNER[name]))
    return grants


BUCKET_PERMISSION: Final[Mapping[str, str]] = {
    "s3:ListBucket": READ,
    "s3:ListBucketVersions": READ,
    "s3:ListBucketMultipartUploads": READ,
    "s3:PutObject": WRITE,
    "s3:DeleteObject": WRITE,
    "s3:AbortMultipartUpload": WRITE,
    "s3:ListMultipartUploadParts": WRITE,
    "s3:GetBucketAcl": READ_ACP,
    "s3:PutBucketAcl": WRITE_ACP,
}
"""Which permission of a bucket's list allows an action. One who may write must be able to finish a multipart upload."""

OBJECT_PERMISSION: Final[Mapping[str, str]] = {
    "s3:GetObject": READ,
    "s3:GetObjectVersion": READ,
    "s3:GetObjectAttributes": READ,
    "s3:GetObjectVersionAttributes": READ,
    "s3:GetObjectAcl": READ_ACP,
    "s3:GetObjectVersionAcl": READ_ACP,
    "s3:PutObjectAcl": WRITE_ACP,
    "s3:PutObjectVersionAcl": WRITE_ACP,
}
"""Which permission of an object's own list allows an action; in these the object's owner decides, not the bucket's."""
