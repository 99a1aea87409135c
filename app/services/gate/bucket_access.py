"""Who may use a bucket, as its owner says: its list, its public access block, its object ownership.

Knows the permissions and the rules across these configurations, which are decided inside the store's transaction. Must
not know documents' wires. The bucket's policy has its own room (services/gate/bucket_policies).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from app.core.acl import grants as acl
from app.core.acl import settings
from app.core.acl.grants import Grant
from app.core.acl.requests import AclRequest
from app.core.acl.settings import PublicAccessBlock
from app.core.errors import Missing, S3Error
from app.core.types import Bucket
from app.ports.metadata import MetadataStore
from app.services.call import Call
from app.services.gate.guard import Guard
from app.services.gate.ownership import Ownership


class Place(NamedTuple):
    """A bucket as addressed. `expected_owner`: an account id or ""."""

    bucket: str
    expected_owner: str = ""


class BucketAcl(NamedTuple):
    """`owner`: canonical id of the bucket's."""

    owner: str
    grants: tuple[Grant, ...]


class Amending:
    """Changes one configuration of a bucket in one transaction."""

    def __init__(self, store: MetadataStore, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    def bucket(self, call: Call, place: Place, action: str) -> Bucket:
        """The bucket, when the caller may. Raises what the guard raises."""
        return self._guard.admit(call, place.bucket, action, expected_owner=place.expected_owner).bucket

    def put(self, bucket: Bucket, kind: str, document: Callable[[Bucket], bytes | None]) -> None:
        """`document` of the bucket as the transaction sees it, None to have none; durable on return."""

        def amend(current: Bucket) -> Bucket:
            others = {name: stored for name, stored in current.configs.items() if name != kind}
            new = document(current)
            return replace(current, configs=others if new is None else others | {kind: new})

        try:
            self._store.bucket_amend(bucket.bucket_id, amend)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": bucket.name}) from None


class BucketAccess:
    """One per worker process. What is asked of a client is handed in as a call that reads the body, so that it is
    made once the caller is known to be welcome. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, amending: Amending, ownership: Ownership) -> None:
        self._amending = amending
        self._ownership = ownership

    # --- the bucket's own list

    def get_acl(self, call: Call, place: Place) -> BucketAcl:
        """The list in force."""
        bucket = self._amending.bucket(call, place, "s3:GetBucketAcl")
        text = "" if settings.ownership_of(bucket) == settings.ENFORCED else settings.acl_of(bucket)
        return BucketAcl(bucket.owner, acl.decode(text, bucket.owner))

    def put_acl(self, call: Call, place: Place, wish: Callable[[], AclRequest]) -> None:
        """Replace the list. Raises AccessControlListNotSupported, AccessDenied (public, and blocked), and what an
        unknown grantee raises."""
        bucket = self._amending.bucket(call, place, "s3:PutBucketAcl")
        request = wish()

        def document(current: Bucket) -> bytes | None:
            if request.canned == "private" and settings.ownership_of(current) == settings.ENFORCED:
                raise S3Error("AccessControlListNotSupported")
            return self._ownership.of_bucket(current, request).encode() or None

        self._amending.put(bucket, settings.ACL, document)

    # --- object ownership

    def get_ownership(self, call: Call, place: Place) -> str:
        """One of settings.OWNERSHIPS. Raises OwnershipControlsNotFoundError."""
        bucket = self._amending.bucket(call, place, "s3:GetBucketOwnershipControls")
        if settings.OWNERSHIP not in bucket.configs:
            raise S3Error("OwnershipControlsNotFoundError", fields={"BucketName": bucket.name})
        return settings.ownership_of(bucket)

    def put_ownership(self, call: Call, place: Place, read: Callable[[], str]) -> None:
        """Raises InvalidBucketAclWithObjectOwnership where lists would stop to count and one grants something."""
        bucket = self._amending.bucket(call, place, "s3:PutBucketOwnershipControls")
        asked = read()

        def document(current: Bucket) -> bytes:
            if asked == settings.ENFORCED and settings.acl_of(current):
                raise S3Error("InvalidBucketAclWithObjectOwnership", fields={"BucketName": current.name})
            return settings.ownership_document(asked)

        self._amending.put(bucket, settings.OWNERSHIP, document)

    def delete_ownership(self, call: Call, place: Place) -> None:
        """Back to S3's oldest rule; no error when there were none."""
        bucket = self._amending.bucket(call, place, "s3:PutBucketOwnershipControls")
        self._amending.put(bucket, settings.OWNERSHIP, lambda current: None)

    # --- public access block

    def get_block(self, call: Call, place: Place) -> PublicAccessBlock:
        """Raises NoSuchPublicAccessBlockConfiguration."""
        bucket = self._amending.bucket(call, place, "s3:GetBucketPublicAccessBlock")
        if settings.BLOCK not in bucket.configs:
            raise S3Error("NoSuchPublicAccessBlockConfiguration", fields={"BucketName": bucket.name})
        return settings.block_of(bucket)

    def put_block(self, call: Call, place: Place, read: Callable[[], PublicAccessBlock]) -> None:
        """Replace the switches; what is public already stays, unless it is to be ignored."""
        bucket = self._amending.bucket(call, place, "s3:PutBucketPublicAccessBlock")
        document = settings.block_document(read())
        self._amending.put(bucket, settings.BLOCK, lambda current: document)

    def delete_block(self, call: Call, place: Place) -> None:
        """Block nothing; no error when nothing was."""
        bucket = self._amending.bucket(call, place, "s3:PutBucketPublicAccessBlock")
        self._amending.put(bucket, settings.BLOCK, lambda current: None)
