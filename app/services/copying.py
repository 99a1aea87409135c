"""Copies inside the store: a whole object without moving a byte, or a span of one read through as a new body.

Knows that a chunk may be referred to by many contents, so a copy of an object is a commit of the same chunks under a
new reference; and what of the source a copy keeps. Must not know wires.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

from app.core import limits
from app.core.errors import Conflict, Missing, S3Error
from app.core.s3.headers import RENAMED_BY
from app.core.s3.wanted import NOTHING_WANTED, Wanted
from app.core.types import Attributes, Bucket, Checksum, FileSpan, Piece, Version
from app.ports.metadata import Check
from app.services.blobs import Blobs
from app.services.call import Call
from app.services.drafts import Drafts
from app.services.guard import Guard
from app.services.objects import ObjectRead, Objects, Selection, Stored, Target
from app.services.reading import Pieces, Reading

COPY_ATTEMPTS_MAX = 4  # starting over when the source is replaced and released while it is copied
REDIRECT = "x-amz-website-redirect-location"


class SpanBody:
    """A body made of an object's pieces, for bytes that must be read to be hashed again."""

    def __init__(self, pieces: Pieces, length: int) -> None:
        self.length = length
        self._source = pieces
        self._pieces: Iterator[Piece] = iter(pieces)
        self._rest = memoryview(b"")

    def receive(self, view: memoryview) -> int:
        done = 0
        while done < len(view):
            if not len(self._rest):
                piece = next(self._pieces, None)
                if piece is None:
                    break
                if isinstance(piece, FileSpan):
                    raise TypeError("a span body is read from a reader without spans")
                self._rest = memoryview(piece)
            step = min(len(view) - done, len(self._rest))
            view[done : done + step] = self._rest[:step]
            self._rest = self._rest[step:]
            done += step
        return done

    def close(self) -> None:
        self._source.close()


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """A copy as asked. `wanted`: of the copy; its headers and metadata count only with `replaces_metadata`, its tags
    only with `replaces_tags`, else the source's do. `check` is the destination's precondition; `algorithm` the checksum
    wanted for the copy ("" keeps the source's)."""

    source: Target
    selection: Selection
    target: Target
    wanted: Wanted = NOTHING_WANTED
    replaces_metadata: bool = False
    replaces_tags: bool = False
    check: Check | None = None
    algorithm: str = ""


class Copied(NamedTuple):
    """A copy made. `source_shown`: the version copied as the answer tells it, "" where S3 tells none."""

    version: Version
    shown: str
    source_shown: str


class Copying:
    """CopyObject, and the reading half of UploadPartCopy."""

    def __init__(self, objects: Objects, blobs: Blobs, reading: Reading, guard: Guard, drafts: Drafts) -> None:
        self._objects = objects
        self._blobs = blobs
        self._reading = reading
        self._guard = guard
        self._drafts = drafts

    def copy(self, call: Call, request: CopyRequest) -> Copied:
        """Make the target a copy of the source; durable and visible on return. The ETag is the source's: the bytes are.

        Raises NoSuchKey, InvalidRequest (to itself without a change, of a delete marker, or over 5 GiB), AccessDenied
        and what the checks raise.
        """
        target = request.target
        admission = self._guard.admit(call, target.bucket, "s3:PutObject", target.key, target.expected_owner)
        bucket = admission.bucket
        if admission.judge is not None:
            self._objects.ask_early(admission, target.key, None)
        for _ in range(COPY_ATTEMPTS_MAX):
            read = self.source(call, request.source, request.selection)
            _refuse_no_change(request, read.version)
            version = self._copy_of(call, bucket, request, read.version)
            try:
                if request.algorithm and not _has_checksum(read.version, request.algorithm):
                    stored = self._read_through(call, bucket, read.version, version, request)
                else:
                    stored = self.refer(call, bucket, read.version, version, request.check)
            except (Conflict, Missing):
                continue  # the source was replaced and released meanwhile
            return Copied(stored.version, stored.shown, read.shown)
        raise S3Error("SlowDown", reason="the source is replaced faster than it can be copied")

    def source(self, call: Call, source: Target, selection: Selection) -> ObjectRead:
        """What is to be copied from, for a caller who may read it."""
        try:
            read = self._objects.head(call, source, selection)
        except S3Error as error:
            if error.code != "MethodNotAllowed":
                raise
            text = "The source of a copy request may not specifically refer to a delete marker by version id."
            raise S3Error("InvalidRequest", text) from None
        if read.length > limits.PUT_BYTES_MAX:
            text = "The specified copy source is larger than the maximum allowable size for a copy source: "
            raise S3Error("InvalidRequest", f"{text}{limits.PUT_BYTES_MAX}")
        return read

    def _copy_of(self, call: Call, bucket: Bucket, request: CopyRequest, source: Version) -> Version:
        """The version to be, but for its content."""
        tags = request.wanted.attributes.tags
        if not request.replaces_tags and source.attributes.tags:
            tags = source.attributes.tags
            self._require_tags(call, request.source, source)
        attributes = replace(_attributes(request, source.attributes), tags=tags)
        draft = self._drafts.draft(call, bucket, request.target.key, request.wanted._replace(attributes=attributes))
        return source._replace(
            bucket_id=bucket.bucket_id,
            key=request.target.key,
            version_id=self._blobs.sources.new_id(),
            part_count=0,
            modified_ms=call.now_ms,
            owner=draft.owner,
            attributes=draft.attributes,
        )

    def _require_tags(self, call: Call, source: Target, version: Version) -> None:
        """Copying tags is reading them. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
        action = "s3:GetObjectTagging" if source.version is None else "s3:GetObjectVersionTagging"
        self._guard.require(call, self._guard.bucket(source.bucket), action, source.key, version)

    def refer(self, call: Call, bucket: Bucket, source: Version, version: Version, check: Check | None) -> Stored:
        """Commit the source's chunks as the content of `version`. Conflict or Missing: they were released meanwhile."""
        with self._blobs.adopt(call, source.size, list(self._reading.contents(source))) as intake:
            return self._objects.commit(call, bucket, intake, version._replace(ref_id=intake.ref_id), check)

    def _read_through(
        self, call: Call, bucket: Bucket, source: Version, version: Version, request: CopyRequest
    ) -> Stored:
        read = ObjectRead(source, 0, source.size, partial=False)
        algorithms = {"MD5", request.algorithm}
        with closing(self.body(read)) as body, self._blobs.take_in(call, body, algorithms) as intake:
            version = version._replace(
                ref_id=intake.ref_id,
                etag=intake.digests["MD5"].hex(),
                checksum=Checksum.of(request.algorithm, intake.digests[request.algorithm]),
            )
            return self._objects.commit(call, bucket, intake, version, request.check)

    def body(self, read: ObjectRead) -> SpanBody:
        """The selected bytes as a body, to be taken in anew (a part made from a span of an object) and closed then."""
        return SpanBody(self._reading.pieces(read.version, None, read.start, read.length, spans=False), read.length)


def _has_checksum(version: Version, algorithm: str) -> bool:
    known = version.checksum
    return known is not None and known.algorithm == algorithm and known.kind == "FULL_OBJECT"


def _attributes(request: CopyRequest, source: Attributes) -> Attributes:
    """Headers and metadata by the directive; a redirect and the storage class are never the source's.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """
    asked = request.wanted.attributes
    if request.replaces_metadata:
        return asked
    kept = {name: value for name, value in source.headers.items() if name not in (REDIRECT, RENAMED_BY)}
    if REDIRECT in asked.headers:
        kept[REDIRECT] = asked.headers[REDIRECT]
    return Attributes(kept, source.metadata, asked.storage_class)


def _refuse_no_change(request: CopyRequest, source: Version) -> None:
    """Raises InvalidRequest for a copy of the current version onto itself that would change nothing."""
    same = (request.source.bucket, request.source.key) == (request.target.bucket, request.target.key)
    if not same or request.source.version is not None or request.replaces_metadata:
        return
    asked = request.wanted.attributes
    if REDIRECT in asked.headers or asked.storage_class != source.attributes.storage_class:
        return
    raise S3Error(
        "InvalidRequest",
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
        "metadata, storage class, website redirect location or encryption attributes.",
    )
