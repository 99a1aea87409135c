"""Whose a new object is and which list it gets; which list a bucket or a stored object gets by a request.

Knows how a request's wishes meet the bucket's ownership setting and its public access block. Must not know wires. Who
may ask is services/gate/guard's.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
"""

from typing import Final

from app.core.acl import grants as acl
from app.core.acl.grants import Grant
from app.core.acl.requests import AclRequest, AskedGrant
from app.core.acl.settings import ENFORCED, PREFERRED, block_of, blocked, ownership_of
from app.core.errors import S3Error
from app.core.types import Bucket
from app.services.call import Call
from app.services.gate.directory import Directory

_TO_THE_BUCKETS: Final = "bucket-owner-full-control"
_PRIVATE: Final = "private"


class Ownership:
    """One per worker process. `directory`: who the accounts are."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def of_object(self, call: Call, bucket: Bucket, request: AclRequest | None) -> tuple[str, str]:
        """(canonical id of the owner, text form of the list) of an object the caller is about to write.

        Raises AccessControlListNotSupported, UnresolvableGrantByEmailAddress, InvalidArgument (no such grantee),
        AccessDenied (the bucket blocks public lists).
        """
        owner = writer_of(call, bucket)
        ownership = ownership_of(bucket)
        if ownership == ENFORCED:
            if request is not None and not self._is_harmless(request, bucket, owner):
                raise S3Error("AccessControlListNotSupported")
            return bucket.owner, ""
        if request is None:
            return owner, ""
        if ownership == PREFERRED and request.canned == _TO_THE_BUCKETS:
            return bucket.owner, ""
        return owner, self.of_stored(bucket, owner, request)

    def of_stored(self, bucket: Bucket, owner: str, request: AclRequest) -> str:
        """The list of an object of `owner` that is there. Raises as `of_object` does."""
        if ownership_of(bucket) == ENFORCED:
            if not self._is_harmless(request, bucket, ""):
                raise S3Error("AccessControlListNotSupported")
            return ""
        return self._checked(bucket, owner, self._grants(request, owner, bucket.owner))

    def of_bucket(self, bucket: Bucket, request: AclRequest) -> str:
        """The list of a bucket. Raises as `of_object` does.

        Where lists do not count, the one a bucket has without asking for one may be asked for.
        """
        found = self._grants(request, bucket.owner, "")
        if ownership_of(bucket) == ENFORCED:
            if acl.encode(found, bucket.owner):
                raise S3Error("AccessControlListNotSupported")
            return ""
        return self._checked(bucket, bucket.owner, found)

    def _checked(self, bucket: Bucket, owner: str, found: tuple[Grant, ...]) -> str:
        if acl.is_public(found) and block_of(bucket).acls:
            raise blocked("ACLs", "BlockPublicAcls")
        return acl.encode(found, owner)

    def _is_harmless(self, request: AclRequest, bucket: Bucket, owner: str) -> bool:
        """Whether the list asked for says what is true anyway: everything is the bucket owner's. `owner`: who writes,
        "" where a list is put by itself.

        `private` says so of the owner's own writes. S3 refuses it all the same; older clients (rclone before 1.61) send
        it unasked with every upload, and there is nothing they could be promised and not given.
        """
        if request.canned:
            return request.canned == _TO_THE_BUCKETS or (request.canned == _PRIVATE and owner == bucket.owner)
        found = self._grants(request, bucket.owner, bucket.owner)
        return bool(found) and all(grant == Grant(bucket.owner, acl.FULL_CONTROL) for grant in found)

    def _grants(self, request: AclRequest, owner: str, bucket_owner: str) -> tuple[Grant, ...]:
        if request.owner and request.owner != owner:
            raise S3Error("AccessDenied", reason="a document names another owner")
        if request.canned:
            return acl.canned(request.canned, owner, bucket_owner)
        return tuple(Grant(self._grantee(asked), asked.permission) for asked in request.asked)

    def _grantee(self, asked: AskedGrant) -> str:
        """A canonical id or a group. A grant by e-mail becomes one to the account that has it."""
        if asked.kind == "uri":
            found = acl.GROUP_OF_URI.get(asked.value, "")
        elif asked.kind == "email":
            found = self._directory.canonical_id_of_email(asked.value)
            if not found:
                raise S3Error("UnresolvableGrantByEmailAddress")
        else:
            known = asked.value == acl.ANONYMOUS_OWNER or self._directory.account_id(asked.value)
            found = asked.value if known else ""
        if found:
            return found
        message = {"uri": "Invalid group uri", "id": "Invalid id"}[asked.kind]
        fields = {"ArgumentName": asked.kind, "ArgumentValue": asked.value[:128]}
        raise S3Error("InvalidArgument", message, fields=fields)


def writer_of(call: Call, bucket: Bucket) -> str:
    """Canonical id of the account an object written now belongs to, where lists count.

    The operator and the system write on the bucket owner's behalf.
    """
    caller = call.caller
    if caller.root:
        return bucket.owner
    return caller.canonical_id or acl.ANONYMOUS_OWNER
