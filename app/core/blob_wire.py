"""What file hosts and their clients say to each other over HTTP: paths, names of headers, forms of bodies, outcomes.

Knows forms only (docs/design/file-host.md). How a request proves itself is core/auth/cluster_secret's.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import xxhash

from app.core.errors import Conflict, Corrupt, Full, Missing, StoreError, Unavailable
from app.core.limits import BLOCK_BYTES
from app.core.types import BlobId, ChunkId, RefId

ROOT: Final = "/blob/v1"
SIZE_HEADER: Final = "zapfs-size"
"""Bytes of the whole fragment."""
BLOCKS_HEADER: Final = "zapfs-blocks"
"""Hex: the checksums of the blocks answered, as they lie with the record on the device."""
ERROR_HEADER: Final = "zapfs-error"
"""Name of the StoreError a host answers with. Without it a refusal says nothing of the fragment: Unavailable."""

ID_BYTES: Final = 16
NAME_BYTES: Final = 64
DEVICE_ID: Final = re.compile(r"[0-9a-f]{32}")

ERRORS: Final[Mapping[str, type[StoreError]]] = {
    kind.__name__: kind for kind in (Missing, Conflict, Full, Corrupt, Unavailable)
}
STATUS: Final[Mapping[str, int]] = {"Missing": 404, "Conflict": 409, "Full": 507, "Corrupt": 500, "Unavailable": 503}


def name_of(error: StoreError) -> str:
    """ERROR_HEADER of an error; of a subclass, its ancestor's."""
    return next(name for name, kind in ERRORS.items() if isinstance(error, kind))


def checksum(body: bytes | memoryview) -> str:
    """XXH3-128 in hex: against damage on the way, not against forgery."""
    return xxhash.xxh3_128_hexdigest(body)


def blocks_around(offset: int, length: int, size: int) -> tuple[int, int]:
    """[start, stop) of the whole blocks of a fragment of `size` bytes that hold the range."""
    return offset // BLOCK_BYTES * BLOCK_BYTES, min(-(-(offset + length) // BLOCK_BYTES) * BLOCK_BYTES, size)


def packed_names(names: Iterable[tuple[BlobId, ChunkId, RefId]]) -> bytes:
    """NAME_BYTES each: blob id, chunk id, id of the attempt."""
    return b"".join(piece for name in names for piece in name)


def unpacked_names(data: bytes) -> list[tuple[BlobId, ChunkId, RefId]]:
    """The inverse. Raises ValueError."""
    if len(data) % NAME_BYTES:
        raise ValueError("a list of names is torn")
    starts = range(0, len(data), NAME_BYTES)
    return [(data[at : at + 16], data[at + 16 : at + 48], data[at + 48 : at + 64]) for at in starts]


def unpacked_ids(data: bytes) -> list[BlobId]:
    """Ids one after the other. Raises ValueError."""
    if len(data) % ID_BYTES:
        raise ValueError("a list of ids is torn")
    return [data[at : at + ID_BYTES] for at in range(0, len(data), ID_BYTES)]
