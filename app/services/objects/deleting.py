"""The deletion use cases: one object, or many of one bucket, by key or by version.

Knows the two kinds of deletion: without a version, which in a bucket with versioning puts a delete marker on top, and
of a version, which is for good. Must not know wires or SQL. What may not be removed, the store is told to ask inside
its transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from gevent.pool import Pool

from app.core.errors import Missing, S3Error, StoreError
from app.core.types import Bucket, Version
from app.ports.metadata import Check, MetadataStore
from app.services.background.notifications import announcing
from app.services.call import Call, Sources
from app.services.gate.guard import Admission, Guard
from app.services.objects import removal
from app.services.objects.objects import Target

DELETES_AT_ONCE = 64  # keys of one DeleteObjects under way together, so that they share group commits


class Wish(NamedTuple):
    """A deletion as asked. `check`: its precondition. `bypass`: of governance, asked for; who may is asked here."""

    target: Target
    check: Check | None = None
    bypass: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of one wish: `removed` is gone for good, `marker` was put on top, neither: there was nothing.

    `error`: of one key of DeleteObjects, None when it is done.
    """

    target: Target
    removed: Version | None = None
    marker: Version | None = None
    error: S3Error | None = None


class Deleting:
    """Use cases that delete. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, guard: Guard, sources: Sources) -> None:
        self._store = store
        self._guard = guard
        self._sources = sources

    def delete(self, call: Call, wish: Wish) -> Removal:
        """Delete one object or version; what is not there is no error. Raises AccessDenied (also for a locked version),
        NoSuchBucket and what the precondition raises."""
        target = wish.target
        action = "s3:DeleteObject" if target.version is None else "s3:DeleteObjectVersion"
        admission = self._guard.admit(call, target.bucket, action, target.key, target.expected_owner)
        try:
            if target.version is None:
                return self._delete_current(call, admission, wish)
            return self._delete_version(call, admission, wish)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": target.bucket}) from None

    def _delete_current(self, call: Call, admission: Admission, wish: Wish) -> Removal:
        bucket, target = admission.bucket, wish.target
        done = self._store.delete_current(
            bucket.bucket_id,
            target.key,
            self._marker(call, bucket, target.key),
            _both(admission, wish.check),
            removal.replacing_check(call, bucket),
            announcing(call, bucket, "ObjectRemoved:DeleteMarkerCreated"),
        )
        return Removal(target, done.removed, done.marker)

    def _marker(self, call: Call, bucket: Bucket, key: bytes) -> Version:
        """A marker belongs to who deletes, as on S3; it has no content."""
        return Version(
            bucket_id=bucket.bucket_id,
            key=key,
            version_id=self._sources.new_id(),
            seq=0,
            ref_id=self._sources.new_id(),
            size=0,
            etag="",
            modified_ms=call.now_ms,
            owner=call.caller.canonical_id or bucket.owner,
            delete_marker=True,
        )

    def _delete_version(self, call: Call, admission: Admission, wish: Wish) -> Removal:
        bucket, target = admission.bucket, wish.target
        if target.version is None:
            raise TypeError("a version is named here")
        bypass = removal.may_bypass(self._guard, call, bucket, target.key, wish.bypass)
        unlocked = removal.removal_check(call, bypass)
        allowed = _both(admission, wish.check)

        def check(version: Version | None) -> None:
            if allowed is not None:
                allowed(version)
            unlocked(version)

        announce = announcing(call, bucket, "ObjectRemoved:Delete")
        removed = self._store.delete_version(bucket.bucket_id, target.key, target.version, check, announce)
        return Removal(target, removed)

    def delete_many(self, call: Call, wishes: Iterable[Wish]) -> list[Removal]:
        """Each on its own, answered in the order asked; one key's refusal does not stop the others."""

        def one(wish: Wish) -> Removal:
            try:
                return self.delete(call, wish)
            except S3Error as error:
                return Removal(wish.target, error=error)
            except StoreError as error:
                return Removal(wish.target, error=S3Error("SlowDown", reason=str(error)))

        removals: list[Removal] = Pool(DELETES_AT_ONCE).map(one, wishes)
        return removals


def _both(admission: Admission, check: Check | None) -> Check | None:
    """The gate's last word and the precondition, on the version as the transaction sees it."""
    if admission.judge is None:
        return check

    def both(version: Version | None) -> None:
        admission.seen(version)
        if check is not None:
            check(version)

    return both
