"""Ids of placed blobs and their fragments: the id alone tells group, profile and fragment, so no row has to.

Layout of a placed blob id, 16 bytes: 2 random (its placement group is their top bits) | 6 of milliseconds since the
epoch, big endian | 6 random | fragment index | profile number. Index 0 names the blob; a device keeps fragment i under
the id with index i. All fragments of a group lie side by side in the order of ids, so listing a group is one range.
The ids of a single machine (profile 0) are those of core/ids, and the functions below leave them alone.
"""

from typing import Final

from app.core.types import BlobId, ChunkId

FRAGMENTS_MAX: Final = 32  # of one blob
GROUPS_MAX: Final = 1 << 16


def blob_id_for(profile: int, fresh: bytes) -> BlobId:
    """A placed blob id from a fresh time-ordered id (core/ids); `fresh` itself for profile 0."""
    if not profile:
        return fresh
    return fresh[14:16] + fresh[0:6] + fresh[6:12] + bytes((0, profile))


def chunk_id_for(profile: int, digest: bytes) -> ChunkId:
    """A chunk's name under a profile: chunks of different profiles are never deduplicated onto each other.

    The last byte gives way to the profile's number: 248 bits of BLAKE3 are left, beyond forging.
    """
    return digest if not profile else digest[:31] + bytes((profile,))


def profile_of(blob_id: BlobId) -> int:
    """The number of the profile of a placed blob or fragment."""
    return blob_id[15]


def fragment_id(blob_id: BlobId, index: int) -> BlobId:
    """What a device calls fragment (or copy) `index` of a blob."""
    return blob_id[:14] + bytes((index,)) + blob_id[15:]


def index_of(fragment: BlobId) -> int:
    """Which fragment (or copy) of its blob this is."""
    return fragment[14]


def blob_of(fragment: BlobId) -> BlobId:
    """The blob a fragment belongs to."""
    return fragment_id(fragment, 0)


def placed_ms(blob_id: BlobId) -> int:
    """When the blob's id was made, ms since the epoch."""
    return int.from_bytes(blob_id[2:8], "big")


def group_of(blob_id: BlobId, groups: int) -> int:
    """The placement group, 0..groups-1; `groups` is a power of two up to GROUPS_MAX."""
    return int.from_bytes(blob_id[:2], "big") * groups // GROUPS_MAX


def group_range(group: int, groups: int) -> tuple[bytes, bytes | None]:
    """The span of ids [first, end) a group's fragments lie in; None = to the end of all ids."""
    step = GROUPS_MAX // groups
    end = (group + 1) * step
    return (group * step).to_bytes(2, "big"), None if end == GROUPS_MAX else end.to_bytes(2, "big")
