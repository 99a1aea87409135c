"""Which S3 operation a request is: from method, raw target, Host and copy header to a name, bucket, key and parameters.

Knows the addressing rules. Must not know handlers, buckets that exist or signatures. The raw target alone is believed:
a key is the opaque bytes of the path after percent-decoding once; `..`, `//`, `%2F`, NUL and `+` stay what they are.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from app.core import limits
from app.core.errors import S3Error
from app.core.s3 import operations_table as table

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TOLERATED: Final = ("X-Amz-", "x-", "response-")
_SIGNATURE_V2: Final = frozenset({"AWSAccessKeyId", "Signature", "Expires"})
_NO_PARAMETERS: Final[Mapping[str, str]] = {}


class Operation(NamedTuple):
    """`bucket` is "" and `key` b"" where the operation has none; `parameters` are decoded, without the signature's."""

    name: str
    bucket: str
    key: bytes
    parameters: Mapping[str, str]


def parse(method: str, target: str, headers: Mapping[str, str], domains: Sequence[str]) -> Operation:
    """The operation asked for. `target`: as on the wire, as latin-1 text. `headers`: lower-case names.

    `domains`: those whose sub-domains are bucket names. Raises InvalidURI, InvalidArgument, KeyTooLongError,
    MethodNotAllowed, and NotImplemented for every operation or sub-resource that does not work here.
    """
    path, _, query = target.partition("?")
    host = headers.get("host", "")
    if not path.startswith("/"):
        host, path = _absolute(path, host)
    bucket, key_text = _addressed(path, host, domains)
    key = decode_key(key_text) if key_text else b""
    parameters = parse_query(query) if query else _NO_PARAMETERS
    if key and not bucket:
        raise S3Error("InvalidBucketName", fields={"BucketName": ""})
    name = _name(method, bucket, key, parameters)
    if "x-amz-copy-source" in headers:
        name = table.OBJECT_LEVEL_OF_COPY.get(name, name)
    if name not in table.WORKS:
        raise not_implemented(f"{name} is not implemented by this server.")
    if "versionId" in parameters and name not in table.TAKES_VERSION:
        raise S3Error(
            "InvalidArgument",
            "This operation does not accept a version-id.",
            fields={"ArgumentName": "versionId", "ArgumentValue": parameters["versionId"]},
        )
    if "partNumber" in parameters and name not in table.TAKES_PART:
        # Nor may it be ignored: by it policies tell parts from objects.
        raise S3Error("InvalidArgument", "A part number needs an uploadId.", fields={"ArgumentName": "partNumber"})
    return Operation(name, bucket, key, parameters)


def not_implemented(message: str) -> S3Error:
    """A refusal that says what was asked for and is not there."""
    return S3Error("NotImplemented", message)


def _absolute(target: str, host: str) -> tuple[str, str]:
    """(host, path) of an absolute-form target (RFC 9112 section 3.2.2). Raises InvalidURI for any other form."""
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        if target == "*":
            raise S3Error("MethodNotAllowed")
        raise S3Error("InvalidURI", fields={"URI": target[:256]})
    host, slash, path = rest.partition("/")
    return host, slash + path or "/"


def bucket_of_host(host: str, domains: Sequence[str]) -> str:
    """The bucket a Host header names as a sub-domain of one of `domains` (lower case), or ""."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    name = name.lower()
    for domain in domains:
        if name.endswith("." + domain):
            return name[: -len(domain) - 1]
    return ""


def _addressed(path: str, host: str, domains: Sequence[str]) -> tuple[str, str]:
    """(bucket, key still escaped) of a path that starts with "/"."""
    if domains:
        named = bucket_of_host(host, domains)
        if named:
            return named, path[1:]
    bucket, _, key = path[1:].partition("/")
    return (bucket if "%" not in bucket and bucket.isascii() else _decode(bucket)), key


def decode_key(text: str) -> bytes:
    """A key's bytes from its escaped path. Raises InvalidURI unless they are UTF-8, KeyTooLongError over 1,024."""
    raw = _unescape(text)
    if len(raw) > limits.KEY_BYTES_MAX:
        fields = {"Size": str(len(raw)), "MaxSizeAllowed": str(limits.KEY_BYTES_MAX)}
        raise S3Error("KeyTooLongError", fields=fields)
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise S3Error("InvalidURI", reason="the key is not UTF-8") from None
    return raw


def _unescape(text: str) -> bytes:
    if "%" not in text:
        return text.encode("latin-1")
    if _BAD_ESCAPE.search(text):
        raise S3Error("InvalidURI", reason="a bad percent escape in the path")
    return unquote_to_bytes(text.encode("latin-1"))


def _decode(text: str) -> str:
    try:
        return _unescape(text).decode()
    except UnicodeDecodeError:
        raise S3Error("InvalidURI", reason="the bucket name is not UTF-8") from None


def parse_query(query: str) -> dict[str, str]:
    """Decoded, `+` being a space; of a repeated name the first counts. Raises InvalidArgument, InvalidURI."""
    parameters: dict[str, str] = {}
    for item in query.split("&"):
        if not item:
            continue
        name, _, value = item.partition("=")
        parameters.setdefault(_parameter(name), _parameter(value))
    return parameters


def _parameter(text: str) -> str:
    text = text.replace("+", " ")
    if "%" not in text and text.isascii():
        return text
    try:
        return _unescape(text).decode()
    except UnicodeDecodeError:
        raise S3Error("InvalidArgument", "A query parameter is not UTF-8.") from None


def _name(method: str, bucket: str, key: bytes, parameters: Mapping[str, str]) -> str:
    if not bucket:
        return _plain(method, table.SERVICE_PLAIN, {}, parameters)
    if not key:
        name = _plain(method, table.BUCKET_PLAIN, table.BUCKET_MARKERS, parameters)
        if name == "ListObjects":
            return _list_objects(parameters)
        return table.LISTED_WITHOUT_ID.get(name, name) if parameters and "id" not in parameters else name
    name = _plain(method, table.OBJECT_PLAIN, table.OBJECT_MARKERS, parameters)
    if name == "UploadPart" and "partNumber" not in parameters:
        raise S3Error("InvalidArgument", "This operation needs a partNumber.", fields={"ArgumentName": "partNumber"})
    return name


def _plain(method: str, plain: Mapping[str, str], markers: table.Markers, parameters: Mapping[str, str]) -> str:
    """The operation by method alone, or by the one marker among the parameters."""
    marker = _marker(markers, parameters) if parameters else ""
    name = (markers[marker] if marker and method != "OPTIONS" else plain).get(method)
    if name is None:
        raise S3Error("MethodNotAllowed", fields={"Method": method, "ResourceType": (marker or "OBJECT").upper()})
    return name


def _marker(markers: table.Markers, parameters: Mapping[str, str]) -> str:
    found = [name for name in parameters if name in markers]
    if len(found) > 1:
        raise S3Error(
            "InvalidArgument",
            f"Conflicting query string parameters: {', '.join(sorted(found))}",
            fields={"ArgumentName": "ResourceType", "ArgumentValue": found[0]},
        )
    for name, value in parameters.items():
        if value or name in markers or name in table.PARAMETERS or name in _SIGNATURE_V2:
            continue
        if not name.startswith(_TOLERATED):
            raise not_implemented(f"The sub-resource or parameter {name!r} is not implemented by this server.")
    return found[0] if found else ""


def _list_objects(parameters: Mapping[str, str]) -> str:
    kind = parameters.get("list-type")
    if kind is None:
        return "ListObjects"
    if kind == "2":
        return "ListObjectsV2"
    raise S3Error("InvalidArgument", "Invalid List Type", fields={"ArgumentName": "list-type", "ArgumentValue": kind})
