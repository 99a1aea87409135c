"""Handlers of the operations on one object. Each turns an exchange into one use case and its result into an answer.

Knows S3's wire forms of objects. Must not know rules (core/s3) or what a use case does.
"""

from typing import Final

from app.core import integrity, limits
from app.core.errors import S3Error
from app.core.s3 import headers as header_rules
from app.core.s3.conditions import Check, check_read, range_applies, read_conditions, write_check
from app.core.s3.encryption import answer_headers, refuse_on_read
from app.core.s3.multipart import parse_part_number
from app.core.s3.ranges import requested_span
from app.core.s3.times import http_date, iso_time
from app.core.s3.wanted import Wanted, wanted
from app.core.s3.xml import Writer
from app.core.types import NO_LOCK, Checksum, Version
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.wire import Headers, Response
from app.services.gate.guard import Guard
from app.services.objects.appending import Appends
from app.services.objects.copying import Copying, CopyRequest
from app.services.objects.objects import Incoming, ObjectRead, Objects, Selection

_WHOLE: Final = Selection()
_SELECTIVE: Final = frozenset({"range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})
_ATTRIBUTES: Final = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


class ObjectHandlers:
    """Deletions live in deletes, multipart uploads in multipart."""

    def __init__(self, objects: Objects, copying: Copying, appends: Appends, guard: Guard) -> None:
        self._objects = objects
        self._appends = appends
        self._copying = copying
        self._guard = guard

    def put_object(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
        headers = exchange.headers
        asked, check = wanted(headers, exchange.call.now_ms), write_check(headers)
        incoming = exchange.incoming(self._guard)
        if "x-amz-write-offset-bytes" in headers:
            return self._append(exchange, asked, incoming, check)
        version, shown = self._objects.put(exchange.call, exchange.target(), asked, incoming, check)
        told = [("ETag", f'"{version.etag}"'), *answers.checksum_headers(version.checksum)]
        told += answers.expiration(self._guard, exchange, version)
        told += answer_headers(version.attributes.encryption, with_context=True)
        return Response(200, told + answers.version_header(shown))

    def _append(self, exchange: Exchange, asked: Wanted, incoming: Incoming, check: Check | None) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-append.html"""
        text = exchange.headers["x-amz-write-offset-bytes"]
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            fields = {"ArgumentName": "x-amz-write-offset-bytes", "ArgumentValue": text[:64]}
            raise S3Error("InvalidArgument", fields=fields)
        version = self._appends.append(exchange.call, exchange.target(), asked, incoming, int(text), check)
        told = [("ETag", f'"{version.etag}"'), ("x-amz-object-size", str(version.size))]
        return Response(200, told + answers.checksum_headers(version.checksum))

    def get_object(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html"""
        refuse_on_read(exchange.headers)
        read = self._objects.get(exchange.call, exchange.target(), _selection(exchange))
        if read.pieces is None:
            raise TypeError("a GET without pieces")
        try:
            response = _read_response(exchange, read)
            response.headers += answers.expiration(self._guard, exchange, read.version)
        except BaseException:  # the database may fail here too, and a read that never ends holds up collection
            read.pieces.close()
            raise
        response.pieces = read.pieces
        response.close = read.pieces.close
        return response

    def head_object(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""
        refuse_on_read(exchange.headers)
        read = self._objects.head(exchange.call, exchange.target(), _selection(exchange))
        response = _read_response(exchange, read)
        response.headers += answers.expiration(self._guard, exchange, read.version)
        return response

    def copy_object(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
        headers = exchange.headers
        request = CopyRequest(
            source=answers.copy_source(exchange),
            selection=answers.copy_selection(exchange),
            target=exchange.target(),
            wanted=wanted(headers, exchange.call.now_ms),
            replaces_metadata=_replaces(exchange, "x-amz-metadata-directive"),
            replaces_tags=_replaces(exchange, "x-amz-tagging-directive"),
            check=write_check(headers),
            algorithm=integrity.copy_algorithm(headers),
        )
        version, shown, source_shown = self._copying.copy(exchange.call, request)
        writer = Writer("CopyObjectResult")
        writer.text("LastModified", iso_time(version.modified_ms))
        writer.text("ETag", f'"{version.etag}"')
        answers.write_checksum(writer, version.checksum)
        told = answers.version_header(shown) + answers.version_header(source_shown, "x-amz-copy-source-version-id")
        told += answers.expiration(self._guard, exchange, version)
        told += answer_headers(version.attributes.encryption, with_context=True)
        return answers.document(writer, told)

    def get_object_attributes(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html"""
        refuse_on_read(exchange.headers)
        wanted = {name.strip() for name in exchange.headers.get("x-amz-object-attributes", "").split(",")}
        if not wanted <= _ATTRIBUTES:
            fields = {"ArgumentName": "x-amz-object-attributes", "ArgumentValue": ",".join(sorted(wanted))}
            raise S3Error("InvalidArgument", "Invalid attribute name specified.", fields=fields)
        described = self._objects.describe(exchange.call, exchange.target())
        version = described.version
        writer = Writer("GetObjectAttributesResponse")
        if "ETag" in wanted:
            writer.text("ETag", version.etag)
        if "Checksum" in wanted and version.checksum is not None:
            writer.open("Checksum")
            answers.write_checksum(writer, version.checksum)
            writer.close("Checksum")
        if "ObjectParts" in wanted and version.part_count:
            self._write_parts(writer, exchange, version)
        if "StorageClass" in wanted:
            writer.text("StorageClass", version.attributes.storage_class)
        if "ObjectSize" in wanted:
            writer.text("ObjectSize", version.size)
        told = answers.version_header(described.shown)
        return answers.document(writer, [("Last-Modified", http_date(version.modified_ms)), *told])

    def _write_parts(self, writer: Writer, exchange: Exchange, version: Version) -> None:
        headers = exchange.headers
        limit = answers.number(headers, "x-amz-max-parts", limits.LIST_KEYS_MAX, limits.LIST_KEYS_MAX)
        after = answers.number(headers, "x-amz-part-number-marker", 0, limits.PART_NUMBER_MAX)
        found = self._objects.parts(version, after, limit + 1)
        parts = found[:limit]
        writer.open("ObjectParts")
        writer.text("PartsCount", version.part_count)
        writer.text("PartNumberMarker", after)
        writer.text("NextPartNumberMarker", parts[-1].number if parts else after)
        writer.text("MaxParts", limit)
        writer.flag("IsTruncated", len(found) > limit)
        for part in parts:
            writer.open("Part")
            answers.write_checksum(writer, part.checksum, with_kind=False)
            writer.text("PartNumber", part.number)
            writer.text("Size", part.size)
            writer.close("Part")
        writer.close("ObjectParts")


class _Wanted:
    """A conditional or ranged read; `check` runs first and remembers whether the range still applies."""

    __slots__ = ("_conditions", "_headers", "_ranged")

    def __init__(self, exchange: Exchange) -> None:
        self._headers = exchange.headers
        self._conditions = read_conditions(exchange.headers)
        self._ranged = "range" in exchange.headers

    def check(self, version: Version) -> None:
        if self._conditions is not None:
            check_read(self._conditions, version.etag, version.modified_ms)
        if self._ranged:
            self._ranged = range_applies(self._headers, version.etag, version.modified_ms)

    def span(self, size: int) -> tuple[int, int] | None:
        found = requested_span(self._headers.get("range"), size) if self._ranged else None
        return None if found is None else (found.start, found.length)


def _selection(exchange: Exchange) -> Selection:
    """What of the object a GET or HEAD asks for. Raises InvalidRequest when it asks for both a range and a part."""
    headers, parameters = exchange.headers, exchange.parameters
    if not parameters and _SELECTIVE.isdisjoint(headers):
        return _WHOLE
    number = None
    if "partNumber" in parameters:
        number = parse_part_number(parameters["partNumber"])
        if "range" in headers:
            raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter.")
    wanted = _Wanted(exchange)
    return Selection(wanted.check, wanted.span, number)


def _read_response(exchange: Exchange, read: ObjectRead) -> Response:
    version = read.version
    headers = header_rules.object_headers(version, exchange.parameters)
    status = 200
    if read.partial and read.length:
        status = 206
        headers.append(("Content-Range", f"bytes {read.start}-{read.start + read.length - 1}/{version.size}"))
    if version.part_count and "partNumber" in exchange.parameters:
        headers.append(("x-amz-mp-parts-count", str(version.part_count)))
    if read.shown:
        headers.append(("x-amz-version-id", read.shown))
    if read.tag_count:
        headers.append(("x-amz-tagging-count", str(read.tag_count)))
    if read.lock != NO_LOCK:
        headers += header_rules.lock_headers(read.lock)
    if version.attributes.encryption is not None:
        headers += answer_headers(version.attributes.encryption)
    if exchange.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers += _checksum_of_answer(read)
    return Response(status, headers, (), read.length)


def _checksum_of_answer(read: ObjectRead) -> Headers:
    """The checksum of exactly the bytes answered, where one is stored: clients verify them by it."""
    checksum = read.version.checksum
    if read.part is not None:
        part = read.part.checksum
        kind = checksum.kind if checksum is not None else "FULL_OBJECT"
        return [] if part is None else answers.checksum_headers(Checksum(part.algorithm, part.value, kind))
    return answers.checksum_headers(checksum) if read.length == read.version.size else []


def _replaces(exchange: Exchange, directive: str) -> bool:
    """Whether a copy's directive says REPLACE; it says COPY or nothing else. Raises InvalidArgument."""
    value = exchange.headers.get(directive, "COPY").upper()
    if value not in ("COPY", "REPLACE"):
        fields = {"ArgumentName": directive, "ArgumentValue": value[:64]}
        raise S3Error("InvalidArgument", "Unknown metadata directive.", fields=fields)
    return value == "REPLACE"
