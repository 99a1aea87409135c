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
from app.core.types import Checksum, Part, RefId, Upload

COMPOSITE: Final = "COMPOSITE"


@dataclass(frozen=True, slots=True)
class RequestedPart:
    """A part as a CompleteMultipartUpload names it. `etag` is unquoted; `checksums` by algorithm, as base64."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assembly:
    """What parts add up to: bytes, unquoted ETag, the parts in order with their `start`, the object's checksum."""

    size: int
    etag: str
    parts: list[Part]
    checksum: Checksum | None


def upload_id_text(upload_id: RefId) -> str:
    """An upload's id as clients see it."""
    return upload_id.hex()


def parse_part_number(text: str) -> int:
    """1..10,000. Raises InvalidArgument."""
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= limits.PART_NUMBER_MAX:
        return int(text)
    raise S3Error(
        "InvalidArgument",
        f"Part number must be an integer between 1 and {limits.PART_NUMBER_MAX}, inclusive",
        fields={"ArgumentName": "partNumber", "ArgumentValue": text},
    )


def part_checksum_algorithm(upload: Upload, sent: str) -> str:
    """The checksum a part needs: its upload's, else what came with it ("" = none). Two different: InvalidRequest."""
    expected = upload.checksum_algorithm
    if expected and sent and expected != sent:
        raise S3Error(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {expected.lower()}, "
            f"actual checksum Type: {sent.lower()}",
        )
    return expected or sent


def assemble(
    upload: Upload, requested: Sequence[RequestedPart], stored: Mapping[int, Part], declared: Checksum | None
) -> Assembly:
    """The object that completing `upload` with the requested parts makes, `declared` being the checksum the client
    expects of it. Raises what `choose_parts` raises, InvalidRequest, BadDigest."""
    parts = choose_parts(requested, stored)
    checksum = completed_checksum(upload.checksum_algorithm, upload.checksum_kind, parts)
    _check_declared(checksum, declared, parts)
    return Assembly(parts[-1].start + parts[-1].size, completed_etag(parts), parts, checksum)


def _check_declared(computed: Checksum | None, declared: Checksum | None, parts: Sequence[Part]) -> None:
    if declared is None:
        return
    if computed is None:
        computed = completed_checksum(declared.algorithm, declared.kind, parts)
    if computed is None or (computed.algorithm, computed.kind) != (declared.algorithm, declared.kind):
        raise S3Error("InvalidRequest", "The checksum type of the request is not the one the upload was created with.")
    suffixed = f"{declared.value}-{len(parts)}" if declared.kind == COMPOSITE else declared.value
    if computed.value not in (declared.value, suffixed):
        raise S3Error("BadDigest", f"The {declared.algorithm} you specified did not match the calculated checksum.")


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
    return Checksum(algorithm, checksums.encode(joined))
