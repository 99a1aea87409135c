"""The bucket use cases: list, create, find, delete, and their versioning. Must not know keys, wires or SQL."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from app.core import limits
from app.core.acl.requests import AclRequest
from app.core.acl.settings import (
    ACL,
    BLOCK,
    CLOSED,
    ENFORCED,
    OWNERSHIP,
    WRITER,
    block_document,
    ownership_document,
)
from app.core.errors import Conflict, Missing, S3Error
from app.core.types import Bucket, BucketId, Versioning
from app.ports.metadata import MetadataStore
from app.services.call import Call, Sources
from app.services.gate.guard import Guard
from app.services.gate.ownership import Ownership


@dataclass(frozen=True, slots=True)
class BucketPage:
    """`next_after` is the name to go on after, or "" at the end."""

    buckets: list[Bucket]
    next_after: str


class Birth(NamedTuple):
    """What CreateBucket asks of a bucket besides its name. `object_lock`: its objects may be locked, so it has
    versioning. `ownership`: one of OWNERSHIPS, "" for the default."""

    region: str = ""
    object_lock: bool = False
    ownership: str = ""
    acl: AclRequest | None = None


class Defaults(NamedTuple):
    """What a new bucket has when nothing is asked. `ownership`: of its objects. `blocks_public`: the four switches."""

    ownership: str = ENFORCED
    blocks_public: bool = True


class Buckets:
    """Use cases on whole buckets. Errors: S3Error; StoreError from the store passes through."""

    def __init__(
        self,
        store: MetadataStore,
        guard: Guard,
        ownership: Ownership,
        sources: Sources,
        defaults: Defaults = Defaults(),  # noqa: B008 -- a value
    ) -> None:
        self._ownership = ownership
        self._defaults = defaults
        self._store = store
        self._guard = guard
        self._sources = sources

    def list(self, call: Call, prefix: str = "", after: str = "", limit: int = limits.LIST_BUCKETS_MAX) -> BucketPage:
        """The caller's own buckets by name, names > `after`."""
        self._require(call, _unborn(call, ""), "s3:ListAllMyBuckets")
        found = self._store.buckets_scan(call.caller.canonical_id, prefix, after, limit + 1)
        page = found[:limit]
        return BucketPage(page, page[-1].name if len(found) > limit and page else "")

    def may_create(self, call: Call, name: str) -> None:
        """Asked before a document is read. Raises AccessDenied."""
        self._require(call, _unborn(call, name), "s3:CreateBucket")

    def create(self, call: Call, name: str, birth: Birth) -> Bucket:
        """Claim `name` for the caller; durable on return.

        Raises BucketAlreadyOwnedByYou, BucketAlreadyExists (the namespace is shared), TooManyBuckets, AccessDenied,
        InvalidBucketAclWithObjectOwnership.
        """
        bucket = self._born(call, name, birth)
        held = self._store.buckets_scan(bucket.owner, "", "", limits.BUCKETS_PER_ACCOUNT_MAX)
        if len(held) >= limits.BUCKETS_PER_ACCOUNT_MAX:
            raise S3Error("TooManyBuckets")
        try:
            self._store.bucket_create(bucket)
        except Conflict:
            raise self._taken(call, name) from None
        return bucket

    def _born(self, call: Call, name: str, birth: Birth) -> Bucket:
        """The bucket as it is to be, for a caller who may have it so."""
        bucket = replace(_unborn(call, name), bucket_id=self._sources.new_id(), region=birth.region)
        self._require(call, bucket, "s3:CreateBucket")
        ownership, configs = birth.ownership or self._defaults.ownership, {}
        if birth.ownership:
            self._require(call, bucket, "s3:PutBucketOwnershipControls")
        if birth.ownership or ownership != WRITER:
            configs[OWNERSHIP] = ownership_document(ownership)
        if self._defaults.blocks_public:
            configs[BLOCK] = block_document(CLOSED)
        bucket = replace(bucket, configs=configs)
        if birth.object_lock:
            self._require(call, bucket, "s3:PutBucketObjectLockConfiguration")
            self._require(call, bucket, "s3:PutBucketVersioning")
            bucket = replace(bucket, versioning=Versioning.ENABLED, object_lock=True)
        return bucket if birth.acl is None else self._with_list(call, bucket, birth.acl)

    def _with_list(self, call: Call, bucket: Bucket, asked: AclRequest) -> Bucket:
        self._require(call, bucket, "s3:PutBucketAcl")
        try:
            acl = self._ownership.of_bucket(bucket, asked)
        except S3Error as error:
            if error.code != "AccessControlListNotSupported":
                raise
            raise S3Error("InvalidBucketAclWithObjectOwnership") from None
        return replace(bucket, configs={**bucket.configs, ACL: acl.encode()}) if acl else bucket

    def _require(self, call: Call, bucket: Bucket, action: str) -> None:
        """Permission on a bucket that is not there yet: the caller's own policies decide. Nobody has buckets."""
        if not call.caller.canonical_id:
            raise S3Error("AccessDenied", reason="nobody has buckets")
        self._guard.require(call, bucket, action)

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
            raise _not_empty(bucket)
        self._abort_uploads(bucket.bucket_id)
        try:
            self._store.bucket_delete(bucket.bucket_id)
        except Conflict:
            raise _not_empty(bucket) from None
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


def _not_empty(bucket: Bucket) -> S3Error:
    """A versioned bucket may look empty to whoever lists objects, so the message says what is left in it."""
    more = "" if bucket.versioning is Versioning.OFF else " You must delete all versions in the bucket."
    message = f"The bucket you tried to delete is not empty.{more}"
    return S3Error("BucketNotEmpty", message, fields={"BucketName": bucket.name})


def _unborn(call: Call, name: str) -> Bucket:
    """A bucket of the caller's that does not exist."""
    return Bucket(b"", name, call.caller.canonical_id, call.now_ms)
