"""Rows <-> values.

Knows the columns' order and the compact encodings (attributes, checksums, chunk entries). Must not know statements.
"""

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from app.core.limits import ATTRIBUTES_SHARED_CHARS_MAX, ATTRIBUTES_SHARED_MAX
from app.core.types import (
    NO_LOCK,
    Attributes,
    Bucket,
    BucketId,
    Checksum,
    ChunkEntry,
    ContentPage,
    Encryption,
    Lock,
    Part,
    RefId,
    Upload,
    Version,
    Versioning,
)

Row = Sequence[Any]

SEQ_MAX: Final = 2**63 - 1  # seq_down = SEQ_MAX - seq: an ascending scan meets the newest version first
STATE_WANTED: Final = "W"
STATE_LIVE: Final = "L"
INTENT_OPEN: Final = "O"
INTENT_ABORTED: Final = "A"
KIND_CONTENT: Final = "C"
KIND_PARTS: Final = "P"
PLAIN_FIELDS: Final = 3  # of an attributes text without ACL, lock and encryption

_ENTRY: Final = struct.Struct(">32s16sI")

BUCKET_COLUMNS: Final = "bucket_id, name, owner, created_ms, region, versioning, object_lock"
VALUE_COLUMNS: Final = (
    "version_id, ref_id, size, etag, modified_ms, owner, storage_class, checksum, part_count, attributes"
)
UPLOAD_COLUMNS: Final = (
    "upload_id, bucket_id, key, owner, initiated_ms, storage_class, attributes, checksum_algorithm, checksum_kind, "
    "initiator"
)
PART_COLUMNS: Final = "number, ref_id, size, etag, modified_ms, checksum, start"
PAGE_COLUMNS: Final = "page, start, more, inline, entries"


def bucket_of(row: Row, configs: Mapping[str, bytes]) -> Bucket:
    """From BUCKET_COLUMNS, with the documents of its configurations by kind."""
    bucket_id, name, owner, created_ms, region, versioning, object_lock = row
    return Bucket(bucket_id, name, owner, created_ms, region, Versioning(versioning), bool(object_lock), configs)


def bucket_row(bucket: Bucket) -> Row:
    """To BUCKET_COLUMNS."""
    return (
        bucket.bucket_id,
        bucket.name,
        bucket.owner,
        bucket.created_ms,
        bucket.region,
        bucket.versioning.value,
        bucket.object_lock,
    )


def version_of(bucket_id: BucketId, key: bytes, seq: int, values: Row, delete_marker: bool = False) -> Version:
    """From VALUE_COLUMNS beside the row's own key."""
    version_id, ref_id, size, etag, modified_ms, owner, storage_class, checksum, part_count, attributes = values
    return Version(
        bucket_id,
        key,
        version_id,
        seq,
        ref_id,
        size,
        etag,
        modified_ms,
        owner,
        attributes_of(storage_class, attributes),
        None if checksum is None else checksum_of(checksum),
        part_count,
        delete_marker,
    )


def version_values(version: Version) -> tuple[Any, ...]:
    """To VALUE_COLUMNS."""
    return (
        version.version_id,
        version.ref_id,
        version.size,
        version.etag,
        version.modified_ms,
        version.owner,
        version.attributes.storage_class,
        checksum_text(version.checksum),
        version.part_count,
        attributes_text(version.attributes),
    )


def upload_of(row: Row) -> Upload:
    """From UPLOAD_COLUMNS."""
    upload_id, bucket_id, key, owner, initiated_ms, storage_class, attributes, algorithm, kind, initiator = row
    return Upload(
        upload_id,
        bucket_id,
        key,
        owner,
        initiated_ms,
        attributes_of(storage_class, attributes),
        algorithm,
        kind,
        initiator,
    )


def upload_row(upload: Upload) -> Row:
    """To UPLOAD_COLUMNS."""
    return (
        upload.upload_id,
        upload.bucket_id,
        upload.key,
        upload.owner,
        upload.initiated_ms,
        upload.attributes.storage_class,
        attributes_text(upload.attributes),
        upload.checksum_algorithm,
        upload.checksum_kind,
        upload.initiator,
    )


def part_of(upload_id: RefId, row: Row) -> Part:
    """From PART_COLUMNS; a part of an upload in progress starts at 0."""
    number, ref_id, size, etag, modified_ms, checksum, start = row
    return Part(
        upload_id,
        number,
        ref_id,
        size,
        etag,
        modified_ms,
        None if checksum is None else checksum_of(checksum),
        start or 0,
    )


def page_of(ref_id: RefId, row: Row) -> ContentPage:
    """From PAGE_COLUMNS."""
    page, start, more, inline, entries = row
    return ContentPage(ref_id, page, start, inline, entries_of(entries) if entries else (), bool(more))


def entries_of(packed: bytes) -> tuple[ChunkEntry, ...]:
    """Unpack 52 bytes a chunk."""
    return tuple(ChunkEntry(*fields) for fields in _ENTRY.iter_unpack(packed))


def entries_packed(entries: Iterable[ChunkEntry]) -> bytes:
    """Pack to 52 bytes a chunk."""
    return b"".join(_ENTRY.pack(entry.chunk_id, entry.blob_id, entry.length) for entry in entries)


@lru_cache(maxsize=64)
def plain_attributes(storage_class: str) -> Attributes:
    """Attributes that carry nothing but their storage class; shared, since values are immutable."""
    return Attributes(storage_class=storage_class)


def attributes_of(storage_class: str, text: str | None) -> Attributes:
    """From the storage_class and attributes columns; NULL = nothing but the class. Values of short texts, mostly a
    content type, are shared: decoding one takes as long as the rest of the row (docs/design/metadata.md)."""
    if text is None:
        return plain_attributes(storage_class)
    return (_shared if len(text) <= ATTRIBUTES_SHARED_CHARS_MAX else _decoded)(storage_class, text)


def _decoded(storage_class: str, text: str) -> Attributes:
    fields = json.loads(text)
    if len(fields) == PLAIN_FIELDS:
        return Attributes(fields[0], fields[1], storage_class, fields[2])
    headers, metadata, tags, more = fields
    lock, encryption = more.get("lock"), more.get("encryption")
    return Attributes(
        headers,
        metadata,
        storage_class,
        tags,
        more.get("acl", ""),
        NO_LOCK if lock is None else Lock(*lock),
        None if encryption is None else Encryption(encryption[0], b64decode(encryption[1]), *encryption[2:]),
    )


_shared = lru_cache(maxsize=ATTRIBUTES_SHARED_MAX)(_decoded)


def attributes_text(attributes: Attributes) -> str | None:
    """A JSON array [headers, metadata, tags], NULL when all are empty; a fourth element holds ACL, lock, encryption."""
    plain = not attributes.acl and attributes.encryption is None and attributes.lock == NO_LOCK
    if plain and not (attributes.headers or attributes.metadata or attributes.tags):
        return None
    fields = [dict(attributes.headers), dict(attributes.metadata), dict(attributes.tags)]
    return _json(fields if plain else [*fields, _more(attributes)])


def _more(attributes: Attributes) -> dict[str, Any]:
    """Those of the fourth element that are there."""
    more: dict[str, Any] = {}
    if attributes.acl:
        more["acl"] = attributes.acl
    if attributes.lock != NO_LOCK:
        more["lock"] = attributes.lock
    if attributes.encryption is not None:
        scheme, wrapped, *rest = attributes.encryption
        more["encryption"] = [scheme, b64encode(wrapped).decode(), *rest]
    return more


_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def checksum_of(text: str) -> Checksum:
    """From `ALGORITHM KIND VALUE`."""
    algorithm, kind, value = text.split(" ", 2)
    return Checksum(algorithm, value, kind)


def checksum_text(checksum: Checksum | None) -> str | None:
    """To `ALGORITHM KIND VALUE`, NULL for none."""
    return None if checksum is None else f"{checksum.algorithm} {checksum.kind} {checksum.value}"
