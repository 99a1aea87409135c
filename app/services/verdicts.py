"""Weighs what policies, lists and the public access block say of one action by one caller.

Knows whose word counts for which resource: the bucket's owner for the bucket and for what is done to it, the object's
owner for reading the object and its list. Must not know stores or the order of a request (services/guard).
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html
"""

from typing import Final, NamedTuple

from app.core.acl import grants as acl
from app.core.acl.settings import ENFORCED, acl_of, block_of, ownership_of
from app.core.errors import S3Error
from app.core.types import Bucket, Version
from app.services.call import Call
from app.services.directory import Directory


class Subject(NamedTuple):
    """An action and what it is done to. `version`: the object that is there; `owner`: of an object to be.

    `listed`: `key` is not the resource but the prefix of a listing of the bucket.
    """

    bucket: Bucket
    action: str
    key: bytes = b""
    version: Version | None = None
    owner: str = ""
    listed: bool = False

    @property
    def arn(self) -> str:
        """The resource, as policies name it."""
        name = f"arn:aws:s3:::{self.bucket.name}"
        return name if self.listed or not self.key else f"{name}/{self.key.decode('utf-8', 'replace')}"

    @property
    def authority(self) -> str:
        """Canonical id of the account whose word counts."""
        if self.action not in acl.OBJECT_PERMISSION or ownership_of(self.bucket) == ENFORCED:
            return self.bucket.owner
        return self.version.owner if self.version is not None else self.owner or self.bucket.owner


class Verdict(NamedTuple):
    """`explicit`: something says no, so nothing else counts. `reason`: for the log, and for who may be told."""

    allowed: bool
    explicit: bool = False
    reason: str = ""


_ALLOWED: Final = Verdict(True)


class Verdicts:
    """Pure, but for the directory of accounts."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def verdict(self, call: Call, subject: Subject) -> Verdict:
        """May the caller do it?"""
        principal = call.caller.identity
        if principal.kind == "service" or call.caller.root:
            return _ALLOWED
        same = call.caller.canonical_id == subject.authority
        if principal.kind == "root" and same:
            return _ALLOWED
        if principal.kind in ("root", "anonymous") and _granted(call, subject, same):
            return _ALLOWED
        return Verdict(False, reason="implicit deny: no policy and no access control list allows it")

    def charge(self, call: Call, bucket: Bucket) -> None:
        """Who reads from a bucket whose requester pays says so, and is known. Raises AccessDenied.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html
        """
        payment = bucket.configs.get("requestPayment", b"")
        if b"<Payer>Requester</Payer>" not in payment or call.caller.canonical_id == bucket.owner:
            return
        if call.caller.identity.kind == "anonymous" or call.facts.headers.get("x-amz-request-payer") != "requester":
            raise S3Error("AccessDenied", reason="the requester pays, and did not agree to")
        call.stages.charged = True


def _granted(call: Call, subject: Subject, same: bool) -> bool:
    """Whether a list allows it. To the account that owns the resource only what everybody is granted is more."""
    bucket = subject.bucket
    if ownership_of(bucket) == ENFORCED:
        return False
    version = subject.version
    permission = acl.OBJECT_PERMISSION.get(subject.action)
    if permission is not None:
        found = () if version is None else acl.decode(version.attributes.acl, version.owner)
    else:
        permission = acl.BUCKET_PERMISSION.get(subject.action)
        found = acl.decode(acl_of(bucket), bucket.owner)
    if permission is None:
        return False
    if same:
        found = tuple(grant for grant in found if grant.grantee in acl.PUBLIC)
    return acl.permits(found, permission, acl.Grantee(call.caller.canonical_id, not block_of(bucket).ignore_acls))
