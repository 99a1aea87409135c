"""The handlers of DeleteObject and DeleteObjects: up to 1,000 keys or versions, each with its own outcome.

Knows their wire forms. Must not know what deleting does. `x-amz-mfa` is not looked at, as S3 does where MFA delete is
off, and it cannot be on here.
"""

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.conditions import delete_check, delete_entry_check
from app.core.s3.documents import DeleteEntry, delete_document
from app.core.s3.version_ids import place_of, place_text, version_text
from app.core.s3.xml import Writer
from app.faces.http.exchange import Exchange, version_named
from app.faces.http.s3 import answers
from app.faces.http.wire import Headers, Response
from app.services.gate.guard import Guard
from app.services.objects.deleting import Deleting, Removal, Wish
from app.services.objects.objects import Target


class DeleteHandlers:
    def __init__(self, deleting: Deleting, guard: Guard) -> None:
        self._deleting = deleting
        self._guard = guard

    def delete_object(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html"""
        target = exchange.target()
        wish = Wish(target, delete_check(exchange.headers), _bypasses(exchange))
        removal = self._deleting.delete(exchange.call, wish)
        headers: Headers = []
        if removal.marker is not None:
            headers = [("x-amz-delete-marker", "true"), ("x-amz-version-id", version_text(removal.marker))]
        elif target.version is not None:
            headers = [("x-amz-version-id", place_text(target.version))]
            if removal.removed is not None and removal.removed.delete_marker:
                headers.append(("x-amz-delete-marker", "true"))
        return answers.no_content(headers)

    def delete_objects(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""
        bucket, bypass = exchange.operation.bucket, _bypasses(exchange)
        self._guard.may_send(exchange.call, bucket, "s3:DeleteObject", exchange.expected_owner)
        _require_digest(exchange)
        wanted = delete_document(exchange.document(limits.XML_DELETE_BYTES_MAX))
        outcomes: list[_Refused | None] = []
        wishes: list[Wish] = []
        for entry in wanted.entries:
            try:
                wishes.append(_wish(exchange, bucket, entry, bypass))
            except S3Error as error:
                outcomes.append(_Refused(entry, error))
            else:
                outcomes.append(None)
        done = iter(self._deleting.delete_many(exchange.call, wishes))
        writer = Writer("DeleteResult")
        for outcome in outcomes:
            if outcome is not None:
                _write_error(writer, outcome[0].key, outcome[0].version, outcome[1])
            else:
                _write(writer, next(done), wanted.quiet)
        return answers.document(writer)


class _Refused(tuple[DeleteEntry, S3Error]):
    """An entry that cannot be meant, and why."""

    def __new__(cls, entry: DeleteEntry, error: S3Error) -> "_Refused":
        return super().__new__(cls, (entry, error))


def _bypasses(exchange: Exchange) -> bool:
    return exchange.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"


def _require_digest(exchange: Exchange) -> None:
    """S3 deletes many keys only by a document that is known to have arrived whole."""
    headers = exchange.headers
    if "content-md5" in headers or "x-amz-trailer" in headers:
        return
    if any(name.startswith("x-amz-checksum-") for name in headers):
        return
    raise S3Error("InvalidRequest", "Missing required header for this request: Content-MD5")


def _wish(exchange: Exchange, bucket: str, entry: DeleteEntry, bypass: bool) -> Wish:
    """Raises for an entry that cannot be meant."""
    if len(entry.key) > limits.KEY_BYTES_MAX:
        raise S3Error("KeyTooLongError")
    check = delete_entry_check(entry.etag, entry.modified, entry.size)
    return Wish(Target(bucket, entry.key, version_named(entry.version), exchange.expected_owner), check, bypass)


def _write(writer: Writer, removal: Removal, quiet: bool) -> None:
    target = removal.target
    named = None if target.version is None else place_text(target.version)
    if removal.error is not None:
        _write_error(writer, target.key, named, removal.error)
        return
    if quiet:
        return
    writer.open("Deleted")
    writer.key("Key", target.key, url=False)
    if named is not None:
        writer.text("VersionId", named)
    removed = removal.removed
    marker = removal.marker or (removed if removed is not None and removed.delete_marker else None)
    if marker is not None and (removal.marker is not None or named is not None):
        writer.flag("DeleteMarker", True)
        writer.text("DeleteMarkerVersionId", place_text(place_of(marker)))
    writer.close("Deleted")


def _write_error(writer: Writer, key: bytes, version: str | None, error: S3Error) -> None:
    writer.open("Error")
    writer.key("Key", key, url=False)
    if version is not None:
        writer.text("VersionId", version)
    writer.text("Code", error.code)
    writer.text("Message", error.message)
    writer.close("Error")
