"""The values that cross ports: buckets, versions, contents, uploads, parts, chunks.

Knows shapes only; every value is immutable. Times are integer milliseconds since the epoch, UTC. Ids are bytes:
`BucketId`, `RefId`, `BlobId`, `VersionId` are 16 bytes, time-ordered, made by `ids.new_id` (never reused);
a `ChunkId` is the 32-byte BLAKE3-256 of a chunk's plaintext. Keys are 1..1024 opaque bytes in binary order.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

BucketId = bytes
RefId = bytes
BlobId = bytes
ChunkId = bytes
VersionId = bytes

NULL_VERSION: VersionId = bytes(16)


class Versioning(Enum):
    """A bucket's versioning state. https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html"""

    OFF = "Off"
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One row of the namespace. `owner`: the account's canonical id. `region`: LocationConstraint, "" = default."""

    bucket_id: BucketId
    name: str
    owner: str
    created_ms: int
    region: str = ""
    versioning: Versioning = Versioning.OFF


@dataclass(frozen=True, slots=True)
class Checksum:
    """An `x-amz-checksum-*` value. `algorithm`: CRC32, CRC32C, CRC64NVME, SHA1, SHA256. `value`: base64, for
    COMPOSITE with the `-N` suffix. `kind`: FULL_OBJECT or COMPOSITE."""

    algorithm: str
    value: str
    kind: str = "FULL_OBJECT"

    @classmethod
    def of(cls, algorithm: str, digest: bytes) -> "Checksum":
        """The full-object checksum of these digest bytes."""
        return cls(algorithm, b64encode(digest).decode())


class ChunkEntry(NamedTuple):
    """One chunk of a manifest: its content name, the blob that holds it, its plaintext length in bytes."""

    chunk_id: ChunkId
    blob_id: BlobId
    length: int


class Content(NamedTuple):
    """The bytes written by one attempt (one PUT or one part), named by `ref_id`.

    Either `inline` (at most INLINE_BYTES_MAX bytes; b"" for an empty content) or a manifest: `chunks` in order whose
    lengths add up to `size`.
    """

    ref_id: RefId
    size: int
    inline: bytes | None = None
    chunks: tuple[ChunkEntry, ...] = ()


class ContentPage(NamedTuple):
    """What the store returns of a content: inline bytes, or at most MANIFEST_PAGE_ENTRIES chunks.

    `start` is the offset of the page's first byte in the content; `more` says that another page follows.
    """

    ref_id: RefId
    page: int
    start: int
    inline: bytes | None
    chunks: tuple[ChunkEntry, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the client chose for an object, kept with the version and with an upload until it completes.

    `headers`: stored system headers by lower-case name (content-type, cache-control, content-disposition,
    content-encoding, content-language, expires, x-amz-website-redirect-location). `metadata`: user metadata, names
    lower-case without `x-amz-meta-`.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    tags: Mapping[str, str] = field(default_factory=dict)


class Version(NamedTuple):
    """One object version as it is read.

    `etag` is unquoted: 32 hex digits, or `<hex>-<N>` for multipart. `ref_id` names its content; when `part_count` > 0
    it is the upload's id instead and the bytes are those of its parts (`MetadataStore.parts_scan`) in order.
    `seq` grows with the order of commits on one key, as long as the key has a version.
    """

    bucket_id: BucketId
    key: bytes
    version_id: VersionId
    seq: int
    ref_id: RefId
    size: int
    etag: str
    modified_ms: int
    owner: str
    attributes: Attributes = Attributes()
    checksum: Checksum | None = None
    part_count: int = 0
    delete_marker: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload in progress. `checksum_algorithm` / `checksum_kind` as asked at creation ("" = none)."""

    upload_id: RefId
    bucket_id: BucketId
    key: bytes
    owner: str
    initiated_ms: int
    attributes: Attributes = field(default_factory=Attributes)
    checksum_algorithm: str = ""
    checksum_kind: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A stored part. `number` 1..10,000. `start` is the part's first byte in the completed object (0 before)."""

    upload_id: RefId
    number: int
    ref_id: RefId
    size: int
    etag: str
    modified_ms: int
    checksum: Checksum | None = None
    start: int = 0


class FileSpan(NamedTuple):
    """Bytes [offset, offset + length) of an open file, verified, fit for sendfile. `fd` stays its owner's."""

    fd: int
    offset: int
    length: int


Piece = bytes | memoryview | FileSpan
"""One piece of an answer's body, in order. A piece is valid until the next one is asked for."""
