"""The use case RenameObject: an object takes another key of its bucket, in one transaction and without moving a byte.

Only of an encrypted object the bytes are read and sealed again, because a data key is bound to the object's key.

Knows that a rename is a commit of the source's chunks under the new key which deletes the source as DeleteObject would:
in a bucket with versioning the new key gets a version and the old one a delete marker. Must not know wires.

A client that lost the answer asks again with the same token: the destination remembers the token it was made with.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import blake2b
from typing import Final, NamedTuple

from app.core.errors import Conflict, Missing, S3Error
from app.core.s3.headers import RENAMED_BY
from app.core.types import Version
from app.ports.metadata import Check
from app.services.call import Call
from app.services.content.blobs import Blobs, Intake
from app.services.content.profiles import Keeping
from app.services.content.reading import Reading
from app.services.content.sealing import Sealed, Sealing
from app.services.gate.guard import Admission, Guard
from app.services.objects.copying import SpanBody
from app.services.objects.objects import Objects, Selection, Stored, Target
from app.services.objects.removal import removal_check

RENAME_ATTEMPTS_MAX: Final = 16  # starting over when the source is replaced or appended to while it is renamed


class RenameRequest(NamedTuple):
    """`target`: what the object is to be called; `source_key`: what it is called. Each check judges the current version
    of its key. `token`: the client's, "" for none."""

    target: Target
    source_key: bytes
    check: Check | None = None
    source_check: Check | None = None
    token: str = ""


class Renaming:
    """Errors: S3Error; StoreError from the store passes through."""

    def __init__(self, objects: Objects, blobs: Blobs, reading: Reading, guard: Guard, sealing: Sealing) -> None:
        self._sealing = sealing
        self._objects = objects
        self._blobs = blobs
        self._reading = reading
        self._guard = guard

    def rename(self, call: Call, request: RenameRequest) -> Stored:
        """Durable and visible on return. Raises NoSuchKey, InvalidRequest (onto itself), AccessDenied (also for a
        locked object), IdempotencyParameterMismatch and what the checks raise."""
        target, source_key = request.target, request.source_key
        admission = self._guard.admit(call, target.bucket, "s3:PutObject", target.key, target.expected_owner)
        leaving = self._guard.admit(call, target.bucket, "s3:DeleteObject", source_key, target.expected_owner)
        if source_key == target.key:
            raise S3Error("InvalidRequest", "The source and the destination of a rename are the same object.")
        done = self._done_before(admission, request)
        if done is not None:
            return done
        for _ in range(RENAME_ATTEMPTS_MAX):
            source = self._source(call, request)
            leaving.seen(source)
            try:
                return self._move(call, admission, source, request)
            except (Conflict, Missing):
                continue  # the source was replaced meanwhile
        raise S3Error("SlowDown", reason="the source is replaced faster than it can be renamed")

    def _source(self, call: Call, request: RenameRequest) -> Version:
        source = request.target._replace(key=request.source_key)
        version = self._objects.head(call, source, Selection()).version
        if request.source_check is not None:
            request.source_check(version)
        return version

    def _move(self, call: Call, admission: Admission, source: Version, request: RenameRequest) -> Stored:
        if admission.judge is not None or request.check is not None:
            self._objects.ask_early(admission, request.target.key, request.check)
        sealed = self._sealing.renewed(source, request.target.key)
        keeping = self._objects.keeping(admission.bucket, source.attributes.storage_class)
        with self._content(call, source, sealed, keeping) as intake:
            attributes = replace(source.attributes, headers=_headers(source, request))
            if sealed is not None:
                attributes = replace(attributes, encryption=sealed.encryption)
            version = source._replace(
                key=request.target.key,
                version_id=self._blobs.sources.new_id(),
                ref_id=intake.ref_id,
                part_count=0,
                modified_ms=call.now_ms,
                attributes=attributes,
            )
            moved_from = (source.key, _unchanged(call, source, request.source_check))
            return self._objects.commit(call, admission.bucket, intake, version, request.check, moved_from)

    @contextmanager
    def _content(self, call: Call, source: Version, sealed: Sealed | None, keeping: Keeping) -> Iterator[Intake]:
        """The source's chunks, whatever profiles they have, or its bytes sealed anew: a data key opens for one key
        alone, and frames for one content."""
        data_key = self._sealing.open(call, source)
        if sealed is None or data_key is None:
            with self._blobs.adopt(call, source.size, list(self._reading.contents(source)), keeping) as intake:
                yield intake
            return
        body = SpanBody(self._reading.sealed_pieces(source, None, 0, source.size, data_key), source.size)
        with closing(body), self._blobs.take_in(call, body, (), keeping, sealed.data_key) as intake:
            yield intake

    def _done_before(self, admission: Admission, request: RenameRequest) -> Stored | None:
        """The outcome of an earlier rename with the same token; None when there was none. It is asked before the source
        is looked for: what was put there since is another object, which nobody asked to be renamed."""
        current = self._objects.current_or_none(admission.bucket, request.target.key) if request.token else None
        if current is None:
            return None
        token, _, source = current.attributes.headers.get(RENAMED_BY, "").partition(" ")
        if token != request.token:
            return None
        admission.seen(current)
        if source != _source_name(request.source_key):
            raise S3Error("IdempotencyParameterMismatch")
        return Stored(current, "")


def _headers(source: Version, request: RenameRequest) -> dict[str, str]:
    kept = {name: value for name, value in source.attributes.headers.items() if name != RENAMED_BY}
    if request.token:
        kept[RENAMED_BY] = f"{request.token} {_source_name(request.source_key)}"
    return kept


def _source_name(key: bytes) -> str:
    return blake2b(key, digest_size=16).hexdigest()


def _unchanged(call: Call, source: Version, source_check: Check | None) -> Check:
    """The source is still the version whose chunks are taken over, free to go and what the client wants it to be.

    All of it is compared: an append or new tags leave a version its place and its contents' name."""
    unlocked = removal_check(call)

    def check(current: Version | None) -> None:
        if current is None or current != source:
            raise Conflict("the source was replaced or changed")
        if source_check is not None:
            source_check(current)
        unlocked(current)

    return check
