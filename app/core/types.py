"""The values that cross ports: buckets, versions, contents, uploads, parts, chunks, tasks.

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


class VersionPlace(NamedTuple):
    """Where a version lies in its key's stack: the store finds it by `seq` and believes it by `version_id`.

    The null version is `NULL_PLACE`, wherever it lies. Text form: core/s3/version_ids.
    """

    seq: int
    version_id: VersionId


NULL_PLACE: VersionPlace = VersionPlace(0, NULL_VERSION)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One row of the namespace. `owner`: the account's canonical id. `region`: LocationConstraint, "" = default.

    `object_lock`: enabled at creation or later, never off again. `configs`: the documents of its configurations by
    kind, as they were checked and stored (policy, acl, publicAccessBlock, ownershipControls, encryption, object-lock,
    cors, website, lifecycle, logging, notification, replication, requestPayment, accelerate, tagging); those a bucket
    has several of by name (analytics, metrics, inventory, intelligent-tiering) are read on demand instead.
    """

    bucket_id: BucketId
    name: str
    owner: str
    created_ms: int
    region: str = ""
    versioning: Versioning = Versioning.OFF
    object_lock: bool = False
    configs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checksum:
    """An `x-amz-checksum-*` value. `algorithm`: CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3,
    XXHASH128. `value`: base64, for COMPOSITE with the `-N` suffix. `kind`: FULL_OBJECT or COMPOSITE."""

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


class Lock(NamedTuple):
    """What keeps a version from being removed. `mode`: "" (no retention), GOVERNANCE or COMPLIANCE, until `until_ms`.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
    """

    mode: str = ""
    until_ms: int = 0
    legal_hold: bool = False


NO_LOCK: Lock = Lock()


class Encryption(NamedTuple):
    """How a version's bytes are sealed; its contents hold frames of ciphertext (docs/design/encryption.md).

    `scheme`: AES256 (SSE-S3), aws:kms, aws:kms:dsse or SSE-C. `wrapped`: the data key, sealed under the KMS key
    `key_id`, the server's own key or the customer's, bound to the version. `key_md5`: base64, SSE-C only. `context`:
    the encryption context's JSON, aws:kms only. `bucket_key`: as asked and answered.
    """

    scheme: str
    wrapped: bytes
    key_id: str = ""
    key_md5: str = ""
    context: str = ""
    bucket_key: bool = False


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the client chose for an object, kept with the version and with an upload until it completes.

    `headers`: stored system headers by lower-case name (content-type, cache-control, content-disposition,
    content-encoding, content-language, expires, x-amz-website-redirect-location). `metadata`: user metadata, names
    lower-case without `x-amz-meta-`. `acl`: text form of an access control list (core/acl), "" = the owner alone.
    Tags, ACL, lock and storage class of a stored version may change (`MetadataStore.version_amend`); nothing else.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    tags: Mapping[str, str] = field(default_factory=dict)
    acl: str = ""
    lock: Lock = NO_LOCK
    encryption: Encryption | None = None


class Version(NamedTuple):
    """One object version, or delete marker, as it is read.

    `size`: bytes of plaintext. `owner`: canonical id of the object's owner. `etag` is unquoted: 32 hex digits, or
    `<hex>-<N>` for multipart. `ref_id` names its content; when `part_count` > 0 it is the upload's id instead and the
    bytes are those of its parts (`MetadataStore.parts_scan`) in order.
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
    """A multipart upload in progress. `checksum_algorithm` / `checksum_kind` as asked at creation ("" = none).

    `owner`: of the object to be. `initiator`: canonical id and ARN of who began it, "" when it is the owner."""

    upload_id: RefId
    bucket_id: BucketId
    key: bytes
    owner: str
    initiated_ms: int
    attributes: Attributes = field(default_factory=Attributes)
    checksum_algorithm: str = ""
    checksum_kind: str = ""
    initiator: str = ""


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


class Task(NamedTuple):
    """One entry of a durable queue: at least once, after `due_ms`. `body` is its queue's own."""

    task_id: bytes
    due_ms: int
    body: bytes


class FileSpan(NamedTuple):
    """Bytes [offset, offset + length) of an open file, verified, fit for sendfile. `fd` stays its owner's."""

    fd: int
    offset: int
    length: int


Piece = bytes | memoryview | FileSpan
"""One piece of an answer's body, in order. A piece is valid until the next one is asked for."""


class Usage(NamedTuple):
    """`objects`: versions, delete markers too. `bytes`: of the versions. `part_bytes`: of the parts of uploads that are
    not complete."""

    objects: int
    bytes: int
    part_bytes: int = 0


@dataclass(frozen=True, slots=True)
class BlobClaim:
    """A blob found on a device: which chunk it says it is and which attempt wrote it."""

    blob_id: BlobId
    chunk_id: ChunkId
    ref_id: RefId


@dataclass(frozen=True, slots=True)
class GcCounts:
    """Rows waiting in each queue of the reference protocol."""

    intents: int = 0
    outbox: int = 0
    blobs_waiting: int = 0
    chunks: int = 0
    chunk_references: int = 0


@dataclass(frozen=True, slots=True)
class ReferencedBlob:
    """A live chunk row seen by a consistency check."""

    chunk_id: ChunkId
    blob_id: BlobId
    length: int
    references: int = field(default=0)
