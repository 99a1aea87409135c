"""The access control list of an object's version: read and replaced.

Knows the permissions and which versions have lists. Must not know documents or wires.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from app.core.acl import grants as acl
from app.core.acl.grants import Grant
from app.core.acl.requests import AclRequest
from app.core.acl.settings import ENFORCED, ownership_of
from app.core.errors import Missing, S3Error
from app.core.s3.version_ids import place_text
from app.core.types import Attributes, Bucket, Version
from app.ports.metadata import MetadataStore
from app.services.background.notifications import announcing
from app.services.call import Call
from app.services.gate.guard import Admission, Guard
from app.services.gate.ownership import Ownership
from app.services.objects.objects import Target

Wish = Callable[[], AclRequest]
"""The list asked for; reads the body, so it is asked once the caller is known to be welcome."""


class AclRead(NamedTuple):
    """The list of `version`; `owner` is who it is in force for: the bucket's, where lists do not count."""

    version: Version
    owner: str
    grants: tuple[Grant, ...]


class ObjectAcls:
    """Use cases on objects' lists. Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, store: MetadataStore, guard: Guard, ownership: Ownership) -> None:
        self._store = store
        self._guard = guard
        self._ownership = ownership

    def get(self, call: Call, target: Target) -> AclRead:
        """Raises NoSuchKey, NoSuchVersion, MethodNotAllowed (delete marker) and what the guard raises."""
        admission = self._admit(call, target, "Get")
        bucket = admission.bucket
        version = self._find(admission, target)
        if ownership_of(bucket) == ENFORCED:
            return AclRead(version, bucket.owner, acl.decode("", bucket.owner))
        return AclRead(version, version.owner, acl.decode(version.attributes.acl, version.owner))

    def put(self, call: Call, target: Target, wish: Wish) -> Version:
        """Replace the version's list; durable on return. Raises as `get`, and what Ownership.of_stored raises."""
        admission = self._admit(call, target, "Put")
        bucket = admission.bucket
        # Who may not is told so before the body is asked for.
        self._find(admission, target)
        request = wish()

        def amend(version: Version) -> Attributes:
            admission.seen(version)
            return replace(version.attributes, acl=self._ownership.of_stored(bucket, version.owner, request))

        announce = announcing(call, bucket, "ObjectAcl:Put")
        try:
            return self._store.version_amend(bucket.bucket_id, target.key, target.version, amend, announce)
        except Missing:
            raise _absent(target) from None

    def _admit(self, call: Call, target: Target, verb: str) -> Admission:
        action = f"s3:{verb}ObjectAcl" if target.version is None else f"s3:{verb}ObjectVersionAcl"
        return self._guard.admit(call, target.bucket, action, target.key, target.expected_owner)

    def _find(self, admission: Admission, target: Target) -> Version:
        bucket: Bucket = admission.bucket
        try:
            if target.version is None:
                version = self._store.current(bucket.bucket_id, target.key)
            else:
                version = self._store.version(bucket.bucket_id, target.key, target.version)
        except Missing:
            admission.seen(None)
            raise _absent(target) from None
        admission.seen(version)
        if not version.delete_marker:
            return version
        headers = {"x-amz-delete-marker": "true"}
        if target.version is None:
            raise S3Error("NoSuchKey", fields={"Key": target.key.decode("utf-8", "replace")}, headers=headers)
        fields = {"Method": "GET", "ResourceType": "DeleteMarker"}
        raise S3Error("MethodNotAllowed", fields=fields, headers=headers)


def _absent(target: Target) -> S3Error:
    key = target.key.decode("utf-8", "replace")
    if target.version is None:
        return S3Error("NoSuchKey", fields={"Key": key})
    return S3Error("NoSuchVersion", fields={"Key": key, "VersionId": place_text(target.version)})
