"""The rules of multipart uploads: part numbers, checksum kinds, and how parts become one object.

Knows parts as values. Must not know the store or the wire. Part ETags are hex MD5s.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from app.core import checksums, limits
from app.core.errors import S3Error
from app.core.types import Checksum, Part, RefId

FULL_OBJECT: Final = "FULL_OBJECT"
COMPOSITE: Final = "COMPOSITE"

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "CRC32": (COMPOSITE, FULL_OBJECT),
    "CRC32C": (COMPOSITE, FULL_OBJECT),
    "CRC64NVME": (FULL_OBJECT,),
    "SHA1": (COMPOSITE,),
    "SHA256": (COMPOSITE,),
}
"""The kinds an algorithm may have in an upload, its default first."""


@dataclass(frozen=True, slots=True)
class RequestedPart:
    """A part as a CompleteMultipartUpload names it. `etag` is unquoted; `checksums` by algorithm, as base64."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


def upload_id_text(upload_id: RefId) -> str:
    """An upload's id as clients see it."""
    return upload_id.hex()


def parse_upload_id(text: str) -> RefId:
    """The id a client sent back. Raises NoSuchUpload for what was never one."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 16 or value.hex() != text:
        raise S3Error("NoSuchUpload", fields={"UploadId": text})
    return value


def parse_part_number(text: str) -> int:
    """1..10,000. Raises InvalidArgument."""
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= limits.PART_NUMBER_MAX:
        return int(text)
    raise S3Error(
        "InvalidArgument",
        f"Part number must be an integer between 1 and {limits.PART_NUMBER_MAX}, inclusive",
        fields={"ArgumentName": "partNumber", "ArgumentValue": text},
    )


def checksum_plan(algorithm: str, kind: str) -> tuple[str, str]:
    """(algorithm, kind) of a new upload from `x-amz-checksum-algorithm` and `-type`; "" where not sent, or none.

    Raises InvalidRequest for an unknown algorithm or a kind it cannot have.
    """
    algorithm, kind = algorithm.upper(), kind.upper()
    if not algorithm:
        if kind:
            raise S3Error(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )
        return "", ""
    if algorithm not in _KINDS:
        raise S3Error("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the "
                      f"valid types: [{', '.join(_KINDS)}]")  # fmt: skip
    if kind and kind not in _KINDS[algorithm]:
        raise S3Error(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
        )
    return algorithm, kind or _KINDS[algorithm][0]


def check_order(requested: Sequence[RequestedPart]) -> None:
    """Raises MalformedXML for no parts or too many, InvalidPartOrder unless the numbers rise strictly."""
    if not requested or len(requested) > limits.PART_NUMBER_MAX:
        raise S3Error("MalformedXML")
    if any(later.number <= earlier.number for earlier, later in pairwise(requested)):
        raise S3Error("InvalidPartOrder")


def choose_parts(requested: Sequence[RequestedPart], held: Mapping[int, Part]) -> list[Part]:
    """The stored parts that make the object, in order, each with its final `start`.

    `held`: the upload's parts by number. Raises MalformedXML, InvalidPartOrder, InvalidPart (absent, or another ETag or
    checksum), EntityTooSmall (under 5 MiB and not the last), EntityTooLarge.
    """
    check_order(requested)
    chosen: list[Part] = []
    start = 0
    for wanted in requested:
        part = held.get(wanted.number)
        if part is None or not _is_same(wanted, part):
            raise S3Error("InvalidPart", fields={"PartNumber": str(wanted.number), "ETag": wanted.etag})
        chosen.append(replace(part, start=start))
        start += part.size
    _check_sizes(chosen)
    return chosen


def _is_same(wanted: RequestedPart, part: Part) -> bool:
    if wanted.etag.lower() != part.etag:
        return False
    # A checksum the part was not stored with cannot be compared: refuse rather than pretend it was.
    return all(
        part.checksum is not None and part.checksum.algorithm == algorithm and part.checksum.value == value
        for algorithm, value in wanted.checksums.items()
    )


def _check_sizes(chosen: Sequence[Part]) -> None:
    for part in chosen[:-1]:
        if part.size < limits.PART_BYTES_MIN:
            fields = {
                "ProposedSize": str(part.size),
                "MinSizeAllowed": str(limits.PART_BYTES_MIN),
                "PartNumber": str(part.number),
                "ETag": part.etag,
            }
            raise S3Error("EntityTooSmall", fields=fields)
    if chosen[-1].start + chosen[-1].size > limits.OBJECT_BYTES_MAX:
        raise S3Error("EntityTooLarge", fields={"MaxSizeAllowed": str(limits.OBJECT_BYTES_MAX)})


def completed_etag(parts: Sequence[Part]) -> str:
    """`md5(concatenated binary md5s)-N`, unquoted."""
    return checksums.multipart_etag([bytes.fromhex(part.etag) for part in parts])


def completed_checksum(algorithm: str, kind: str, parts: Sequence[Part]) -> Checksum | None:
    """The object's checksum from its parts' checksums; None when the upload has no algorithm.

    Raises InvalidRequest when a part was stored without that checksum.
    """
    if not algorithm:
        return None
    digests: list[bytes] = []
    for part in parts:
        if part.checksum is None or part.checksum.algorithm != algorithm:
            raise S3Error(
                "InvalidRequest",
                f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {part.number} in the request.",
            )
        digests.append(checksums.decode(algorithm, part.checksum.value))
    if kind == COMPOSITE:
        return Checksum(algorithm, checksums.composite(algorithm, digests), COMPOSITE)
    joined = checksums.combine(algorithm, ((digest, part.size) for digest, part in zip(digests, parts, strict=True)))
    return Checksum(algorithm, checksums.encode(joined), FULL_OBJECT)
