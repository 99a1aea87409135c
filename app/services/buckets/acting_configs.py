"""The configurations that act: each is put, read and deleted as one document, which is made here of what was sent.

Knows the order of the questions: permission, document, store. Must not know what a rule does, nor the wire. It
differs from `configs` beside it in that the stored document may depend on the server (targets, storage classes) or be
none.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from app.core.errors import Missing, S3Error
from app.core.types import Bucket
from app.ports.metadata import MetadataStore
from app.services.call import Call
from app.services.gate.guard import Guard


class Addressed(NamedTuple):
    """The bucket as addressed, and the action asked. `expected_owner`: an account id or ""."""

    bucket: str
    action: str
    expected_owner: str = ""


Make = Callable[[Bucket], Mapping[str, bytes | None]]
"""What to store by kind, None to remove; asked once the caller is known to be welcome. Raises S3Error."""


class ActingConfigs:
    """One per worker process. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    def get(self, call: Call, addressed: Addressed) -> Bucket:
        """The bucket, its documents in `configs`. Raises NoSuchBucket, AccessDenied."""
        return self._admit(call, addressed)

    def put(self, call: Call, addressed: Addressed, make: Make) -> None:
        """Store what `make` makes; durable on return."""
        bucket = self._admit(call, addressed)
        changes = make(bucket)

        def amend(current: Bucket) -> Bucket:
            configs = {**current.configs, **changes}
            return replace(current, configs={kind: text for kind, text in configs.items() if text is not None})

        try:
            self._store.bucket_amend(bucket.bucket_id, amend)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": bucket.name}) from None

    def bucket(self, name: str) -> Bucket | None:
        """Another bucket a document names; None when there is none. Nobody's permission is asked."""
        try:
            return self._store.bucket_get(name)
        except Missing:
            return None

    def _admit(self, call: Call, addressed: Addressed) -> Bucket:
        return self._guard.admit(
            call, addressed.bucket, addressed.action, expected_owner=addressed.expected_owner
        ).bucket
