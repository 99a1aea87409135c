"""The object use cases: put, read, delete one or many, describe. Visible only by the store's transaction.

Knows the order body -> digests -> commit, and read-again when a version is replaced under a reader. Must not know wires
or SQL. Copies live in services/copying, multipart uploads in services/multipart.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gevent.pool import Pool

from app.core import integrity as integrity_rules
from app.core import limits
from app.core.body import Body
from app.core.errors import Missing, S3Error, StoreError
from app.core.integrity import Integrity
from app.core.types import NULL_VERSION, Attributes, Bucket, Content, ContentPage, Part, Version
from app.ports.metadata import Check, Commit, MetadataStore
from app.services.blobs import Blobs, Intake
from app.services.buckets import Buckets
from app.services.call import Call
from app.services.reading import Pieces, Reading

READ_ATTEMPTS_MAX = 4  # looking a version up again when it was replaced and released under the reader
DELETES_AT_ONCE = 64  # keys of one DeleteObjects under way together, so that they share group commits


class Target(NamedTuple):
    """An object as addressed. `version`: None (the current one) or "null". `expected_owner`: an account id or ""."""

    bucket: str
    key: bytes
    version: str | None = None
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


class ObjectRead(NamedTuple):
    """Bytes [start, start + length) of `version`; `partial` says 206. `part` when one was asked for. `pieces` is None
    for HEAD; else iterate once and close."""

    version: Version
    start: int
    length: int
    partial: bool
    part: Part | None = None
    pieces: Pieces | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """One key of DeleteObjects and what became of it; `error` is None when it is gone."""

    key: bytes
    version: str | None
    error: S3Error | None = None


class Objects:
    """Use cases on objects. Errors: S3Error; StoreError from the stores passes through."""

    def __init__(
        self, store: MetadataStore, blobs: Blobs, reading: Reading, buckets: Buckets, inline_bytes: int
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._reading = reading
        self._buckets = buckets
        self._inline_bytes = inline_bytes

    def put(
        self, call: Call, target: Target, attributes: Attributes, incoming: Incoming, check: Check | None = None
    ) -> Version:
        """Store a body as the key's current version; durable and visible on return.

        `check` is asked early, before the body is read, and decides inside the transaction. Raises what the body, the
        integrity rules and `check` raise, EntityTooLarge, NoSuchBucket.
        """
        bucket = self._buckets.find(call, target.bucket, target.expected_owner)
        size = incoming.body.length
        if size is not None and size > limits.PUT_BYTES_MAX:
            raise S3Error("EntityTooLarge", fields={"MaxSizeAllowed": str(limits.PUT_BYTES_MAX)})
        if check is not None:
            check(self._current_or_none(bucket, target.key))
        wanted = integrity_rules.needed(incoming.integrity) | {"MD5"}
        with self._blobs.take_in(call, incoming.body, wanted, self._inline_bytes) as intake:
            checksum = integrity_rules.verify(incoming.integrity, intake.digests, incoming.trailers())
            version = Version(
                bucket_id=bucket.bucket_id,
                key=target.key,
                version_id=NULL_VERSION,
                seq=0,
                ref_id=intake.ref_id,
                size=intake.size,
                etag=intake.digests["MD5"].hex(),
                modified_ms=call.now_ms,
                owner=bucket.owner,
                attributes=attributes,
                checksum=checksum,
            )
            return self.commit(intake, version, check)

    def commit(self, intake: Intake, version: Version, check: Check | None) -> Version:
        """Publish what `intake` took in as `version`. Raises NoSuchBucket when the bucket is gone by now."""

        def publish(content: Content, uploaded: frozenset[bytes], pinned: bool) -> Version:
            return self._store.commit(Commit(version, content, check, uploaded, pinned))

        try:
            return intake.commit(publish)
        except Missing:
            raise S3Error("NoSuchBucket") from None

    def _current_or_none(self, bucket: Bucket, key: bytes) -> Version | None:
        try:
            return self._store.current(bucket.bucket_id, key)
        except Missing:
            return None

    def head(self, call: Call, target: Target, selection: Selection) -> ObjectRead:
        """The version and which of its bytes GET would answer. Raises NoSuchKey and what the selection raises."""
        bucket = self._buckets.find(call, target.bucket, target.expected_owner)
        try:
            version = self._store.current(bucket.bucket_id, target.key)
        except Missing:
            raise _no_such_key(target) from None
        return self._select(version, selection)

    def get(self, call: Call, target: Target, selection: Selection) -> ObjectRead:
        """As head, with the pieces; the first is in hand and verified on return. The caller closes `pieces`."""
        bucket = self._buckets.find(call, target.bucket, target.expected_owner)
        for _ in range(READ_ATTEMPTS_MAX):
            try:
                version, page = self._store.current_with_content(bucket.bucket_id, target.key)
            except Missing:
                raise _no_such_key(target) from None
            read = self._select(version, selection)
            try:
                return self._with_pieces(read, page)
            except Missing:
                continue  # replaced and released between the row and its content
        raise S3Error("SlowDown", reason="the object is replaced faster than it can be read")

    def _with_pieces(self, read: ObjectRead, page: ContentPage | None) -> ObjectRead:
        pieces = self._reading.pieces(read.version, page, read.start, read.length)
        return ObjectRead(read.version, read.start, read.length, read.partial, read.part, pieces)

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

    def parts(self, version: Version, after_number: int, limit: int) -> list[Part]:
        """Parts of a completed multipart object by number, for GetObjectAttributes; [] for any other."""
        return self._store.parts_scan(version.ref_id, after_number, limit) if version.part_count else []

    def delete(self, call: Call, target: Target, check: Check | None = None) -> Version | None:
        """Remove the key's current version; None when there was nothing, no error. Raises what `check` raises."""
        bucket = self._buckets.find(call, target.bucket, target.expected_owner)
        return self._delete(bucket, target, check)

    def _delete(self, bucket: Bucket, target: Target, check: Check | None) -> Version | None:
        try:
            return self._store.delete_current(bucket.bucket_id, target.key, check)
        except Missing:
            raise S3Error("NoSuchBucket", fields={"BucketName": target.bucket}) from None

    def delete_many(
        self, call: Call, bucket_name: str, expected_owner: str, wanted: Iterable[tuple[Target, Check | None]]
    ) -> list[Deletion]:
        """Each key on its own, in the order asked; one key's refusal does not stop the others."""
        bucket = self._buckets.find(call, bucket_name, expected_owner)

        def one(item: tuple[Target, Check | None]) -> Deletion:
            target, check = item
            try:
                self._delete(bucket, target, check)
            except S3Error as error:
                return Deletion(target.key, target.version, error)
            except StoreError as error:
                return Deletion(target.key, target.version, S3Error("SlowDown", reason=str(error)))
            return Deletion(target.key, target.version)

        deletions: list[Deletion] = Pool(DELETES_AT_ONCE).map(one, wanted)
        return deletions


def _no_such_key(target: Target) -> S3Error:
    return S3Error("NoSuchKey", fields={"Key": target.key.decode("utf-8", "replace")})
