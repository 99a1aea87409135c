"""Object lock: a bucket's configuration of it, and the retention and legal hold of each version.

Knows the permissions, and that a lock is changed and judged inside one transaction. The rules are core/s3/lock's. Must
not know documents or wires.
"""

from collections.abc import Callable
from dataclasses import replace

from app.core.errors import Missing, S3Error
from app.core.s3 import lock as rules
from app.core.s3.configs.grammar import Node
from app.core.s3.times import iso_time
from app.core.s3.version_ids import place_text
from app.core.types import Attributes, Bucket, Lock, Version, Versioning
from app.ports.metadata import MetadataStore
from app.services.buckets.configs import Place
from app.services.call import Call
from app.services.gate.guard import Admission, Guard
from app.services.objects.objects import Target
from app.services.objects.removal import may_bypass

Change = Callable[[Lock], Lock]


class Locks:
    """One per worker process. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    # --- of the bucket

    def configuration(self, call: Call, place: Place) -> bytes:
        """The canonical document. Raises ObjectLockConfigurationNotFoundError."""
        action = "s3:GetBucketObjectLockConfiguration"
        bucket = self._guard.admit(call, place.bucket, action, expected_owner=place.expected_owner).bucket
        if not bucket.object_lock:
            raise S3Error("ObjectLockConfigurationNotFoundError", fields={"BucketName": bucket.name})
        stored = bucket.configs.get(rules.CONFIG)
        if stored is None:
            return rules.GRAMMAR.write(Node([("ObjectLockEnabled", "Enabled")]))
        rules.GRAMMAR.stored(stored)
        return stored

    def configure(self, call: Call, place: Place, read: Callable[[], bytes]) -> None:
        """Turn object lock on for good, and set or drop the default retention; durable on return.

        Raises InvalidBucketState unless versioning is enabled, MalformedXML, InvalidRetentionPeriod.
        """
        action = "s3:PutBucketObjectLockConfiguration"
        bucket = self._guard.admit(call, place.bucket, action, expected_owner=place.expected_owner).bucket
        document = rules.GRAMMAR.canonical(read())

        def amend(current: Bucket) -> Bucket:
            if current.versioning is not Versioning.ENABLED:
                text = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
                raise S3Error("InvalidBucketState", text, fields={"BucketName": current.name})
            return replace(current, object_lock=True, configs={**current.configs, rules.CONFIG: document})

        try:
            self._store.bucket_amend(bucket.bucket_id, amend)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": bucket.name}) from None

    # --- of a version

    def retention(self, call: Call, target: Target) -> Lock:
        """The lock whose retention is asked for. Raises InvalidRequest, NoSuchKey, NoSuchVersion, MethodNotAllowed."""
        return self._lock(call, target, "s3:GetObjectRetention")

    def hold(self, call: Call, target: Target) -> Lock:
        """The lock whose legal hold is asked for. Errors as `retention`."""
        return self._lock(call, target, "s3:GetObjectLegalHold")

    def retain(self, call: Call, target: Target, wanted: Lock, bypass_asked: bool) -> None:
        """Set the retention to that of `wanted`, the hold staying; durable on return.

        Raises AccessDenied where it may not become so; else as `retention`.
        """
        headers = {rules.MODE_HEADER: wanted.mode, rules.UNTIL_HEADER: iso_time(wanted.until_ms)} if wanted.mode else {}
        call = _asking(call, headers)
        admission = self._admit(call, target, "s3:PutObjectRetention")
        bypass = may_bypass(self._guard, call, admission.bucket, target.key, bypass_asked)

        def change(old: Lock) -> Lock:
            rules.check_change(old, wanted, call.now_ms, bypass)
            return wanted._replace(legal_hold=old.legal_hold)

        self._amend(admission, target, change)

    def set_hold(self, call: Call, target: Target, on: bool) -> None:
        """Set or lift the legal hold, the retention staying; durable on return. Errors as `retention`."""
        call = _asking(call, {rules.HOLD_HEADER: "ON" if on else "OFF"})
        admission = self._admit(call, target, "s3:PutObjectLegalHold")
        self._amend(admission, target, lambda old: old._replace(legal_hold=on))

    def _admit(self, call: Call, target: Target, action: str) -> Admission:
        admission = self._guard.admit(call, target.bucket, action, target.key, target.expected_owner)
        rules.check_lockable(admission.bucket)
        return admission

    def _lock(self, call: Call, target: Target, action: str) -> Lock:
        admission = self._admit(call, target, action)
        version = self._find(admission, target)
        if version is None:
            raise _absent(admission, target)
        admission.seen(version)
        if version.delete_marker:
            raise _marker()
        return version.attributes.lock

    def _find(self, admission: Admission, target: Target) -> Version | None:
        bucket_id = admission.bucket.bucket_id
        try:
            if target.version is None:
                return self._store.current(bucket_id, target.key)
            return self._store.version(bucket_id, target.key, target.version)
        except Missing:
            return None

    def _amend(self, admission: Admission, target: Target, change: Change) -> None:
        def amend(version: Version) -> Attributes:
            admission.seen(version)
            return replace(version.attributes, lock=change(version.attributes.lock))

        try:
            self._store.version_amend(admission.bucket.bucket_id, target.key, target.version, amend)
        except Missing:
            if target.version is not None and self._find(admission, target) is not None:
                admission.seen(None)
                raise _marker() from None
            raise _absent(admission, target) from None


def _asking(call: Call, headers: dict[str, str]) -> Call:
    """The call with what its document asks for among its headers, where conditions of policies look for it."""
    if not headers:
        return call
    return call._replace(facts=call.facts._replace(headers={**call.facts.headers, **headers}))


def _marker() -> S3Error:
    fields = {"ResourceType": "DeleteMarker"}
    return S3Error("MethodNotAllowed", fields=fields, headers={"x-amz-delete-marker": "true"})


def _absent(admission: Admission, target: Target) -> S3Error:
    """The refusal for what is not there, once the caller may know so."""
    admission.seen(None)
    fields = {"Key": target.key.decode("utf-8", "replace")}
    if target.version is None:
        return S3Error("NoSuchKey", fields=fields)
    return S3Error("NoSuchVersion", fields=fields | {"VersionId": place_text(target.version)})
