"""Copies inside the store: a whole object without moving a byte, or a span of one read through as a new body.

Knows that a chunk may be referred to by many contents, so a copy of an object is a commit of the same chunks under a
new reference. Must not know wires.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from app.core import limits
from app.core.errors import Conflict, Missing, S3Error
from app.core.types import NULL_VERSION, Attributes, Checksum, FileSpan, Piece, Version
from app.ports.metadata import Check
from app.services.blobs import Blobs
from app.services.buckets import Buckets
from app.services.call import Call
from app.services.objects import ObjectRead, Objects, Selection, Target
from app.services.reading import Pieces, Reading

COPY_ATTEMPTS_MAX = 4  # starting over when the source is replaced and released while it is copied


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
    """A copy as asked: `attributes` None keeps the source's; `check` is the destination's precondition; `algorithm` the
    checksum wanted for the copy ("" keeps the source's)."""

    source: Target
    selection: Selection
    target: Target
    attributes: Attributes | None = None
    check: Check | None = None
    algorithm: str = ""


class Copying:
    """CopyObject, and the reading half of UploadPartCopy."""

    def __init__(self, objects: Objects, blobs: Blobs, reading: Reading, buckets: Buckets) -> None:
        self._objects = objects
        self._blobs = blobs
        self._reading = reading
        self._buckets = buckets

    def copy(self, call: Call, wanted: CopyRequest) -> Version:
        """Make the target a copy of the source; durable and visible on return. The ETag is the source's: the bytes are.

        Raises NoSuchKey, InvalidRequest (to itself without a change, or over 5 GiB) and what the checks raise.
        """
        bucket = self._buckets.find(call, wanted.target.bucket, wanted.target.expected_owner)
        same = (wanted.source.bucket, wanted.source.key) == (wanted.target.bucket, wanted.target.key)
        if same and wanted.attributes is None:
            raise S3Error(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                "object's metadata, storage class, website redirect location or encryption attributes.",
            )
        for _ in range(COPY_ATTEMPTS_MAX):
            source = self._objects.head(call, wanted.source, wanted.selection).version
            if source.size > limits.PUT_BYTES_MAX:
                raise S3Error(
                    "InvalidRequest",
                    "The specified copy source is larger than the maximum allowable size for a copy source: "
                    f"{limits.PUT_BYTES_MAX}",
                )
            version = source._replace(
                bucket_id=bucket.bucket_id,
                key=wanted.target.key,
                version_id=NULL_VERSION,
                part_count=0,
                modified_ms=call.now_ms,
                owner=bucket.owner,
                attributes=wanted.attributes or source.attributes,
            )
            try:
                if wanted.algorithm and not _has_checksum(source, wanted.algorithm):
                    return self._read_through(call, source, version, wanted)
                return self._refer(call, source, version, wanted)
            except (Conflict, Missing):
                continue  # the source was replaced and released meanwhile
        raise S3Error("SlowDown", reason="the source is replaced faster than it can be copied")

    def _refer(self, call: Call, source: Version, version: Version, wanted: CopyRequest) -> Version:
        with self._blobs.adopt(call, source.size, list(self._reading.contents(source))) as intake:
            return self._objects.commit(intake, version._replace(ref_id=intake.ref_id), wanted.check)

    def _read_through(self, call: Call, source: Version, version: Version, wanted: CopyRequest) -> Version:
        read = ObjectRead(source, 0, source.size, partial=False)
        algorithms = {"MD5", wanted.algorithm}
        with closing(self.body(read)) as body, self._blobs.take_in(call, body, algorithms) as intake:
            version = version._replace(
                ref_id=intake.ref_id,
                etag=intake.digests["MD5"].hex(),
                checksum=Checksum.of(wanted.algorithm, intake.digests[wanted.algorithm]),
            )
            return self._objects.commit(intake, version, wanted.check)

    def body(self, read: ObjectRead) -> SpanBody:
        """The selected bytes as a body, to be taken in anew (a part made from a span of an object) and closed then."""
        return SpanBody(self._reading.pieces(read.version, None, read.start, read.length, spans=False), read.length)


def _has_checksum(version: Version, algorithm: str) -> bool:
    known = version.checksum
    return known is not None and known.algorithm == algorithm and known.kind == "FULL_OBJECT"
