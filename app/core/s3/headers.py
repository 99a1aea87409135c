"""Headers of objects: what a write keeps of them, which it must refuse, and what a read answers.

Knows header texts: names in lower case, values as latin-1 text, byte for byte as on the wire. Must not know the wire.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from app.core import limits
from app.core.errors import S3Error
from app.core.s3 import tags as tag_rules
from app.core.s3.times import http_date, iso_time
from app.core.types import Attributes, Lock, Version

DEFAULT_CONTENT_TYPE: Final = "binary/octet-stream"
STANDARD: Final = "STANDARD"

RENAMED_BY: Final = "x-amz-client-token"
"""Kept with what RenameObject made, for a client that asks again, and never shown."""
_META: Final = "x-amz-meta-"
_REDIRECT: Final = "x-amz-website-redirect-location"
_STORED: Final = ("cache-control", "content-disposition", "content-language", "expires", _REDIRECT)
_SHOWN: Final = {
    "content-type": "Content-Type",
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "expires": "Expires",
    _REDIRECT: _REDIRECT,
}
_REFUSED: Final = (
    "x-amz-object-annotation",
    "x-amz-bucket-namespace",
)
_CONTROL: Final = frozenset(chr(code) for code in (*range(0x20), 0x7F)) - {"\t"}


def attributes(headers: Mapping[str, str]) -> Attributes:
    """What a write keeps. Whether there is such a storage class is not asked here.

    Raises MetadataTooLarge (over 2 KiB of user metadata), InvalidArgument and what the rules of tags raise.
    """
    kept = {"content-type": headers.get("content-type") or DEFAULT_CONTENT_TYPE}
    for name in _STORED:
        value = headers.get(name)
        if value:
            kept[name] = value
    encoding = headers.get("content-encoding")
    if encoding:
        encoding = _without_aws_chunked(encoding)
        if encoding:
            kept["content-encoding"] = encoding
    redirect = kept.get(_REDIRECT)
    if redirect and not redirect.startswith(("/", "http://", "https://")):
        raise S3Error(
            "InvalidArgument",
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
            fields={"ArgumentName": _REDIRECT, "ArgumentValue": redirect},
        )
    tags = headers.get(tag_rules.HEADER)
    named = headers.get("x-amz-storage-class", STANDARD)
    return Attributes(kept, _user_metadata(headers), named, tag_rules.header_tags(tags) if tags else {})


def _without_aws_chunked(encoding: str) -> str:
    """`aws-chunked` describes the transfer and is no property of the object; the rest stays as it was spelled."""
    if "aws-chunked" not in encoding.lower():
        return encoding
    codings = (coding.strip() for coding in encoding.split(","))
    return ", ".join(coding for coding in codings if coding and coding.lower() != "aws-chunked")


def _user_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    metadata = {name[len(_META) :]: value for name, value in headers.items() if name.startswith(_META)}
    if metadata:
        size = sum(len(name) + len(value) for name, value in metadata.items())
        if size > limits.USER_METADATA_BYTES_MAX:
            fields = {"Size": str(size), "MaxSizeAllowed": str(limits.USER_METADATA_BYTES_MAX)}
            raise S3Error("MetadataTooLarge", fields=fields)
    return metadata


def refuse_unimplemented(headers: Mapping[str, str]) -> None:
    """Raises NotImplemented for a header that asks for something the server would not do."""
    for name in headers:
        if not name.startswith("x-amz-"):
            continue
        if name.startswith(_REFUSED):
            raise S3Error("NotImplemented", f"The header {name} is not implemented by this server.")


def object_headers(version: Version, parameters: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers GET and HEAD show of a version, `response-*` parameters overriding. Raises InvalidArgument."""
    shown = [
        ("ETag", f'"{version.etag}"'),
        ("Last-Modified", http_date(version.modified_ms)),
        ("Accept-Ranges", "bytes"),
    ]
    stored = version.attributes.headers
    if parameters:
        stored = {**stored, **_overrides(parameters)}
    shown.extend((_SHOWN[name], value) for name, value in stored.items() if name in _SHOWN)
    if "content-type" not in stored:
        shown.append(("Content-Type", DEFAULT_CONTENT_TYPE))
    for name, value in version.attributes.metadata.items():
        shown.append((_META + name, value if value.isascii() else mail_safe(value)))
    if version.attributes.storage_class != STANDARD:
        shown.append(("x-amz-storage-class", version.attributes.storage_class))
    return shown


def lock_headers(lock: Lock) -> list[tuple[str, str]]:
    """What a read shows of a lock, as far as it is handed in."""
    shown: list[tuple[str, str]] = []
    if lock.mode:
        shown += [
            ("x-amz-object-lock-mode", lock.mode),
            ("x-amz-object-lock-retain-until-date", iso_time(lock.until_ms)),
        ]
    if lock.legal_hold:
        shown.append(("x-amz-object-lock-legal-hold", "ON"))
    return shown


def _overrides(parameters: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for parameter, value in parameters.items():
        if not parameter.startswith("response-"):
            continue
        name = parameter.removeprefix("response-")
        if name not in _SHOWN or name == _REDIRECT:
            continue
        if not _CONTROL.isdisjoint(value):
            raise S3Error("InvalidArgument", fields={"ArgumentName": parameter, "ArgumentValue": ""})
        found[name] = value.encode().decode("latin-1")
    return found


def mail_safe(value: str) -> str:
    """A metadata value that was sent as raw UTF-8, encoded as RFC 2047 has it; other bytes go back as they came."""
    raw = value.encode("latin-1")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return value
    return f"=?UTF-8?B?{b64encode(raw).decode('ascii')}?="


def checksum_headers(version: Version, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The stored checksum, where `x-amz-checksum-mode: ENABLED` asks for it."""
    checksum = version.checksum
    if checksum is None or headers.get("x-amz-checksum-mode", "").upper() != "ENABLED":
        return []
    return [
        (f"x-amz-checksum-{checksum.algorithm.lower()}", checksum.value),
        ("x-amz-checksum-type", checksum.kind),
    ]
