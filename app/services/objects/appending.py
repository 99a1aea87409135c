"""The use case of a PUT at an offset: bytes added to the end of an object, which is all that moves.

Knows what an object is like after it grew. Must not know wires or SQL. An object grows in place, so only in a bucket
that never had versioning: a version of S3's never changes, and one more version per append would refer to all the bytes
before it again. The ETag of what grew is no digest of its bytes, as on S3, but changes with every append.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-append.html
"""

from collections.abc import Callable
from typing import NamedTuple

from app.core import checksums, limits
from app.core import integrity as integrity_rules
from app.core.acl.settings import ENFORCED, ownership_of
from app.core.errors import Missing, S3Error
from app.core.s3.wanted import Wanted
from app.core.types import NULL_VERSION, Bucket, Checksum, Content, Part, Version, Versioning
from app.ports.metadata import Appending, Check, MetadataStore
from app.services.background.notifications import created
from app.services.call import Call
from app.services.content.blobs import Blobs, Intake
from app.services.gate.guard import Guard
from app.services.objects.drafts import Drafts
from app.services.objects.objects import Incoming, Objects, Target
from app.services.objects.removal import removal_check

Grow = Callable[[Version | None], Version]

_ENCRYPTED = "Encrypted objects cannot be appended to."
_NO_VERSIONING = "Objects can only be appended to in a bucket that never had versioning."


class Appends:
    """Errors: S3Error; StoreError from the stores passes through."""

    def __init__(self, store: MetadataStore, blobs: Blobs, objects: Objects, guard: Guard, drafts: Drafts) -> None:
        self._store = store
        self._blobs = blobs
        self._objects = objects
        self._guard = guard
        self._drafts = drafts

    def append(
        self, call: Call, target: Target, wanted: Wanted, incoming: Incoming, offset: int, check: Check | None = None
    ) -> Version:
        """Add a body at `offset`, which must be the object's size in bytes; 0 makes an object that is not there.

        Durable and visible on return; the version as it is now. What is wanted counts for a new object alone. Raises
        InvalidWriteOffset, InvalidRequest (versioning), TooManyParts, EntityTooLarge and what a put raises.
        """
        admission = self._guard.admit(call, target.bucket, "s3:PutObject", target.key, target.expected_owner)
        bucket = admission.bucket
        if bucket.versioning is not Versioning.OFF:
            raise S3Error("InvalidRequest", _NO_VERSIONING)
        size = incoming.body.length
        if size is not None and size > limits.PUT_BYTES_MAX:
            raise S3Error("EntityTooLarge", fields={"MaxSizeAllowed": str(limits.PUT_BYTES_MAX)})
        draft = self._drafts.draft(call, bucket, target.key, wanted)
        growth = _Growth(call, offset, check, "" if ownership_of(bucket) == ENFORCED else draft.owner)
        self._objects.ask_early(admission, target.key, growth.allow)
        if draft.sealed is not None:
            raise S3Error("InvalidRequest", _ENCRYPTED)
        self._drafts.quotas.check(call, bucket, size or 0, int(offset == 0))
        needed = integrity_rules.needed(incoming.integrity) | {"MD5"}
        with self._blobs.take_in(call, incoming.body, needed, draft.keeping) as intake:
            checksum = integrity_rules.verify(incoming.integrity, intake.digests, incoming.trailers())
            etag = intake.digests["MD5"].hex()
            self._drafts.quotas.take(call, bucket, intake.size, int(offset == 0))
            part = Part(intake.ref_id, 1, intake.ref_id, intake.size, etag, call.now_ms, checksum)
            first = Version(
                bucket_id=bucket.bucket_id,
                key=target.key,
                version_id=NULL_VERSION,
                seq=0,
                ref_id=intake.ref_id,
                size=intake.size,
                etag=etag,
                modified_ms=call.now_ms,
                owner=draft.owner,
                attributes=draft.attributes,
                checksum=checksum,
            )
            return self._commit(call, bucket, intake, part, lambda current: growth.grown(current, first), target.key)

    def _commit(self, call: Call, bucket: Bucket, intake: Intake, part: Part, grow: Grow, key: bytes) -> Version:
        announce = created(call, bucket)

        def publish(content: Content, uploaded: frozenset[bytes], pinned: bool) -> Version:
            return self._store.append(Appending(bucket.bucket_id, key, part, content, grow, uploaded, pinned, announce))

        try:
            return intake.commit(publish)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": bucket.name}) from None


class _Growth(NamedTuple):
    """Whether an object may grow at an offset, and what it is like then.

    `owner`: canonical id of the one whose objects may, "" where all are the bucket owner's. A put makes the writer the
    owner of what is written; bytes that were added to somebody else's object would pass for that owner's.
    """

    call: Call
    offset: int
    check: Check | None
    owner: str

    def allow(self, current: Version | None) -> None:
        """Raises to refuse; the version is as the transaction sees it."""
        if current is not None and self.owner and current.owner != self.owner:
            raise S3Error("AccessDenied", reason="the object belongs to another account")
        if self.check is not None:
            self.check(current)
        size = 0 if current is None else current.size
        if self.offset != size:
            raise S3Error("InvalidWriteOffset", fields={"ObjectSize": str(size), "WriteOffset": str(self.offset)})
        if current is None:
            return
        removal_check(self.call)(current)
        if current.attributes.encryption is not None:
            raise S3Error("InvalidRequest", _ENCRYPTED)
        if current.part_count >= limits.PART_NUMBER_MAX:
            raise S3Error("TooManyParts")

    def grown(self, current: Version | None, added: Version) -> Version:
        """The version after `added`, the new bytes as an object of their own."""
        self.allow(current)
        if current is None:
            return added
        size = current.size + added.size
        if size > limits.OBJECT_BYTES_MAX:
            raise S3Error("EntityTooLarge", fields={"MaxSizeAllowed": str(limits.OBJECT_BYTES_MAX)})
        digest = checksums.digest("MD5", bytes.fromhex(current.etag[:32]) + bytes.fromhex(added.etag))
        return current._replace(
            size=size,
            etag=f"{digest.hex()}-{max(1, current.part_count) + 1}",
            checksum=_joined(current, added),
            modified_ms=self.call.now_ms,
        )


def _joined(current: Version, added: Version) -> Checksum | None:
    """The checksum of all bytes, where both have the same and two of it can be combined."""
    first, second = current.checksum, added.checksum
    if first is None or second is None or first.algorithm != second.algorithm or first.kind != "FULL_OBJECT":
        return None
    if first.algorithm not in checksums.COMBINABLE:
        return None
    sized = ((first, current.size), (second, added.size))
    parts = [(checksums.decode(each.algorithm, each.value), size) for each, size in sized]
    return Checksum.of(first.algorithm, checksums.combine(first.algorithm, parts))
