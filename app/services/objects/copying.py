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
from app.core.s3.tags import HEADER as TAGGING
from app.core.s3.wanted import NOTHING_WANTED, Wanted
from app.core.types import Attributes, Bucket, Checksum, FileSpan, Piece, Version
from app.ports.metadata import Check
from app.services.call import Call
from app.services.content.blobs import Blobs
from app.services.content.profiles import HERE, Keeping
from app.services.content.reading import Pieces, Reading
from app.services.content.sealing import Sealed, etag
from app.services.gate.guard import Guard
from app.services.objects.drafts import Drafts
from app.services.objects.objects import ObjectRead, Objects, Selection, Stored, Target

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


class Copy(NamedTuple):
    """A copy to be: the version but for its content, how it is sealed and kept, the checksum asked for and the
    precondition."""

    version: Version
    sealed: Sealed | None = None
    algorithm: str = ""
    check: Check | None = None
    keeping: Keeping = HERE

    def needs_bytes(self, source: Version) -> bool:
        """Whether the source's bytes must be read: to be sealed, opened, or hashed. Else its chunks are referred to,
        where they are kept as the copy is to be."""
        if self.sealed is not None or source.attributes.encryption is not None:
            return True
        return bool(self.algorithm) and not _has_checksum(source, self.algorithm)


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
        target, call = request.target, _as_asked(call, request)
        admission = self._guard.admit(call, target.bucket, "s3:PutObject", target.key, target.expected_owner)
        bucket = admission.bucket
        if admission.judge is not None:
            self._objects.ask_early(admission, target.key, None)
        for _ in range(COPY_ATTEMPTS_MAX):
            read = self.source(call, request.source, request.selection)
            _refuse_no_change(request, read.version)
            copy = self._copy_of(call, bucket, request, read.version)
            self._drafts.quotas.check(call, bucket, read.version.size, 1)
            try:
                if copy.needs_bytes(read.version):
                    stored = self.read_through(call, bucket, read.version, copy)
                else:
                    stored = self.refer(call, bucket, read.version, copy)
            except (Conflict, Missing):
                continue  # the source was replaced and released meanwhile
            return Copied(stored.version, stored.shown, read.shown)
        raise S3Error("SlowDown", reason="the source is replaced faster than it can be copied")

    def source(self, call: Call, source: Target, selection: Selection) -> ObjectRead:
        """What is to be copied from, for a caller who may read it."""
        try:
            read = self._objects.head(call, source, selection, copy_source=True)
        except S3Error as error:
            if error.code != "MethodNotAllowed":
                raise
            text = "The source of a copy request may not specifically refer to a delete marker by version id."
            raise S3Error("InvalidRequest", text) from None
        if read.length > limits.PUT_BYTES_MAX:
            text = "The specified copy source is larger than the maximum allowable size for a copy source: "
            raise S3Error("InvalidRequest", f"{text}{limits.PUT_BYTES_MAX}")
        return read

    def _copy_of(self, call: Call, bucket: Bucket, request: CopyRequest, source: Version) -> "Copy":
        """The copy to be. How the source is encrypted says nothing of it."""
        tags = request.wanted.attributes.tags if request.replaces_tags else source.attributes.tags
        if tags and not request.replaces_tags:
            self._require_tags(call, request.source, source)
        attributes = replace(_attributes(request, source.attributes), tags=tags)
        draft = self._drafts.draft(call, bucket, request.target.key, request.wanted._replace(attributes=attributes))
        version = source._replace(
            bucket_id=bucket.bucket_id,
            key=request.target.key,
            version_id=self._blobs.sources.new_id(),
            part_count=0,
            modified_ms=call.now_ms,
            owner=draft.owner,
            attributes=draft.attributes,
        )
        return Copy(version, draft.sealed, request.algorithm, request.check, draft.keeping)

    def _require_tags(self, call: Call, source: Target, version: Version) -> None:
        """Copying tags is reading them. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
        action = "s3:GetObjectTagging" if source.version is None else "s3:GetObjectVersionTagging"
        self._guard.require(call, self._guard.bucket(source.bucket), action, source.key, version)

    def refer(self, call: Call, bucket: Bucket, source: Version, copy: "Copy") -> Stored:
        """Commit the source's chunks as the copy's content; its bytes where the copy is kept under another profile.
        Conflict or Missing: they were released meanwhile."""
        contents = list(self._reading.contents(source))
        if not copy.keeping.fits(contents):
            return self.read_through(call, bucket, source, copy)
        with self._blobs.adopt(call, source.size, contents, copy.keeping) as intake:
            return self._objects.commit(call, bucket, intake, copy.version._replace(ref_id=intake.ref_id), copy.check)

    def read_through(self, call: Call, bucket: Bucket, source: Version, copy: "Copy") -> Stored:
        """Take the source's bytes in anew, opened and sealed again where either is encrypted. Raises as refer."""
        read = ObjectRead(source, 0, source.size, partial=False)
        algorithms = {"MD5", *([copy.algorithm] if copy.algorithm else [])}
        data_key = None if copy.sealed is None else copy.sealed.data_key
        with (
            closing(self.body(call, read)) as body,
            self._blobs.take_in(call, body, algorithms, copy.keeping, data_key) as intake,
        ):
            version = copy.version._replace(ref_id=intake.ref_id, etag=etag(copy.sealed, intake.digests["MD5"]))
            if copy.algorithm:
                version = version._replace(checksum=Checksum.of(copy.algorithm, intake.digests[copy.algorithm]))
            return self._objects.commit(call, bucket, intake, version, copy.check)

    def body(self, call: Call, read: ObjectRead) -> SpanBody:
        """The selected bytes as a body, to be taken in anew (a part made from a span of an object) and closed then."""
        version, start, length = read.version, read.start, read.length
        data_key = self._drafts.sealing.open(call, version, copy_source=True)
        if data_key is None:
            return SpanBody(self._reading.pieces(version, None, start, length, spans=False), length)
        return SpanBody(self._reading.sealed_pieces(version, None, start, length, data_key), length)


def _as_asked(call: Call, request: CopyRequest) -> Call:
    """The call without the tags of a header that says nothing of the copy: no condition of a policy is met by them."""
    if request.replaces_tags or TAGGING not in call.facts.headers:
        return call
    headers = {name: value for name, value in call.facts.headers.items() if name != TAGGING}
    return call._replace(facts=call.facts._replace(headers=headers))


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
    if request.wanted.encryption is not None:
        return
    raise S3Error(
        "InvalidRequest",
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
        "metadata, storage class, website redirect location or encryption attributes.",
    )
