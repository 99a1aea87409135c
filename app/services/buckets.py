"""The bucket use cases: list, create, find, delete. Knows ownership; must not know keys, wires or SQL."""

from contextlib import suppress
from dataclasses import dataclass

from app.core import limits
from app.core.errors import Conflict, Missing, S3Error
from app.core.types import Bucket, BucketId
from app.ports.metadata import MetadataStore
from app.services.call import Call, Sources


@dataclass(frozen=True, slots=True)
class BucketPage:
    """`next_after` is the name to go on after, or "" at the end."""

    buckets: list[Bucket]
    next_after: str


class Buckets:
    """Use cases on whole buckets. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, sources: Sources) -> None:
        self._store = store
        self._sources = sources

    def list(self, call: Call, prefix: str = "", after: str = "", limit: int = limits.LIST_BUCKETS_MAX) -> BucketPage:
        """The caller's own buckets by name, names > `after`."""
        found = self._store.buckets_scan(call.caller.canonical_id, prefix, after, limit + 1)
        page = found[:limit]
        return BucketPage(page, page[-1].name if len(found) > limit and page else "")

    def create(self, call: Call, name: str, region: str) -> Bucket:
        """Claim `name` for the caller; durable on return.

        Raises BucketAlreadyOwnedByYou, BucketAlreadyExists (the namespace is shared), TooManyBuckets.
        """
        held = self._store.buckets_scan(call.caller.canonical_id, "", "", limits.BUCKETS_PER_ACCOUNT_MAX)
        if len(held) >= limits.BUCKETS_PER_ACCOUNT_MAX:
            raise S3Error("TooManyBuckets")
        bucket = Bucket(self._sources.new_id(), name, call.caller.canonical_id, call.now_ms, region)
        try:
            self._store.bucket_create(bucket)
        except Conflict:
            raise self._taken(call, name) from None
        return bucket

    def _taken(self, call: Call, name: str) -> S3Error:
        try:
            owner = self._store.bucket_get(name).owner
        except Missing:
            return S3Error("OperationAborted", reason="the bucket was deleted while it was being created")
        if owner == call.caller.canonical_id:
            return S3Error("BucketAlreadyOwnedByYou", fields={"BucketName": name})
        return S3Error("BucketAlreadyExists", fields={"BucketName": name})

    def find(self, call: Call, name: str, expected_owner: str = "") -> Bucket:
        """The bucket, if the caller may use it: its owner may, and root.

        `expected_owner`: `x-amz-expected-bucket-owner`, an account's 12-digit id. Raises NoSuchBucket, AccessDenied.
        """
        try:
            bucket = self._store.bucket_get(name)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None
        owns = bucket.owner == call.caller.canonical_id
        if not owns and not call.caller.root:
            raise S3Error("AccessDenied", reason="implicit deny: the bucket belongs to another account")
        if expected_owner and not (owns and expected_owner == call.caller.account_id):
            raise S3Error("AccessDenied", reason="the bucket's owner is not the expected one")
        return bucket

    def delete(self, call: Call, name: str, expected_owner: str = "") -> None:
        """Uploads in progress do not keep a bucket: they are aborted. Raises BucketNotEmpty while a version is left."""
        bucket = self.find(call, name, expected_owner)
        if self._store.currents_scan(bucket.bucket_id, b"", True, None, 1):
            raise S3Error("BucketNotEmpty", fields={"BucketName": name})
        self._abort_uploads(bucket.bucket_id)
        try:
            self._store.bucket_delete(bucket.bucket_id)
        except Conflict:
            raise S3Error("BucketNotEmpty", fields={"BucketName": name}) from None
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None

    def _abort_uploads(self, bucket_id: BucketId) -> None:
        """One pass by key and id, which ends however many are begun meanwhile behind it."""
        key, upload_id = b"", b""
        while page := self._store.uploads_scan(bucket_id, key, upload_id, None, limits.LIST_KEYS_MAX):
            for upload in page:
                with suppress(Missing):
                    self._store.upload_abort(upload.upload_id)
            key, upload_id = page[-1].key, page[-1].upload_id
