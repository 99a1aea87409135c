"""The bucket use cases: list, create, find, delete, and their versioning. Must not know keys, wires or SQL."""

from contextlib import suppress
from dataclasses import dataclass, replace

from app.core import limits
from app.core.errors import Conflict, Missing, S3Error
from app.core.types import Bucket, BucketId, Versioning
from app.ports.metadata import MetadataStore
from app.services.call import Call, Sources
from app.services.guard import Guard


@dataclass(frozen=True, slots=True)
class BucketPage:
    """`next_after` is the name to go on after, or "" at the end."""

    buckets: list[Bucket]
    next_after: str


class Buckets:
    """Use cases on whole buckets. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, guard: Guard, sources: Sources) -> None:
        self._store = store
        self._guard = guard
        self._sources = sources

    def list(self, call: Call, prefix: str = "", after: str = "", limit: int = limits.LIST_BUCKETS_MAX) -> BucketPage:
        """The caller's own buckets by name, names > `after`."""
        found = self._store.buckets_scan(call.caller.canonical_id, prefix, after, limit + 1)
        page = found[:limit]
        return BucketPage(page, page[-1].name if len(found) > limit and page else "")

    def create(self, call: Call, name: str, region: str, object_lock: bool = False) -> Bucket:
        """Claim `name` for the caller; durable on return. `object_lock`: objects may be locked, so it has versioning.

        Raises BucketAlreadyOwnedByYou, BucketAlreadyExists (the namespace is shared), TooManyBuckets.
        """
        held = self._store.buckets_scan(call.caller.canonical_id, "", "", limits.BUCKETS_PER_ACCOUNT_MAX)
        if len(held) >= limits.BUCKETS_PER_ACCOUNT_MAX:
            raise S3Error("TooManyBuckets")
        versioning = Versioning.ENABLED if object_lock else Versioning.OFF
        owner = call.caller.canonical_id
        bucket = Bucket(self._sources.new_id(), name, owner, call.now_ms, region, versioning, object_lock)
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

    def find(self, call: Call, name: str, expected_owner: str, action: str) -> Bucket:
        """The bucket, for a caller who may do `action` with it. Raises NoSuchBucket, AccessDenied."""
        return self._guard.admit(call, name, action, expected_owner=expected_owner).bucket

    def set_versioning(self, call: Call, name: str, expected_owner: str, versioning: Versioning) -> None:
        """Turn versioning on, or suspend it. Raises InvalidBucketState for suspending it where objects are locked.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html
        """
        bucket = self.find(call, name, expected_owner, "s3:PutBucketVersioning")

        def amend(found: Bucket) -> Bucket:
            if found.object_lock and versioning is not Versioning.ENABLED:
                raise S3Error(
                    "InvalidBucketState",
                    "An Object Lock configuration is present on this bucket, so its versioning cannot be suspended.",
                )
            return replace(found, versioning=versioning)

        try:
            self._store.bucket_amend(bucket.bucket_id, amend)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": name}) from None

    def delete(self, call: Call, name: str, expected_owner: str = "") -> None:
        """Uploads in progress do not keep a bucket: they are aborted. Raises BucketNotEmpty while a version is left."""
        bucket = self.find(call, name, expected_owner, "s3:DeleteBucket")
        if self._store.versions_scan(bucket.bucket_id, b"", None, None, 1):
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
