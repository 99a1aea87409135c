"""The one gate: may this caller do this to that bucket or object.

Knows the order of the questions (bucket, expected owner, policies, ACLs, public access block) and who must not be told
whether a thing exists. Must not know wires. Every use case begins with `admit`, naming the action AWS names.
"""

from collections.abc import Callable
from typing import NamedTuple

from app.core.errors import Missing, S3Error
from app.core.types import Bucket, Version
from app.ports.metadata import MetadataStore
from app.services.call import Call

Judge = Callable[[Version | None], None]


class Admission(NamedTuple):
    """The bucket, and what is still to be judged by the object itself (its ACL, its tags, whether its absence may be
    told). Whoever reads a version asks `seen` before anything of it is told or changed."""

    bucket: Bucket
    judge: Judge | None = None

    def seen(self, version: Version | None) -> None:
        """Raises AccessDenied. `version` None: there is no such object."""
        if self.judge is not None:
            self.judge(version)


class Guard:
    """One per worker process. Raises S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def admit(self, call: Call, name: str, action: str, key: bytes = b"", expected_owner: str = "") -> Admission:
        """May the caller do `action` ("s3:GetObject") on bucket `name`, or on its object `key`?

        `expected_owner`: `x-amz-expected-bucket-owner`, an account's 12-digit id. Raises NoSuchBucket, AccessDenied.
        """
        bucket = self.bucket(name)
        owns = bucket.owner == call.caller.canonical_id
        if not owns and not call.caller.root:
            raise S3Error("AccessDenied", reason="implicit deny: the bucket belongs to another account")
        if expected_owner and not (owns and expected_owner == call.caller.account_id):
            raise S3Error("AccessDenied", reason="the bucket's owner is not the expected one")
        return Admission(bucket)

    def require(
        self, call: Call, bucket: Bucket, action: str, key: bytes = b"", version: Version | None = None
    ) -> None:
        """A further permission an admitted request needs (s3:PutObjectTagging beside s3:PutObject)."""

    def allows(self, call: Call, bucket: Bucket, action: str, key: bytes = b"", version: Version | None = None) -> bool:
        """The same as a question (s3:BypassGovernanceRetention)."""
        try:
            self.require(call, bucket, action, key, version)
        except S3Error:
            return False
        return True

    def bucket(self, name: str) -> Bucket:
        """The bucket, nobody's permission asked. Raises NoSuchBucket."""
        try:
            return self._store.bucket_get(name)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None
