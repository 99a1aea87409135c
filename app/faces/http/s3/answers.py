"""What several S3 answers share: documents, owners, checksums, copy sources, and numbers among the parameters.

Knows the wire's shapes. Must not know use cases.
"""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from app.core import limits
from app.core.errors import S3Error
from app.core.s3.conditions import COPY_SOURCE, check_copy_source, read_conditions
from app.core.s3.lifecycle import abort_headers, expiration_headers
from app.core.s3.xml import Writer
from app.core.types import Checksum, Upload, Version
from app.faces.http.exchange import Exchange, version_named
from app.faces.http.wire import Headers, Response
from app.services.gate.guard import Guard
from app.services.objects.objects import Selection, Target

XML: Final = ("Content-Type", "application/xml")
NameOf = Callable[[str], str]
"""An account's display name by canonical id, "" for none."""


def version_header(shown: str, name: str = "x-amz-version-id") -> Headers:
    """The version an answer speaks of, where it tells one."""
    return [(name, shown)] if shown else []


def expiration(guard: Guard, exchange: Exchange, version: Version) -> Headers:
    """`x-amz-expiration` of a version just written or read as the current one."""
    configs = guard.bucket_lately(exchange.operation.bucket).configs
    if "lifecycle" not in configs or "versionId" in exchange.parameters:
        return []
    tags = version.attributes.tags
    return expiration_headers(configs["lifecycle"], version.key, version.size, version.modified_ms, tags)


def abortion(guard: Guard, exchange: Exchange, upload: Upload) -> Headers:
    """`x-amz-abort-date` and `x-amz-abort-rule-id` of an upload in progress."""
    document = guard.bucket_lately(exchange.operation.bucket).configs.get("lifecycle")
    return abort_headers(document, upload.key, upload.initiated_ms)


def document(writer: Writer, headers: Headers | None = None) -> Response:
    """200 with a document."""
    body = writer.document()
    return Response(200, [*(headers or ()), XML], (body,), len(body))


def no_content(headers: Headers | None = None) -> Response:
    """204."""
    return Response(204, headers or [])


def write_owner(writer: Writer, tag: str, canonical_id: str, name: str) -> None:
    """An Owner or Initiator; `name` "" is left out."""
    writer.open(tag)
    writer.text("ID", canonical_id)
    if name:
        writer.text("DisplayName", name)
    writer.close(tag)


def write_initiator(writer: Writer, upload: Upload, name_of: NameOf) -> None:
    """Who began an upload: an account by its canonical id, anybody else by ARN and name."""
    canonical_id, _, arn = upload.initiator.partition(" ")
    if not arn or arn.endswith(":root"):
        canonical_id = canonical_id or upload.owner
        write_owner(writer, "Initiator", canonical_id, name_of(canonical_id))
        return
    writer.open("Initiator")
    writer.text("ID", arn)
    writer.text("DisplayName", arn.rpartition("/")[2])
    writer.close("Initiator")


def write_checksum(writer: Writer, checksum: Checksum | None, with_kind: bool = True) -> None:
    """`<ChecksumCRC32>…` and its `<ChecksumType>`, where there is one."""
    if checksum is None:
        return
    writer.text(f"Checksum{checksum.algorithm}", checksum.value)
    if with_kind:
        writer.text("ChecksumType", checksum.kind)


def checksum_headers(checksum: Checksum | None, with_kind: bool = True) -> Headers:
    """The same as headers of an answer."""
    if checksum is None:
        return []
    headers = [(f"x-amz-checksum-{checksum.algorithm.lower()}", checksum.value)]
    if with_kind:
        headers.append(("x-amz-checksum-type", checksum.kind))
    return headers


def number(parameters: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A non-negative number among the parameters, at most `most`. Raises InvalidArgument."""
    text = parameters.get(name)
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        fields = {"ArgumentName": name, "ArgumentValue": text}
        raise S3Error("InvalidArgument", f"Provided {name} not an integer or within integer range", fields=fields)
    return min(int(text), most)


def copy_source(exchange: Exchange) -> Target:
    """The object named by `x-amz-copy-source`: `[/]bucket/key[?versionId=…]`, percent-encoded.

    Raises InvalidArgument for anything else, KeyTooLongError.
    """
    text = exchange.headers["x-amz-copy-source"]
    path, mark, version = text.partition("?versionId=")
    bucket, _, key = unquote_to_bytes(path.encode("latin-1")).removeprefix(b"/").partition(b"/")
    try:
        name = bucket.decode()
        key.decode()
    except UnicodeDecodeError:
        name = ""
    if not name or not key:
        raise S3Error(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            fields={"ArgumentName": "x-amz-copy-source", "ArgumentValue": text[: limits.KEY_BYTES_MAX]},
        )
    if len(key) > limits.KEY_BYTES_MAX:
        raise S3Error("KeyTooLongError", fields={"MaxSizeAllowed": str(limits.KEY_BYTES_MAX)})
    expected_owner = exchange.headers.get("x-amz-source-expected-bucket-owner", "")
    return Target(name, key, version_named(version if mark else None), expected_owner)


def copy_selection(exchange: Exchange) -> Selection:
    """The whole source, under its `x-amz-copy-source-if-*` conditions."""
    conditions = read_conditions(exchange.headers, COPY_SOURCE)
    if conditions is None:
        return Selection()

    def check(version: Version) -> None:
        check_copy_source(conditions, version.etag, version.modified_ms)

    return Selection(check)
