"""Whether there is room for a write: quotas on the bytes and objects of buckets and accounts.

Knows what a worker read of the counts lately and what it wrote since. Must not know wires or SQL. A write is looked at
twice: `check` before its body is read, by the size it declares, and `take` before it becomes visible, by the size it
has. Overwriting needs room for the new version beside the old one. Parts take their room as they come, and completing
an upload takes none. What the system writes itself is not bounded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from app.core.cluster import ClusterState, Limits
from app.core.cluster.limits import ACCOUNT, BUCKET, Scope
from app.core.errors import S3Error
from app.core.limits import QUOTA_SEEN_MS_MAX, QUOTAS_REMEMBERED_MAX
from app.core.policy.principal import SERVICE
from app.core.types import Bucket, BucketId, Usage
from app.services.call import Call
from app.services.limits.rates import Refused


class Holdings(Protocol):
    """What is asked of the metadata store."""

    def bucket_usage(self, bucket_id: BucketId, /) -> Usage:
        """What a bucket holds."""

    def owner_usage(self, owner: str, /) -> Usage:
        """What all buckets of an account hold."""


class NoQuotas:
    """Of the system's own work."""

    def check(self, call: Call, bucket: Bucket, size: int, objects: int) -> None:
        """There is room."""

    def take(self, call: Call, bucket: Bucket, size: int, objects: int) -> None:
        """There is room."""


NO_QUOTAS: Final = NoQuotas()


@dataclass(slots=True)
class _Seen:
    """What a scope held at a time, and what this worker added since."""

    at_ms: int
    usage: Usage
    bytes: int = 0
    objects: int = 0


class Quotas:
    """One per worker. Raises QuotaExceeded; StoreError from the store passes through."""

    def __init__(self, store: Holdings, state: Callable[[], ClusterState], refused: Refused) -> None:
        self._store = store
        self._state = state
        self._refused = refused
        self._seen: dict[str, _Seen] = {}

    def check(self, call: Call, bucket: Bucket, size: int, objects: int) -> None:
        """Room for so many bytes and objects more, as far as is known. What has no bytes needs no room for them."""
        for _ in self._bounded(call, bucket, size, objects):
            pass

    def take(self, call: Call, bucket: Bucket, size: int, objects: int) -> None:
        """The same, and they count from here on. A write that fails after that counts until the next look."""
        for seen in list(self._bounded(call, bucket, size, objects)):
            seen.bytes += size
            seen.objects += objects

    def _bounded(self, call: Call, bucket: Bucket, size: int, objects: int) -> Iterator[_Seen]:
        """What is known of every scope with a quota; raises for the first that has no room."""
        state = self._state()
        if not state.limits or call.caller.principal == SERVICE:
            return
        account = state.by_canonical_id.get(bucket.owner, "")
        for scope in (Scope(BUCKET, bucket.name), Scope(ACCOUNT, account)):
            limits = state.limits.get(scope.key)
            if limits is None or not (limits.bytes or limits.objects):
                continue
            seen = self._look(scope, bucket, call.now_ms)
            self._require(scope, limits, seen, size, objects)
            yield seen

    def _look(self, scope: Scope, bucket: Bucket, now_ms: int) -> _Seen:
        # A bucket made anew under a name holds nothing of what the one before it held.
        key = f"{scope.key}/{bucket.bucket_id.hex()}" if scope.kind == BUCKET else scope.key
        seen = self._seen.get(key)
        if seen is None or not 0 <= now_ms - seen.at_ms < QUOTA_SEEN_MS_MAX:
            if len(self._seen) >= QUOTAS_REMEMBERED_MAX:
                self._seen.clear()
            store = self._store
            of_bucket = scope.kind == BUCKET
            usage = store.bucket_usage(bucket.bucket_id) if of_bucket else store.owner_usage(bucket.owner)
            seen = self._seen[key] = _Seen(now_ms, usage)
        return seen

    def _require(self, scope: Scope, limits: Limits, seen: _Seen, size: int, objects: int) -> None:
        held = seen.usage.bytes + seen.usage.part_bytes + seen.bytes
        if limits.bytes and size and held + size > limits.bytes:
            raise self._refusal(scope, "bytes", limits.bytes)
        if limits.objects and objects and seen.usage.objects + seen.objects + objects > limits.objects:
            raise self._refusal(scope, "objects", limits.objects)

    def _refusal(self, scope: Scope, what: str, limit: int) -> S3Error:
        self._refused(scope.kind, what)
        return S3Error("QuotaExceeded", f"The quota of the {scope.kind} is {limit} {what}: there is no room for this.")
