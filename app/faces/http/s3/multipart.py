"""Handlers of multipart uploads. Each turns an exchange into one use case and its result into an answer.

Knows S3's wire forms of uploads and parts. Must not know rules (core/s3) or what a use case does. ListMultipartUploads
is a listing and lives there.
"""

from collections.abc import Sequence
from urllib.parse import quote_from_bytes

from app.core import integrity, limits
from app.core.errors import S3Error
from app.core.s3 import headers as header_rules
from app.core.s3.conditions import write_check
from app.core.s3.documents import complete_document
from app.core.s3.encryption import answer_headers
from app.core.s3.multipart import RequestedPart, parse_part_number, upload_id_text
from app.core.s3.ranges import copy_span
from app.core.s3.times import iso_time
from app.core.s3.wanted import wanted
from app.core.s3.xml import Writer
from app.core.types import Part
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.wire import Headers, Response
from app.services.gate.guard import Guard
from app.services.objects.multipart import Multipart, UploadTarget
from app.services.objects.objects import Selection


class MultipartHandlers:
    def __init__(self, multipart: Multipart, guard: Guard, name_of: answers.NameOf) -> None:
        self._multipart = multipart
        self._guard = guard
        self._name_of = name_of

    def create_multipart_upload(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html"""
        headers = exchange.headers
        algorithm, kind = integrity.multipart_choice(headers)
        upload = self._multipart.create(
            exchange.call, exchange.target(), wanted(headers, exchange.call.now_ms), algorithm, kind
        )
        writer = Writer("InitiateMultipartUploadResult")
        _write_object(writer, exchange)
        writer.text("UploadId", upload_id_text(upload.upload_id))
        chosen: Headers = []
        if algorithm:
            chosen = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)]
        chosen += answer_headers(upload.attributes.encryption, with_context=True)
        return answers.document(writer, chosen + answers.abortion(self._guard, exchange, upload))

    def upload_part(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html"""
        number = parse_part_number(exchange.parameters["partNumber"])
        header_rules.refuse_unimplemented(exchange.headers)
        part, encryption = self._multipart.upload_part(
            exchange.call, _upload(exchange), number, exchange.incoming(self._guard)
        )
        told = [("ETag", f'"{part.etag}"'), *answers.checksum_headers(part.checksum, with_kind=False)]
        return Response(200, told + answer_headers(encryption))

    def upload_part_copy(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html"""
        number = parse_part_number(exchange.parameters["partNumber"])
        header_rules.refuse_unimplemented(exchange.headers)
        source = answers.copy_source(exchange)
        (part, encryption), read = self._multipart.copy_part(
            exchange.call, _upload(exchange), number, source, _part_selection(exchange)
        )
        writer = Writer("CopyPartResult")
        writer.text("LastModified", iso_time(part.modified_ms))
        writer.text("ETag", f'"{part.etag}"')
        answers.write_checksum(writer, part.checksum, with_kind=False)
        told = answers.version_header(read.shown, "x-amz-copy-source-version-id")
        return answers.document(writer, told + answer_headers(encryption))

    def complete_multipart_upload(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html"""
        headers = exchange.headers
        header_rules.refuse_unimplemented(headers)
        declared = integrity.completion(headers)
        check = write_check(headers)
        target = exchange.target()
        self._guard.admit(exchange.call, target.bucket, "s3:PutObject", target.key, target.expected_owner)
        document = exchange.document(limits.XML_COMPLETE_BYTES_MAX, checksum_is_of_body=False)
        requested = complete_document(document)
        if "x-amz-mp-object-size" in headers:
            self._check_size(exchange, requested)
        version, shown = self._multipart.complete(exchange.call, _upload(exchange), requested, declared, check)
        writer = Writer("CompleteMultipartUploadResult")
        writer.text("Location", _location(exchange))
        _write_object(writer, exchange)
        writer.text("ETag", f'"{version.etag}"')
        answers.write_checksum(writer, version.checksum)
        told = answers.expiration(self._guard, exchange, version)
        told += answer_headers(version.attributes.encryption)
        return answers.document(writer, answers.version_header(shown) + told)

    def _check_size(self, exchange: Exchange, requested: Sequence[RequestedPart]) -> None:
        """Raises InvalidRequest unless the requested parts add up to `x-amz-mp-object-size` bytes.

        A retried completion finds no upload any more and is not held to it: the first one was.
        """
        numbers = {part.number for part in requested}
        size, after = 0, 0
        try:
            while parts := self._multipart.list_parts(exchange.call, _upload(exchange), after, limits.LIST_KEYS_MAX)[1]:
                size += sum(part.size for part in parts if part.number in numbers)
                after = parts[-1].number
        except S3Error as error:
            if error.code != "NoSuchUpload":
                raise
            return
        if exchange.headers["x-amz-mp-object-size"] != str(size):
            text = "The provided 'x-amz-mp-object-size' header does not match what was computed."
            raise S3Error("InvalidRequest", text)

    def abort_multipart_upload(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html"""
        self._multipart.abort(exchange.call, _upload(exchange))
        return answers.no_content()

    def list_parts(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html"""
        parameters = exchange.parameters
        limit = answers.number(parameters, "max-parts", limits.LIST_KEYS_MAX, limits.LIST_KEYS_MAX)
        after = answers.number(parameters, "part-number-marker", 0, limits.PART_NUMBER_MAX)
        upload, found = self._multipart.list_parts(exchange.call, _upload(exchange), after, limit + 1)
        parts = found[:limit]
        writer = Writer("ListPartsResult")
        _write_object(writer, exchange)
        writer.text("UploadId", upload_id_text(upload.upload_id))
        writer.text("PartNumberMarker", after)
        writer.text("NextPartNumberMarker", parts[-1].number if parts else after)
        writer.text("MaxParts", limit)
        writer.flag("IsTruncated", bool(limit) and len(found) > limit)
        for part in parts:
            _write_part(writer, part)
        answers.write_initiator(writer, upload, self._name_of)
        answers.write_owner(writer, "Owner", upload.owner, self._name_of(upload.owner))
        writer.text("StorageClass", upload.attributes.storage_class)
        if upload.checksum_algorithm:
            writer.text("ChecksumAlgorithm", upload.checksum_algorithm)
            writer.text("ChecksumType", upload.checksum_kind)
        return answers.document(writer, answers.abortion(self._guard, exchange, upload))


def _upload(exchange: Exchange) -> UploadTarget:
    return UploadTarget(exchange.target(), exchange.parameters["uploadId"])


def _write_object(writer: Writer, exchange: Exchange) -> None:
    writer.text("Bucket", exchange.operation.bucket)
    writer.key("Key", exchange.operation.key, url=False)


def _write_part(writer: Writer, part: Part) -> None:
    writer.open("Part")
    writer.text("PartNumber", part.number)
    writer.text("LastModified", iso_time(part.modified_ms))
    writer.text("ETag", f'"{part.etag}"')
    writer.text("Size", part.size)
    answers.write_checksum(writer, part.checksum, with_kind=False)
    writer.close("Part")


def _part_selection(exchange: Exchange) -> Selection:
    """The source's span, under its conditions."""
    selection = answers.copy_selection(exchange)
    header = exchange.headers.get("x-amz-copy-source-range")
    if header is None:
        return selection

    def span(size: int) -> tuple[int, int]:
        found = copy_span(header, size)
        return found.start, found.length

    return Selection(selection.check, span)


def _location(exchange: Exchange) -> str:
    """The object's address as the client reaches it, by path or by virtual host."""
    operation = exchange.operation
    host, key = exchange.headers.get("host", ""), quote_from_bytes(operation.key, "/")
    return (
        f"http://{host}/{key}" if host.startswith(f"{operation.bucket}.") else f"http://{host}/{operation.bucket}/{key}"
    )
