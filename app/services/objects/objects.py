"""The object use cases: put, read, describe. Visible only by the store's transaction.

Knows the order body -> digests -> commit, and read-again when a version is replaced under a reader. Must not know wires
or SQL. Copies, deletions, multipart uploads, renames and appends live in the modules beside.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.core import integrity as integrity_rules
from app.core import limits
from app.core.body import Body
from app.core.errors import Missing, S3Error
from app.core.integrity import Integrity
from app.core.s3.times import http_date
from app.core.s3.version_ids import place_text, shown_text, version_text, written_text
from app.core.s3.wanted import Wanted
from app.core.sealing.frames import DataKey
from app.core.types import NO_LOCK, Bucket, Content, ContentPage, Lock, Part, Version, Versioning, VersionPlace
from app.ports.metadata import Check, Commit, MetadataStore
from app.services.background.notifications import created
from app.services.call import Call
from app.services.content.blobs import Blobs, Intake
from app.services.content.profiles import Keeping
from app.services.content.reading import Pieces, Reading
from app.services.gate.guard import Admission, Guard
from app.services.objects.drafts import Drafts
from app.services.objects.removal import replacing_check

READ_ATTEMPTS_MAX = 4  # looking a version up again when it was replaced and released under the reader


class Target(NamedTuple):
    """An object as addressed. `version`: None is the current one. `expected_owner`: an account id or ""."""

    bucket: str
    key: bytes
    version: VersionPlace | None = None
    expected_owner: str = ""


class Incoming(NamedTuple):
    """A body with what the client said about it; `trailers()` is asked only after the body ended."""

    body: Body
    integrity: Integrity
    trailers: Callable[[], Mapping[str, str]] = dict


class Selection(NamedTuple):
    """What of an object is wanted: `check` refuses by the version (304, 412), `span` turns its size into (start,
    length) or None for the whole (raises InvalidRange), `part_number` asks for one part."""

    check: Callable[[Version], None] = lambda version: None
    span: Callable[[int], tuple[int, int] | None] = lambda size: None
    part_number: int | None = None


class Stored(NamedTuple):
    """A version just written. `shown`: its id as the answer tells it, "" where S3 tells none."""

    version: Version
    shown: str


class ObjectRead(NamedTuple):
    """Bytes [start, start + length) of `version`; `partial` says 206. `part` when one was asked for. `pieces` is None
    for HEAD; else iterate once and close.

    What the caller may know besides: `shown`, as in Stored; `tag_count`; `lock`.
    """

    version: Version
    start: int
    length: int
    partial: bool
    part: Part | None = None
    pieces: Pieces | None = None
    shown: str = ""
    tag_count: int = 0
    lock: Lock = NO_LOCK


class Objects:
    """Use cases on objects. Errors: S3Error; StoreError from the stores passes through."""

    def __init__(
        self, store: MetadataStore, blobs: Blobs, reading: Reading, guard: Guard, drafts: Drafts, inline_bytes: int
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._reading = reading
        self._guard = guard
        self._drafts = drafts
        self._here = Keeping(inline_bytes=inline_bytes)

    # --- writing

    def put(self, call: Call, target: Target, wanted: Wanted, incoming: Incoming, check: Check | None = None) -> Stored:
        """Store a body as the key's current version; durable and visible on return.

        `check` is asked early, before the body is read, and decides inside the transaction. Raises what the body, the
        integrity rules, the draft and `check` raise, EntityTooLarge, NoSuchBucket.
        """
        admission = self._guard.admit(call, target.bucket, "s3:PutObject", target.key, target.expected_owner)
        bucket = admission.bucket
        size = incoming.body.length
        if size is not None and size > limits.PUT_BYTES_MAX:
            raise S3Error("EntityTooLarge", fields={"MaxSizeAllowed": str(limits.PUT_BYTES_MAX)})
        if check is not None or admission.judge is not None:
            self.ask_early(admission, target.key, check)
        self._drafts.quotas.check(call, bucket, size or 0, 1)
        draft = self._drafts.draft(call, bucket, target.key, wanted)
        needed = integrity_rules.needed(incoming.integrity) | {"MD5"}
        keeping = draft.keeping if draft.keeping.profile else self._here
        with self._blobs.take_in(call, incoming.body, needed, keeping, draft.data_key) as intake:
            checksum = integrity_rules.verify(incoming.integrity, intake.digests, incoming.trailers())
            version = Version(
                bucket_id=bucket.bucket_id,
                key=target.key,
                version_id=self._blobs.sources.new_id(),
                seq=0,
                ref_id=intake.ref_id,
                size=intake.size,
                etag=draft.etag(intake.digests["MD5"]),
                modified_ms=call.now_ms,
                owner=draft.owner,
                attributes=draft.attributes,
                checksum=checksum,
            )
            return self.commit(call, bucket, intake, version, check)

    def ask_early(self, admission: Admission, key: bytes, check: Check | None) -> None:
        """Judge a write by the version it would follow, before its body is read; the transaction decides."""
        current = self.current_or_none(admission.bucket, key)
        admission.seen(current)
        if check is not None:
            check(current)

    def commit(
        self,
        call: Call,
        bucket: Bucket,
        intake: Intake,
        version: Version,
        check: Check | None,
        moved_from: tuple[bytes, Check | None] | None = None,
    ) -> Stored:
        """Publish what `intake` took in as `version`. Raises NoSuchBucket when the bucket is gone by now, QuotaExceeded
        unless it is there already under another key."""
        if moved_from is None:
            self._drafts.quotas.take(call, bucket, version.size, 1)
        replaced_check, announce = replacing_check(call, bucket), created(call, bucket)

        def publish(content: Content, uploaded: frozenset[bytes], pinned: bool) -> Version:
            commit = Commit(version, content, check, uploaded, pinned, replaced_check, announce, moved_from)
            return self._store.commit(commit)

        try:
            stored = intake.commit(publish)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": bucket.name}) from None
        return Stored(stored, written_text(stored))

    def keeping(self, bucket: Bucket, storage_class: str) -> Keeping:
        """How a new object of this class is kept."""
        return self._drafts.profiles.of(bucket, storage_class)

    def current_or_none(self, bucket: Bucket, key: bytes) -> Version | None:
        """The key's current version, nobody's permission asked."""
        try:
            return self._store.current(bucket.bucket_id, key)
        except Missing:
            return None

    # --- reading

    def head(self, call: Call, target: Target, selection: Selection, copy_source: bool = False) -> ObjectRead:
        """The version and which of its bytes GET would answer. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed (the
        version named is a delete marker), InvalidRequest (the key of SSE-C) and what the selection raises.

        `copy_source`: the object is what a copy is made of, and its key comes in headers of their own."""
        bucket, version = self.find(call, target, "s3:GetObject" if target.version is None else "s3:GetObjectVersion")
        self._drafts.sealing.check(call, version, copy_source)
        return self._told(call, bucket, target, self._select(version, selection))

    def get(self, call: Call, target: Target, selection: Selection) -> ObjectRead:
        """As head, with the pieces; the first is in hand and verified on return. The caller closes `pieces`."""
        action = "s3:GetObject" if target.version is None else "s3:GetObjectVersion"
        admission = self._guard.admit(call, target.bucket, action, target.key, target.expected_owner)
        for _ in range(READ_ATTEMPTS_MAX):
            version, page = self._found_with_content(admission, target)
            data_key = self._drafts.sealing.open(call, version)
            read = self._select(version, selection)
            try:
                pieces = self._pieces(read, page, data_key)
            except Missing:
                continue  # replaced and released between the row and its content
            call.stages.chunks += pieces.chunks
            try:
                return self._told(call, admission.bucket, target, read._replace(pieces=pieces))
            except BaseException:
                pieces.close()
                raise
        raise S3Error("SlowDown", reason="the object is replaced faster than it can be read")

    def _pieces(self, read: ObjectRead, page: ContentPage | None, data_key: DataKey | None) -> Pieces:
        if data_key is None:
            return self._reading.pieces(read.version, page, read.start, read.length)
        return self._reading.sealed_pieces(read.version, page, read.start, read.length, data_key)

    def find(self, call: Call, target: Target, action: str) -> tuple[Bucket, Version]:
        """The version addressed, for a caller who may do `action` with it. Raises NoSuchKey, NoSuchVersion,
        MethodNotAllowed (the version named is a delete marker), AccessDenied."""
        admission = self._guard.admit(call, target.bucket, action, target.key, target.expected_owner)
        bucket_id, place = admission.bucket.bucket_id, target.version
        try:
            if place is None:
                version = self._store.current(bucket_id, target.key)
            else:
                version = self._store.version(bucket_id, target.key, place)
        except Missing:
            raise self._absent(admission, target) from None
        admission.seen(version)
        if version.delete_marker:
            raise marker_named(version)
        return admission.bucket, version

    def _found_with_content(self, admission: Admission, target: Target) -> tuple[Version, ContentPage | None]:
        bucket_id, place = admission.bucket.bucket_id, target.version
        try:
            if place is None:
                version, page = self._store.current_with_content(bucket_id, target.key)
            else:
                version, page = self._store.version_with_content(bucket_id, target.key, place)
        except Missing:
            raise self._absent(admission, target) from None
        admission.seen(version)
        if version.delete_marker:
            raise marker_named(version)
        return version, page

    def _absent(self, admission: Admission, target: Target) -> S3Error:
        """The refusal for what is not there, once the caller may know so; a delete marker in its place shows itself."""
        admission.seen(None)
        fields = {"Key": target.key.decode("utf-8", "replace")}
        if target.version is not None:
            return S3Error("NoSuchVersion", fields=fields | {"VersionId": place_text(target.version)})
        headers = {"x-amz-delete-marker": "false"}  # S3 is silent here; the conformance suite wants it said
        if admission.bucket.versioning is not Versioning.OFF:
            try:
                newest = self._store.newest(admission.bucket.bucket_id, target.key)
            except Missing:
                newest = None
            if newest is not None and newest.delete_marker:
                headers = _marker_headers(newest)
        return S3Error("NoSuchKey", fields=fields, headers=headers)

    def _told(self, call: Call, bucket: Bucket, target: Target, read: ObjectRead) -> ObjectRead:
        """The read with what this caller may know besides the bytes."""
        version = read.version
        shown = shown_text(version, bucket.versioning)
        tags, lock = version.attributes.tags, version.attributes.lock
        if not tags and lock == NO_LOCK:
            return read._replace(shown=shown) if shown else read

        def allows(action: str) -> bool:
            return self._guard.allows(call, bucket, action, target.key, version)

        reads_tags = "s3:GetObjectTagging" if target.version is None else "s3:GetObjectVersionTagging"
        if lock.mode and not allows("s3:GetObjectRetention"):
            lock = lock._replace(mode="", until_ms=0)
        if lock.legal_hold and not allows("s3:GetObjectLegalHold"):
            lock = lock._replace(legal_hold=False)
        return read._replace(shown=shown, tag_count=len(tags) if tags and allows(reads_tags) else 0, lock=lock)

    def _select(self, version: Version, selection: Selection) -> ObjectRead:
        selection.check(version)
        if selection.part_number is not None:
            return self._select_part(version, selection.part_number)
        span = selection.span(version.size)
        if span is None:
            return ObjectRead(version, 0, version.size, partial=False)
        return ObjectRead(version, span[0], span[1], partial=True)

    def _select_part(self, version: Version, number: int) -> ObjectRead:
        """Part 1 of an object that was put whole is the object. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
        if not version.part_count:
            if number != 1:
                raise S3Error("InvalidPartNumber")
            return ObjectRead(version, 0, version.size, partial=True)
        found = self._store.parts_scan(version.ref_id, number - 1, 1)
        if not found or found[0].number != number:
            raise S3Error("InvalidPartNumber")
        part = found[0]
        return ObjectRead(version, part.start, part.size, partial=True, part=part)

    def describe(self, call: Call, target: Target) -> ObjectRead:
        """For GetObjectAttributes, which needs two permissions."""
        suffix = "" if target.version is None else "Version"
        self._guard.admit(call, target.bucket, f"s3:GetObject{suffix}Attributes", target.key, target.expected_owner)
        return self.head(call, target, Selection())

    def parts(self, version: Version, after_number: int, limit: int) -> list[Part]:
        """Parts of a completed multipart object by number, for GetObjectAttributes; [] for any other."""
        return self._store.parts_scan(version.ref_id, after_number, limit) if version.part_count else []


def _marker_headers(marker: Version) -> dict[str, str]:
    return {"x-amz-delete-marker": "true", "x-amz-version-id": version_text(marker)}


def marker_named(marker: Version) -> S3Error:
    """The refusal to read a version that is a delete marker. https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html"""
    headers = _marker_headers(marker) | {"Allow": "DELETE", "Last-Modified": http_date(marker.modified_ms)}
    return S3Error("MethodNotAllowed", fields={"Method": "GET", "ResourceType": "DeleteMarker"}, headers=headers)
