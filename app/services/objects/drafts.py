"""What an object to be is like: a request's wishes completed with its bucket's settings, and the right to wish so.

Knows which further permission each wish needs (a tag, a list, a lock). Must not know wires, nor where bytes go. Every
way of writing an object passes here: put, copy, multipart creation, forms.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from app.core.errors import S3Error
from app.core.s3 import lock as lock_rules
from app.core.s3.headers import STANDARD
from app.core.s3.wanted import Wanted
from app.core.sealing.frames import DataKey
from app.core.types import NO_LOCK, Attributes, Bucket, Lock
from app.services.call import Call
from app.services.content.profiles import HERE, NO_PROFILES, Keeping, Profiles
from app.services.content.sealing import Sealed, Sealing, etag
from app.services.gate.guard import Guard
from app.services.gate.ownership import Ownership
from app.services.limits.quotas import NO_QUOTAS, NoQuotas, Quotas


class Draft(NamedTuple):
    """`owner`: canonical id of the object's owner to be. `attributes`: complete, as they are stored. `sealed`: how the
    bytes are encrypted, which the attributes say too; None: in the clear. `keeping`: how they are kept."""

    owner: str
    attributes: Attributes
    sealed: Sealed | None = None
    keeping: Keeping = HERE

    @property
    def data_key(self) -> DataKey | None:
        """What Blobs.take_in seals with."""
        return None if self.sealed is None else self.sealed.data_key

    def etag(self, md5: bytes) -> str:
        """The ETag of bytes with this MD5."""
        return etag(self.sealed, md5)


class Drafts:
    """One per worker process. `storage_classes`: those a client may name, besides those with a profile."""

    def __init__(
        self,
        guard: Guard,
        ownership: Ownership,
        sealing: Sealing,
        storage_classes: Collection[str] = (STANDARD,),
        profiles: Profiles = NO_PROFILES,
        quotas: Quotas | NoQuotas = NO_QUOTAS,
    ) -> None:
        self.quotas = quotas
        self.sealing = sealing
        self.profiles = profiles
        self._guard = guard
        self._ownership = ownership
        self._storage_classes = frozenset(storage_classes)

    def draft(self, call: Call, bucket: Bucket, key: bytes, wanted: Wanted) -> Draft:
        """Raises InvalidStorageClass, AccessDenied, what the bucket's settings refuse, and Unavailable while a cluster
        has no profile for the class."""
        attributes = wanted.attributes
        named = attributes.storage_class
        if named != STANDARD and named not in self._storage_classes and not self.profiles.knows(named):
            raise S3Error("InvalidStorageClass", fields={"StorageClassRequested": named})
        if attributes.tags:
            self._guard.require(call, bucket, "s3:PutObjectTagging", key)
        lock = lock_rules.of_bucket(bucket, wanted.lock, call.now_ms)
        if lock != NO_LOCK:
            self._require_lock(call, bucket, key, wanted.lock)
            attributes = replace(attributes, lock=lock)
        owner, acl = self._ownership.of_object(call, bucket, wanted.acl)
        if acl != attributes.acl:
            attributes = replace(attributes, acl=acl)
        sealed = self.sealing.begin(call, bucket, key, wanted.encryption)
        if sealed is not None:
            attributes = replace(attributes, encryption=sealed.encryption)
        return Draft(owner, attributes, sealed, self.profiles.of(bucket, named))

    def _require_lock(self, call: Call, bucket: Bucket, key: bytes, asked: Lock) -> None:
        """What the bucket's default retention gives needs no permission; what is asked for does."""
        if asked.mode:
            self._guard.require(call, bucket, "s3:PutObjectRetention", key)
        if asked.legal_hold:
            self._guard.require(call, bucket, "s3:PutObjectLegalHold", key)
