"""Inventory files: a CSV row per version, and the manifest that tells of the files. Pure.

Knows S3's columns and names. Must not know when an inventory is written.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html and storage-inventory-location.html
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from app.core import limits
from app.core.s3.configs.inventory import INVENTORY
from app.core.s3.times import precise_time
from app.core.s3.version_ids import version_text
from app.core.types import Bucket, Version

CSV: Final = "CSV"


class Wanted(NamedTuple):
    """One configuration. `fields`: the optional columns, in order. `weekly`: or daily. `all_versions`: or current."""

    inventory_id: str
    enabled: bool
    target: str
    prefix: str
    file_format: str
    filter_prefix: bytes
    all_versions: bool
    fields: tuple[str, ...]
    weekly: bool

    @property
    def schema(self) -> list[str]:
        """The columns."""
        versions = ["VersionId", "IsLatest", "IsDeleteMarker"] if self.all_versions else []
        return ["Bucket", "Key", *versions, *self.fields]


class File(NamedTuple):
    """A written file. `digest`: MD5, hex."""

    key: str
    size: int
    digest: str


@lru_cache(limits.DOCUMENTS_PARSED_MAX)
def wanted(document: bytes) -> Wanted:
    """Of a stored document. Raises Corrupt."""
    node = INVENTORY.stored(document)
    destination = node.node("Destination")
    place = destination.node("S3BucketDestination") if destination else None
    chosen, fields, schedule = node.node("Filter"), node.node("OptionalFields"), node.node("Schedule")
    return Wanted(
        node.text("Id"),
        node.flag("IsEnabled"),
        (place.text("Bucket") if place else "").rpartition(":")[2],
        place.text("Prefix") if place else "",
        place.text("Format") if place else "",
        (chosen.text("Prefix") if chosen else "").encode(),
        node.text("IncludedObjectVersions") == "All",
        tuple(fields.texts("Field")) if fields else (),
        schedule is not None and schedule.text("Frequency") == "Weekly",
    )


def row(bucket: Bucket, version: Version, latest: bool, chosen: Wanted) -> bytes:
    """One line. Every value is quoted; keys are percent-encoded, as S3 writes them."""
    values = [bucket.name, quote(version.key, safe="")]
    if chosen.all_versions:
        named = version_text(version)
        values += ["" if named == "null" else named, _flag(latest), _flag(version.delete_marker)]
    values += [("" if version.delete_marker else _COLUMNS[name](version)) for name in chosen.fields]
    return (",".join('"' + value.replace('"', '""') + '"' for value in values) + "\n").encode()


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _lock_until(version: Version) -> str:
    until_ms = version.attributes.lock.until_ms
    return precise_time(until_ms) if until_ms else ""


def _encryption(version: Version) -> str:
    sealed = version.attributes.encryption
    names = {"AES256": "SSE-S3", "aws:kms": "SSE-KMS", "aws:kms:dsse": "DSSE-KMS", "SSE-C": "SSE-C"}
    return "NOT-SSE" if sealed is None else names.get(sealed.scheme, sealed.scheme)


def _bucket_key(version: Version) -> str:
    sealed = version.attributes.encryption
    return "ENABLED" if sealed is not None and sealed.bucket_key else "DISABLED"


_COLUMNS: Final[Mapping[str, Callable[[Version], str]]] = {
    "Size": lambda version: str(version.size),
    "LastModifiedDate": lambda version: precise_time(version.modified_ms),
    "StorageClass": lambda version: version.attributes.storage_class,
    "ETag": lambda version: version.etag,
    "IsMultipartUploaded": lambda version: _flag("-" in version.etag),
    "ReplicationStatus": lambda version: "",
    "EncryptionStatus": _encryption,
    "ObjectLockRetainUntilDate": _lock_until,
    "ObjectLockMode": lambda version: version.attributes.lock.mode,
    "ObjectLockLegalHoldStatus": lambda version: "On" if version.attributes.lock.legal_hold else "Off",
    "IntelligentTieringAccessTier": lambda version: "",
    "BucketKeyStatus": _bucket_key,
    "ChecksumAlgorithm": lambda version: version.checksum.algorithm if version.checksum else "",
    "ObjectAccessControlList": lambda version: "",
    "ObjectOwner": lambda version: version.owner,
    "LifecycleExpirationDate": lambda version: "",
}


def folder(bucket: Bucket, chosen: Wanted) -> str:
    """Where everything of this inventory lies in the target bucket."""
    prefix = f"{chosen.prefix.rstrip('/')}/" if chosen.prefix else ""
    return f"{prefix}{bucket.name}/{chosen.inventory_id}"


def manifest_folder(bucket: Bucket, chosen: Wanted, time_ms: int) -> str:
    """Where the manifest of one run lies: named by the minute it began."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{folder(bucket, chosen)}/{moment:%Y-%m-%dT%H-%MZ}"


def manifest(bucket: Bucket, chosen: Wanted, time_ms: int, files: Sequence[File]) -> bytes:
    """manifest.json."""
    told = {
        "sourceBucket": bucket.name,
        "destinationBucket": f"arn:aws:s3:::{chosen.target}",
        "version": "2016-11-30",
        "creationTimestamp": str(time_ms),
        "fileFormat": CSV,
        "fileSchema": ", ".join(chosen.schema),
        "files": [{"key": file.key, "size": file.size, "MD5checksum": file.digest} for file in files],
    }
    return json.dumps(told, indent=1).encode()
