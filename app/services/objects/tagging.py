"""Tags of object versions: read, replaced and removed, version by version.

Knows the permissions and which versions have tags. Must not know documents or wires.
"""

from dataclasses import replace
from typing import NamedTuple

from app.core.errors import Missing, S3Error
from app.core.s3 import tags as tag_rules
from app.core.s3.tags import Tags
from app.core.s3.version_ids import parse_version
from app.core.types import Attributes, Version
from app.ports.metadata import MetadataStore
from app.services.background.notifications import announcing
from app.services.call import Call
from app.services.gate.guard import Admission, Guard


class Tagged(NamedTuple):
    """An object as addressed. `version`: as the client named it, None for the current one."""

    bucket: str
    key: bytes
    version: str | None = None
    expected_owner: str = ""


class Tagging:
    """Use cases on object tags. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    def get(self, call: Call, target: Tagged) -> Version:
        """The version whose tags are asked for. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed (delete marker)."""
        admission = self._admit(call, target, "Get")
        bucket_id = admission.bucket.bucket_id
        try:
            if target.version is None:
                version = self._store.current(bucket_id, target.key)
            else:
                version = self._store.version(bucket_id, target.key, parse_version(target.version))
        except Missing:
            admission.seen(None)
            raise _absent(target) from None
        admission.seen(version)
        if version.delete_marker:
            raise _marker()
        return version

    def put(self, call: Call, target: Tagged, tags: Tags) -> Version:
        """Replace the version's tags; durable on return. Errors as `get`."""
        headers = {**call.facts.headers, tag_rules.HEADER: tag_rules.header_text(tags)}
        call = call._replace(facts=call.facts._replace(headers=headers))
        return self._amend(call, self._admit(call, target, "Put"), target, tags)

    def delete(self, call: Call, target: Tagged) -> Version:
        """Remove all tags of the version; durable on return. Errors as `get`."""
        return self._amend(call, self._admit(call, target, "Delete"), target, {})

    def _admit(self, call: Call, target: Tagged, verb: str) -> Admission:
        of = "ObjectTagging" if target.version is None else "ObjectVersionTagging"
        return self._guard.admit(call, target.bucket, f"s3:{verb}{of}", target.key, target.expected_owner)

    def _amend(self, call: Call, admission: Admission, target: Tagged, tags: Tags) -> Version:
        place = None if target.version is None else parse_version(target.version)

        def amend(version: Version) -> Attributes:
            admission.seen(version)
            return replace(version.attributes, tags=dict(tags))

        bucket = admission.bucket
        announce = announcing(call, bucket, "ObjectTagging:Put" if tags else "ObjectTagging:Delete")
        try:
            return self._store.version_amend(bucket.bucket_id, target.key, place, amend, announce)
        except Missing:
            admission.seen(None)
            if place is not None:
                self._refuse_marker(admission, target)
            raise _absent(target) from None

    def _refuse_marker(self, admission: Admission, target: Tagged) -> None:
        try:
            self._store.version(admission.bucket.bucket_id, target.key, parse_version(target.version or ""))
        except Missing:
            return
        raise _marker()


def _marker() -> S3Error:
    fields = {"Method": "PUT", "ResourceType": "DeleteMarker"}
    return S3Error("MethodNotAllowed", fields=fields, headers={"x-amz-delete-marker": "true"})


def _absent(target: Tagged) -> S3Error:
    key = target.key.decode("utf-8", "replace")
    if target.version is None:
        return S3Error("NoSuchKey", fields={"Key": key})
    return S3Error("NoSuchVersion", fields={"Key": key, "VersionId": target.version})
