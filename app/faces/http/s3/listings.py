"""Handlers of the listings: objects (both versions of the operation), object versions, uploads.

Knows their documents and markers. Must not know how a page is found.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.listing import Page, Query, decode_token, encode_token
from app.core.s3.multipart import upload_id_text
from app.core.s3.times import iso_time
from app.core.s3.version_ids import version_text
from app.core.s3.xml import Writer, escape, is_readable, key_text
from app.core.types import RefId, Upload, Version
from app.faces.http.exchange import Exchange
from app.faces.http.s3 import answers
from app.faces.http.s3.answers import NameOf
from app.faces.http.wire import Response
from app.services.objects.listing import Listing


@dataclass(frozen=True, slots=True)
class _Asked:
    """What all listings are asked for; `url`: names are percent-encoded in the answer."""

    prefix: bytes
    delimiter: bytes
    limit: int
    url: bool

    def query(self, after: bytes) -> Query:
        return Query(self.prefix, self.delimiter, after, self.limit)


def _asked(parameters: Mapping[str, str], limit_name: str = "max-keys") -> _Asked:
    encoding = parameters.get("encoding-type", "")
    if encoding not in ("", "url"):
        fields = {"ArgumentName": "encoding-type", "ArgumentValue": encoding}
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request", fields=fields)
    return _Asked(
        parameters.get("prefix", "").encode(),
        parameters.get("delimiter", "").encode(),
        answers.number(parameters, limit_name, limits.LIST_KEYS_MAX, limits.LIST_KEYS_MAX),
        encoding == "url",
    )


class ListingHandlers:
    def __init__(self, listing: Listing, name_of: NameOf) -> None:
        self._listing = listing
        self._name_of = name_of

    def list_objects(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html"""
        asked = _asked(exchange.parameters)
        marker = exchange.parameters.get("marker", "").encode()
        page = self._page(exchange, asked.query(marker))
        # botocore decodes every encoded element of this listing but Prefix, so it is encoded only where it must be.
        writer = _begun("ListBucketResult", exchange, asked, asked.url and not is_readable(asked.prefix))
        writer.key("Marker", marker, asked.url)
        if page.last is not None and asked.delimiter:
            writer.key("NextMarker", page.last, asked.url)
        writer.flag("IsTruncated", page.is_truncated)
        _write_objects(writer, page, asked.url, self._name_of)
        return answers.document(writer)

    def list_objects_v2(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""
        parameters = exchange.parameters
        asked = _asked(parameters)
        token = parameters.get("continuation-token")
        start_after = parameters.get("start-after", "").encode()
        page = self._page(exchange, asked.query(decode_token(token) if token else start_after))
        writer = _begun("ListBucketResult", exchange, asked, asked.url)
        writer.text("KeyCount", len(page.items) + len(page.prefixes))
        if token is not None:
            writer.text("ContinuationToken", token)
        if start_after:
            writer.key("StartAfter", start_after, asked.url)
        if page.last is not None:
            writer.text("NextContinuationToken", encode_token(page.last))
        writer.flag("IsTruncated", page.is_truncated)
        owned = parameters.get("fetch-owner", "").lower() == "true"
        _write_objects(writer, page, asked.url, self._name_of if owned else None)
        return answers.document(writer)

    def list_object_versions(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html"""
        parameters = exchange.parameters
        asked = _asked(parameters)
        marker, version_marker = parameters.get("key-marker", "").encode(), parameters.get("version-id-marker", "")
        if version_marker and not marker:
            fields = {"ArgumentName": "version-id-marker", "ArgumentValue": version_marker}
            text = "A version-id marker cannot be specified without a key marker."
            raise S3Error("InvalidArgument", text, fields=fields)
        found = self._listing.versions(
            exchange.call, exchange.operation.bucket, exchange.expected_owner, asked.query(marker), version_marker
        )
        page = found.page
        writer = _begun("ListVersionsResult", exchange, asked, asked.url)
        writer.key("KeyMarker", marker, asked.url)
        writer.text("VersionIdMarker", version_marker)
        if page.last is not None:
            writer.key("NextKeyMarker", page.last, asked.url)
            if page.items and page.items[-1].key == page.last:
                writer.text("NextVersionIdMarker", version_text(page.items[-1]))
        writer.flag("IsTruncated", page.is_truncated)
        for version, latest in zip(page.items, found.latest, strict=True):
            writer.raw(_version_row(version, latest, asked.url, self._name_of))
        _write_prefixes(writer, page.prefixes, asked.url)
        return answers.document(writer)

    def list_multipart_uploads(self, exchange: Exchange) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html"""
        parameters, operation = exchange.parameters, exchange.operation
        asked = _asked(parameters, "max-uploads")
        marker = parameters.get("key-marker", "").encode()
        # S3 ignores an upload id marker that comes without a key marker.
        id_marker = parameters.get("upload-id-marker", "") if marker else ""
        after_upload = _upload_place(id_marker) if id_marker else None
        page = self._listing.uploads(
            exchange.call, operation.bucket, exchange.expected_owner, asked.query(marker), after_upload
        )
        writer = Writer("ListMultipartUploadsResult")
        writer.text("Bucket", operation.bucket)
        writer.key("KeyMarker", marker, asked.url)
        writer.text("UploadIdMarker", id_marker)
        if page.last is not None:
            writer.key("NextKeyMarker", page.last, asked.url)
            ends_with_upload = bool(page.items) and page.items[-1].key == page.last
            writer.text("NextUploadIdMarker", upload_id_text(page.items[-1].upload_id) if ends_with_upload else "")
        _write_asked(writer, asked, "MaxUploads", asked.url)
        writer.flag("IsTruncated", page.is_truncated)
        for upload in page.items:
            _write_upload(writer, upload, asked.url, self._name_of)
        _write_prefixes(writer, page.prefixes, asked.url)
        return answers.document(writer)

    def _page(self, exchange: Exchange, query: Query) -> Page[Version]:
        return self._listing.objects(exchange.call, exchange.operation.bucket, exchange.expected_owner, query)


def _begun(root: str, exchange: Exchange, asked: _Asked, url_prefix: bool) -> Writer:
    writer = Writer(root)
    writer.text("Name", exchange.operation.bucket)
    _write_asked(writer, asked, "MaxKeys", url_prefix)
    return writer


def _write_asked(writer: Writer, asked: _Asked, limit_tag: str, url_prefix: bool) -> None:
    writer.key("Prefix", asked.prefix, url_prefix)
    if asked.delimiter:
        writer.key("Delimiter", asked.delimiter, asked.url)
    writer.text(limit_tag, asked.limit)
    if asked.url:
        writer.text("EncodingType", "url")


def _write_objects(writer: Writer, page: Page[Version], url: bool, name_of: NameOf | None) -> None:
    for version in page.items:
        owner = "" if name_of is None else _owner(version.owner, name_of)
        writer.raw(f"<Contents>{_row(version, url)}{owner}</Contents>")
    _write_prefixes(writer, page.prefixes, url)


def _row(version: Version, url: bool) -> str:
    """The elements all listings of objects show of one. ETags and times need no escaping."""
    checksum = version.checksum
    shown = (
        ""
        if checksum is None
        else f"<ChecksumAlgorithm>{checksum.algorithm}</ChecksumAlgorithm><ChecksumType>{checksum.kind}</ChecksumType>"
    )
    return (
        f"<Key>{key_text(version.key, url)}</Key><LastModified>{iso_time(version.modified_ms)}</LastModified>"
        f"<ETag>&quot;{version.etag}&quot;</ETag>{shown}<Size>{version.size}</Size>"
        f"<StorageClass>{version.attributes.storage_class}</StorageClass>"
    )


def _version_row(version: Version, latest: bool, url: bool, name_of: NameOf) -> str:
    """A version, or a delete marker, which has no content to tell of."""
    place = f"<VersionId>{version_text(version)}</VersionId><IsLatest>{'true' if latest else 'false'}</IsLatest>"
    owner = _owner(version.owner, name_of)
    if not version.delete_marker:
        return f"<Version>{_row(version, url)}{place}{owner}</Version>"
    modified = f"<LastModified>{iso_time(version.modified_ms)}</LastModified>"
    return f"<DeleteMarker><Key>{key_text(version.key, url)}</Key>{place}{modified}{owner}</DeleteMarker>"


def _owner(canonical_id: str, name_of: NameOf) -> str:
    name = name_of(canonical_id)
    shown = f"<DisplayName>{escape(name)}</DisplayName>" if name else ""
    return f"<Owner><ID>{canonical_id}</ID>{shown}</Owner>"


def _write_prefixes(writer: Writer, prefixes: list[bytes], url: bool) -> None:
    for prefix in prefixes:
        writer.raw(f"<CommonPrefixes><Prefix>{key_text(prefix, url)}</Prefix></CommonPrefixes>")


def _write_upload(writer: Writer, upload: Upload, url: bool, name_of: NameOf) -> None:
    writer.open("Upload")
    writer.key("Key", upload.key, url)
    writer.text("UploadId", upload_id_text(upload.upload_id))
    answers.write_initiator(writer, upload, name_of)
    answers.write_owner(writer, "Owner", upload.owner, name_of(upload.owner))
    writer.text("StorageClass", upload.attributes.storage_class)
    writer.text("Initiated", iso_time(upload.initiated_ms))
    if upload.checksum_algorithm:
        writer.text("ChecksumAlgorithm", upload.checksum_algorithm)
        writer.text("ChecksumType", upload.checksum_kind)
    writer.close("Upload")


def _upload_place(text: str) -> RefId:
    """An upload id as a marker: it need not exist any more. Raises InvalidArgument for what never was one."""
    try:
        place = bytes.fromhex(text)
    except ValueError:
        place = b""
    if len(place) != 16:
        fields = {"ArgumentName": "upload-id-marker", "ArgumentValue": text}
        raise S3Error("InvalidArgument", "Invalid uploadId marker", fields=fields)
    return place
