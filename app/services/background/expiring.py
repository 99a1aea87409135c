"""What a lifecycle rule asked for, done to one version or upload: the last look is taken inside the transaction.

Knows that a version may have changed since it was judged, and that a lock keeps it whatever a rule says. Must not know
rules or how versions are found.
"""

from collections.abc import Callable
from typing import Final

from app.core.errors import Conflict, Missing, S3Error
from app.core.s3 import lifecycle, lock
from app.core.s3.lifecycle import Action
from app.core.types import Bucket, Upload, Version, Versioning
from app.ports.metadata import Announce, Check, MetadataStore
from app.services.background.transitions import Transitions, place_of, same
from app.services.call import Sources

DONE: Final = "acted"
KEPT: Final = "kept"
"""A lock, or a change since the version was judged, stood in the way."""

Announcing = Callable[[Bucket, str, int], Announce | None]
"""(bucket, event name, time): the tasks that tell of it, None when nobody wants to know."""


class Expiring:
    """The doer of the sweep. Errors: StoreError from the store passes through, but for Conflict and Missing."""

    def __init__(
        self, store: MetadataStore, sources: Sources, transitions: Transitions, announcing: Announcing
    ) -> None:
        self._store = store
        self._sources = sources
        self._transitions = transitions
        self._announcing = announcing

    def act(self, bucket: Bucket, version: Version, action: Action) -> str:
        """DONE, durable, or KEPT. Running it twice is harmless: the second time the version is not what was judged."""
        try:
            if action.kind == lifecycle.TRANSITION:
                self._move(bucket, version, action.storage_class)
            elif action.kind == lifecycle.EXPIRE:
                self._expire(bucket, version)
            else:
                self._remove(bucket, version, noncurrent=action.kind == lifecycle.EXPIRE_NONCURRENT)
        except (Conflict, Missing, S3Error):
            return KEPT
        return DONE

    def abort(self, upload: Upload) -> str:
        """The same for an upload in progress."""
        try:
            self._store.upload_abort(upload.upload_id)
        except (Conflict, Missing):
            return KEPT
        return DONE

    def _move(self, bucket: Bucket, version: Version, storage_class: str) -> None:
        announce = self._announcing(bucket, "LifecycleTransition", self._sources.now_ms())
        self._transitions.move(bucket, version, storage_class, announce)

    def _expire(self, bucket: Bucket, version: Version) -> None:
        now_ms = self._sources.now_ms()
        marker = Version(
            bucket_id=bucket.bucket_id,
            key=version.key,
            version_id=self._sources.new_id(),
            seq=0,
            ref_id=self._sources.new_id(),
            size=0,
            etag="",
            modified_ms=now_ms,
            owner=bucket.owner,
            delete_marker=True,
        )
        unlocked = None if bucket.versioning is Versioning.OFF else self._unlocked(now_ms)
        self._store.delete_current(
            bucket.bucket_id,
            version.key,
            marker,
            _unchanged(version),
            unlocked,
            self._announcing(bucket, "LifecycleExpiration:DeleteMarkerCreated", now_ms),
        )

    def _remove(self, bucket: Bucket, version: Version, noncurrent: bool) -> None:
        """For good. What lay upon a version may be gone since it was judged: an object that was restored so must stay,
        and a marker on top hides what lies under it."""
        now_ms = self._sources.now_ms()
        unchanged, unlocked = _unchanged(version), self._unlocked(now_ms)

        def check(found: Version | None) -> None:
            unchanged(found)
            unlocked(found)

        announce = self._announcing(bucket, "LifecycleExpiration:Delete", now_ms)
        place = place_of(version)
        self._store.delete_version(bucket.bucket_id, version.key, place, check, announce, noncurrent)

    def _unlocked(self, now_ms: int) -> Check:
        def check(found: Version | None) -> None:
            if found is not None:
                lock.check_removal(found, now_ms, False)

        return check


def _unchanged(judged: Version) -> Callable[[Version | None], None]:
    def check(found: Version | None) -> None:
        if found is None or not same(judged, found):
            raise Conflict("the version changed since it was judged")

    return check
