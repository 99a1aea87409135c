"""Version ids on the wire: `null`, or 32 characters of base64url that name a place in a key's stack.

Knows the text form only. It holds the id (16 bytes) and the sequence number (8 bytes), so that a version is found by
its place, without an index over ids. Clients take it for opaque.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from app.core.errors import S3Error
from app.core.types import NULL_PLACE, NULL_VERSION, Version, Versioning, VersionPlace

NULL: Final = "null"
_TEXT_CHARS: Final = 32


def version_text(version: Version) -> str:
    """The version id as clients see it."""
    if version.version_id == NULL_VERSION:
        return NULL
    return urlsafe_b64encode(version.version_id + version.seq.to_bytes(8, "big")).decode("ascii")


def place_text(place: VersionPlace) -> str:
    """The same of a place, whether or not anything lies there."""
    if place.version_id == NULL_VERSION:
        return NULL
    return urlsafe_b64encode(place.version_id + place.seq.to_bytes(8, "big")).decode("ascii")


def shown_text(version: Version, versioning: Versioning) -> str:
    """What `x-amz-version-id` tells of a version: "" in a bucket that never had versioning, where S3 is silent."""
    if versioning is Versioning.OFF and version.version_id == NULL_VERSION:
        return ""
    return version_text(version)


def written_text(version: Version) -> str:
    """What the answer to a write tells: "" for the null version, of which S3 says nothing."""
    return "" if version.version_id == NULL_VERSION else version_text(version)


def place_of(version: Version) -> VersionPlace:
    """Where the version lies."""
    return NULL_PLACE if version.version_id == NULL_VERSION else VersionPlace(version.seq, version.version_id)


def parse_version(text: str) -> VersionPlace:
    """The place a client names. Raises InvalidArgument for what no version can be called."""
    if text == NULL:
        return NULL_PLACE
    if len(text) == _TEXT_CHARS and text.isascii():
        try:
            raw = urlsafe_b64decode(text)
        except ValueError:
            raw = b""
        if len(raw) == _TEXT_CHARS * 3 // 4 and raw[16] < 0x80 and urlsafe_b64encode(raw).decode("ascii") == text:
            return VersionPlace(int.from_bytes(raw[16:], "big"), raw[:16])
    fields = {"ArgumentName": "versionId", "ArgumentValue": text}
    raise S3Error("InvalidArgument", "Invalid version id specified", fields=fields)
