"""The multipart use cases: create, upload a part, complete, abort, list. An upload is addressed by object and id.

Knows that a part is a content of its own and that completing only chooses parts; no byte moves. Must not know wires or
SQL. The rules on parts (order, sizes, ETags, checksums) are core/s3/multipart's.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from app.core import integrity as integrity_rules
from app.core import limits
from app.core.errors import Conflict, Missing, S3Error
from app.core.s3.multipart import Assembly, RequestedPart, assemble, part_checksum_algorithm
from app.core.s3.version_ids import written_text
from app.core.s3.wanted import Wanted
from app.core.types import Bucket, Checksum, Content, Encryption, Part, RefId, Upload, Version
from app.ports.metadata import Check, Completion, MetadataStore, PartCommit
from app.services.background.notifications import announcing
from app.services.call import Call, Sources
from app.services.content.blobs import Blobs
from app.services.content.sealing import etag
from app.services.gate.guard import Guard
from app.services.objects.copying import Copying
from app.services.objects.drafts import Drafts
from app.services.objects.objects import Incoming, ObjectRead, Selection, Stored, Target
from app.services.objects.removal import replacing_check

COMPLETE_ATTEMPTS_MAX = 4  # reading the parts again when one was replaced while completing


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """An upload as addressed: its object and the id from the wire (32 hex digits; anything else is no upload)."""

    object: Target
    upload_id: str


class StoredPart(NamedTuple):
    """A part, and how it is encrypted: as its upload is."""

    part: Part
    encryption: Encryption | None


class Multipart:
    """Use cases on multipart uploads. Errors: S3Error; StoreError from the stores passes through."""

    def __init__(
        self, store: MetadataStore, blobs: Blobs, guard: Guard, drafts: Drafts, copying: Copying, sources: Sources
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._guard = guard
        self._drafts = drafts
        self._copying = copying
        self._sources = sources

    def create(self, call: Call, target: Target, wanted: Wanted, algorithm: str, kind: str) -> Upload:
        """Begin an upload; durable on return. `algorithm`, `kind`: the object's checksum, "" for none."""
        bucket = self._guard.admit(call, target.bucket, "s3:PutObject", target.key, target.expected_owner).bucket
        draft = self._drafts.draft(call, bucket, target.key, wanted)
        upload = Upload(
            upload_id=self._sources.new_id(),
            bucket_id=bucket.bucket_id,
            key=target.key,
            owner=draft.owner,
            initiated_ms=call.now_ms,
            attributes=draft.attributes,
            checksum_algorithm=algorithm,
            checksum_kind=kind,
            initiator=_initiator(call, draft.owner),
        )
        try:
            self._store.upload_create(upload)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": target.bucket}) from None
        return upload

    def find(self, call: Call, target: UploadTarget, action: str = "s3:PutObject") -> Upload:
        """The upload, if it is one of this object's and the caller may do `action`. Raises NoSuchUpload."""
        return self._found(self._admitted(call, target, action), target)

    def _admitted(self, call: Call, target: UploadTarget, action: str) -> Bucket:
        addressed = target.object
        return self._guard.admit(call, addressed.bucket, action, addressed.key, addressed.expected_owner).bucket

    def _found(self, bucket: Bucket, target: UploadTarget) -> Upload:
        try:
            upload = self._store.upload_get(_upload_id(target))
        except Missing:
            raise _no_such_upload(target) from None
        if (upload.bucket_id, upload.key) != (bucket.bucket_id, target.object.key):
            raise _no_such_upload(target)
        return upload

    def upload_part(self, call: Call, target: UploadTarget, number: int, incoming: Incoming) -> StoredPart:
        """Store part `number` (1..10,000), replacing an earlier one; durable on return.

        Raises EntityTooLarge, NoSuchUpload and what the body and the integrity rules raise.
        """
        if incoming.body.length is not None and incoming.body.length > limits.PART_BYTES_MAX:
            raise S3Error("EntityTooLarge", fields={"MaxSizeAllowed": str(limits.PART_BYTES_MAX)})
        bucket = self._admitted(call, target, "s3:PutObject")
        upload = self._found(bucket, target)
        self._drafts.quotas.check(call, bucket, incoming.body.length or 0, 1)
        algorithm = part_checksum_algorithm(upload, incoming.integrity.algorithm)
        wanted = {"MD5", *integrity_rules.needed(incoming.integrity), *([algorithm] if algorithm else [])}
        sealed = self._drafts.sealing.of_part(call, upload)
        data_key = None if sealed is None else sealed.data_key
        keeping = self._drafts.profiles.of(bucket, upload.attributes.storage_class)
        with self._blobs.take_in(call, incoming.body, wanted, keeping, data_key) as intake:
            checksum = integrity_rules.verify(incoming.integrity, intake.digests, incoming.trailers())
            if checksum is None and algorithm:
                checksum = Checksum.of(algorithm, intake.digests[algorithm])
            part = Part(
                upload.upload_id,
                number,
                intake.ref_id,
                intake.size,
                etag(sealed, intake.digests["MD5"]),
                call.now_ms,
                checksum,
            )

            self._drafts.quotas.take(call, bucket, part.size, 0)

            def publish(content: Content, uploaded: frozenset[bytes], pinned: bool) -> None:
                self._store.part_commit(PartCommit(part, content, uploaded, pinned))

            try:
                intake.commit(publish)
            except Missing:
                raise _no_such_upload(target) from None
        return StoredPart(part, upload.attributes.encryption)

    def copy_part(
        self, call: Call, target: UploadTarget, number: int, source: Target, selection: Selection
    ) -> tuple[StoredPart, ObjectRead]:
        """Store a span of an object as part `number`; also returns what was read. Raises as upload_part."""
        self.find(call, target)
        read = self._copying.source(call, source, selection)
        try:
            with closing(self._copying.body(call, read)) as body:
                part = self.upload_part(call, target, number, Incoming(body, integrity_rules.NOTHING))
        except Missing:
            raise S3Error("SlowDown", reason="the source was replaced while it was copied") from None
        return part, read

    def complete(
        self,
        call: Call,
        target: UploadTarget,
        requested: Sequence[RequestedPart],
        declared: Checksum | None,
        check: Check | None = None,
    ) -> Stored:
        """Make the object of the chosen parts; durable and visible on return, and the upload is gone.

        A retried completion with the same parts answers the version it made. Raises NoSuchUpload, InvalidPart,
        InvalidPartOrder, EntityTooSmall, BadDigest and what `check` raises.
        """
        bucket = self._admitted(call, target, "s3:PutObject")
        try:
            upload = self._found(bucket, target)
        except S3Error as error:
            if error.code != "NoSuchUpload":
                raise
            return self._completed_before(bucket, target, requested)
        self._drafts.sealing.check_completion(call, upload)
        for _ in range(COMPLETE_ATTEMPTS_MAX):
            assembly = assemble(upload, requested, self._stored_parts(upload.upload_id), declared)
            try:
                return self._complete(call, bucket, upload, assembly, check)
            except Conflict:
                continue  # a part was replaced between reading and completing
            except Missing:
                return self._completed_before(bucket, target, requested)
        raise S3Error("OperationAborted", reason="parts kept changing while the upload was being completed")

    def _complete(self, call: Call, bucket: Bucket, upload: Upload, assembly: Assembly, check: Check | None) -> Stored:
        version = Version(
            bucket_id=upload.bucket_id,
            key=upload.key,
            version_id=self._sources.new_id(),
            seq=0,
            ref_id=upload.upload_id,
            size=assembly.size,
            etag=assembly.etag,
            modified_ms=call.now_ms,
            owner=upload.owner,
            attributes=upload.attributes,
            checksum=assembly.checksum,
            part_count=len(assembly.parts),
        )
        self._drafts.quotas.take(call, bucket, 0, 1)  # its bytes count already, as its parts'
        announce = announcing(call, bucket, "ObjectCreated:CompleteMultipartUpload")
        completion = Completion(version, assembly.parts, check, replacing_check(call, bucket), announce)
        with call.stages.timed("commit"):
            stored = self._store.complete_upload(completion)
        return Stored(stored, written_text(stored))

    def _completed_before(self, bucket: Bucket, target: UploadTarget, requested: Sequence[RequestedPart]) -> Stored:
        """The version an earlier completion of this very upload made, if it is still one of the newest.

        Only so many versions of the key are looked through: a client that lost the answer asks again soon.
        """
        upload_id, key = _upload_id(target), target.object.key
        stop = key + b"\x00"
        stacked = self._store.versions_scan(bucket.bucket_id, key, None, stop, limits.LIST_KEYS_MAX)
        version = next((each for each in stacked if each.part_count and each.ref_id == upload_id), None)
        if version is None:
            raise _no_such_upload(target)
        stored = self._stored_parts(version.ref_id)
        same = [(part.number, part.etag) for part in requested] == [(p.number, p.etag) for p in stored.values()]
        if not same:
            raise _no_such_upload(target)
        return Stored(version, written_text(version))

    def _stored_parts(self, upload_id: RefId) -> dict[int, Part]:
        """Every part by number, in order: at most PART_NUMBER_MAX rows, read a page at a time."""
        parts: dict[int, Part] = {}
        after = 0
        while page := self._store.parts_scan(upload_id, after, limits.LIST_KEYS_MAX):
            parts.update((part.number, part) for part in page)
            after = page[-1].number
        return parts

    def abort(self, call: Call, target: UploadTarget) -> None:
        """Give the upload and its parts up. Raises NoSuchUpload, also for a completed one."""
        upload = self.find(call, target, "s3:AbortMultipartUpload")
        try:
            self._store.upload_abort(upload.upload_id)
        except Missing:
            raise _no_such_upload(target) from None

    def list_parts(self, call: Call, target: UploadTarget, after: int, limit: int) -> tuple[Upload, list[Part]]:
        """The upload and up to `limit` of its parts with numbers > `after`."""
        upload = self.find(call, target, "s3:ListMultipartUploadParts")
        return upload, self._store.parts_scan(upload.upload_id, after, limit)


def _upload_id(target: UploadTarget) -> RefId:
    text = target.upload_id
    if len(text) != 32 or not all(digit in "0123456789abcdef" for digit in text):
        raise _no_such_upload(target)
    return bytes.fromhex(text)


def _initiator(call: Call, owner: str) -> str:
    """Who began it, as the upload keeps it: canonical id and ARN, "" for the owner's own root."""
    caller = call.caller
    if caller.canonical_id == owner and caller.principal is None:
        return ""
    return f"{caller.canonical_id} {caller.identity.arn}"


def _no_such_upload(target: UploadTarget) -> S3Error:
    return S3Error("NoSuchUpload", fields={"UploadId": target.upload_id})
