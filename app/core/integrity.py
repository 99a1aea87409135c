"""Integrity: what a client declared about the bytes it sends, and the judgement once they were counted.

Knows the headers Content-MD5, x-amz-content-sha256, x-amz-checksum-*, x-amz-sdk-checksum-algorithm,
x-amz-checksum-algorithm, x-amz-checksum-type and x-amz-trailer, and S3's answers when they are wrong. Must not know how
the bytes came (app/core/auth/stream decodes them) or where they go.

Decision: a checksum is stored only when the client asked for one. AWS since 2025 also computes and stores a CRC64NVME
for uploads that declare none; we do not, so that no upload pays for a digest nobody asked for.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from app.core import checksums
from app.core.errors import S3Error
from app.core.types import Checksum

_PREFIX: Final = "x-amz-checksum-"
_NOT_VALUES: Final = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"})
_SHA256_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "CRC32": ("COMPOSITE", "FULL_OBJECT"),
    "CRC32C": ("COMPOSITE", "FULL_OBJECT"),
    "CRC64NVME": ("FULL_OBJECT",),
    "SHA1": ("COMPOSITE",),
    "SHA256": ("COMPOSITE",),
    "SHA512": ("COMPOSITE",),
    "MD5": ("COMPOSITE",),
    "XXHASH64": ("COMPOSITE",),
    "XXHASH3": ("COMPOSITE",),
    "XXHASH128": ("COMPOSITE",),
}
"""The kinds each algorithm allows for a multipart object, its default first: only CRCs of parts can be combined."""


@dataclass(frozen=True, slots=True)
class Integrity:
    """What one request declared about its body. `None` and "" mean: nothing declared.

    `content_md5`, `payload_sha256`: raw digests. `algorithm`: one of `checksums.CLIENT_ALGORITHMS`; its digest is
    `value`, or comes in the trailer when `in_trailer`.
    """

    content_md5: bytes | None = None
    payload_sha256: bytes | None = None
    algorithm: str = ""
    value: bytes | None = None
    in_trailer: bool = False


NOTHING: Final = Integrity()


def parse(headers: Mapping[str, str]) -> Integrity:
    """Read the declarations from headers (names in lower case). Raises S3Error InvalidDigest or InvalidRequest."""
    md5 = headers.get("content-md5")
    content_sha256 = headers.get("x-amz-content-sha256", "")
    sha256 = bytes.fromhex(content_sha256) if _SHA256_HEX.fullmatch(content_sha256) else None
    content_md5 = None if md5 is None else _content_md5(md5)
    algorithm, value, in_trailer = _declared(headers)
    return Integrity(content_md5, sha256, algorithm, value, in_trailer)


def needed(integrity: Integrity) -> frozenset[str]:
    """The names of the hashers (`checksums.hasher`) to run over the body before `verify`."""
    names = set()
    if integrity.content_md5 is not None:
        names.add("MD5")
    if integrity.payload_sha256 is not None:
        names.add("SHA256")
    if integrity.algorithm:
        names.add(integrity.algorithm)
    return frozenset(names)


def verify(integrity: Integrity, digests: Mapping[str, bytes], trailers: Mapping[str, str]) -> Checksum | None:
    """Compare what was declared with what was computed; give the checksum to store, if the client asked for one.

    `digests` holds at least those `needed` names; `trailers` is what followed the body (names in lower case). Raises
    S3Error XAmzContentSHA256Mismatch, BadDigest, InvalidRequest, MalformedTrailerError; nothing may be visible then.
    """
    if integrity.payload_sha256 is not None and not compare_digest(digests["SHA256"], integrity.payload_sha256):
        fields = {
            "ClientComputedContentSHA256": integrity.payload_sha256.hex(),
            "S3ComputedContentSHA256": digests["SHA256"].hex(),
        }
        raise S3Error("XAmzContentSHA256Mismatch", fields=fields)
    if integrity.content_md5 is not None and not compare_digest(digests["MD5"], integrity.content_md5):
        raise S3Error(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
            fields={
                "ExpectedDigest": checksums.encode(integrity.content_md5),
                "CalculatedDigest": checksums.encode(digests["MD5"]),
            },
        )
    if not integrity.algorithm:
        return None
    expected = _from_trailer(integrity.algorithm, trailers) if integrity.in_trailer else integrity.value
    computed = digests[integrity.algorithm]
    if expected is None or not compare_digest(computed, expected):
        message = f"The {integrity.algorithm} you specified did not match the calculated checksum."
        raise S3Error("BadDigest", message)
    return Checksum(integrity.algorithm, checksums.encode(computed))


def verify_body(integrity: Integrity, body: bytes, trailers: Mapping[str, str]) -> Checksum | None:
    """`verify` for a body held whole, such as a document. Raises as `verify`."""
    return verify(integrity, {name: checksums.digest(name, body) for name in needed(integrity)}, trailers)


def multipart_choice(headers: Mapping[str, str]) -> tuple[str, str]:
    """The (algorithm, kind) CreateMultipartUpload asked for, or ("", ""). Raises S3Error InvalidRequest."""
    asked = headers.get("x-amz-checksum-algorithm")
    kind = headers.get("x-amz-checksum-type", "").upper()
    if asked is None:
        if kind:
            text = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            raise S3Error("InvalidRequest", text)
        return "", ""
    algorithm = _known(asked)
    return algorithm, _kind(algorithm, kind or _KINDS[algorithm][0])


def copy_algorithm(headers: Mapping[str, str]) -> str:
    """The algorithm a copy is to be given a checksum of, or "". Raises S3Error InvalidRequest."""
    asked = headers.get("x-amz-checksum-algorithm")
    return "" if asked is None else _known(asked)


def completion(headers: Mapping[str, str]) -> Checksum | None:
    """The checksum CompleteMultipartUpload declares for the whole object; for this request alone the
    `x-amz-checksum-*` header speaks of the object and not of the request's body.

    A COMPOSITE value may bear `-N`; it is kept as sent. Raises S3Error InvalidRequest.
    """
    header = _single(headers)
    if header is None:
        return None
    name, text = header
    algorithm = _known(name.removeprefix(_PREFIX))
    count = text.rpartition("-")[2] if "-" in text else ""
    default = "COMPOSITE" if count else _KINDS[algorithm][-1]
    kind = _kind(algorithm, headers.get("x-amz-checksum-type", "").upper() or default)
    if count and (kind != "COMPOSITE" or not count.isascii() or not count.isdigit()):
        raise _invalid_value(name)
    _value(name, algorithm, text.rpartition("-")[0] if count else text)
    return Checksum(algorithm, text, kind)


def _content_md5(text: str) -> bytes:
    try:
        return checksums.decode("MD5", text.strip())
    except ValueError as error:
        raise S3Error(
            "InvalidDigest",
            "The Content-MD5 you specified was invalid.",
            fields={"Content-MD5": text},
            reason=str(error),
        ) from error


def _declared(headers: Mapping[str, str]) -> tuple[str, bytes | None, bool]:
    """The (algorithm, digest, in_trailer) of the one checksum the request declares."""
    header = _single(headers)
    trailer = _announced(headers.get("x-amz-trailer", ""))
    if header is not None and trailer:
        raise S3Error("InvalidRequest", _TOO_MANY)
    name = header[0] if header is not None else trailer
    asked = headers.get("x-amz-sdk-checksum-algorithm")
    if not name:
        if asked is not None:
            _known(asked)
            text = (
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                "headers were found."
            )
            raise S3Error("InvalidRequest", text)
        return "", None, False
    algorithm = _known(name.removeprefix(_PREFIX))
    if asked is not None and asked.strip().upper() != algorithm:
        raise S3Error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if header is None:
        return algorithm, None, True
    return algorithm, _value(name, algorithm, header[1]), False


_TOO_MANY: Final = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."


def _single(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """The one header that carries a checksum, or None."""
    found = [name for name in headers if name.startswith(_PREFIX) and name not in _NOT_VALUES]
    if len(found) > 1:
        raise S3Error("InvalidRequest", _TOO_MANY)
    return (found[0], headers[found[0]].strip()) if found else None


def _announced(trailer: str) -> str:
    """The checksum trailer `x-amz-trailer` announces, or "". A second one, or any other kind, is refused."""
    names = [name for name in (part.strip().lower() for part in trailer.split(",")) if name]
    if len(names) > 1 and all(name.startswith(_PREFIX) for name in names):
        raise S3Error("InvalidRequest", _TOO_MANY)
    if len(names) > 1 or (names and (not names[0].startswith(_PREFIX) or names[0] in _NOT_VALUES)):
        raise S3Error("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    return names[0] if names else ""


def _known(name: str) -> str:
    algorithm = name.strip().upper()
    if algorithm not in checksums.CLIENT_ALGORITHMS:
        text = (
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(checksums.CLIENT_ALGORITHMS)}]"
        )
        raise S3Error("InvalidRequest", text)
    return algorithm


def _kind(algorithm: str, kind: str) -> str:
    if kind not in ("COMPOSITE", "FULL_OBJECT"):
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    if kind not in _KINDS[algorithm]:
        text = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        raise S3Error("InvalidRequest", text)
    return kind


def _invalid_value(name: str) -> S3Error:
    return S3Error("InvalidRequest", f"Value for {name} header is invalid.")


def _value(name: str, algorithm: str, text: str) -> bytes:
    try:
        return checksums.decode(algorithm, text)
    except ValueError as error:
        raise _invalid_value(name) from error


def _from_trailer(algorithm: str, trailers: Mapping[str, str]) -> bytes:
    """The digest in the trailer. Raises S3Error MalformedTrailerError when it was announced and did not come."""
    name = _PREFIX + algorithm.lower()
    text = trailers.get(name)
    if text is None:
        raise S3Error("MalformedTrailerError", reason=f"{name} was announced and did not come")
    return _value(name, algorithm, text.strip())
