"""The snapshot file: the machine's state up to one entry, and the members at that entry.

Knows its form and its checksum. A snapshot that does not verify is Corrupt and is never taken for none. Form: magic,
SHA-256 of the rest, length of the head, the head (JSON), the state.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from app.adapters.cluster.raft.codec import BadMessage, parsed_members
from app.adapters.cluster.raft.contract import Corrupt

NAME: Final = "snapshot"
REMEDY: Final = (
    "do not delete anything here while the other managers have not lost theirs; remove this manager from the cluster, "
    "then join it again with an empty directory and a NEW node id"
)
_MAGIC: Final = b"ZAPFRS01"
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`index`, `term`: of the last entry that is part of the state."""

    index: int
    term: int
    members: Mapping[str, str]
    state: bytes


def packed(snapshot: Snapshot) -> bytes:
    """The bytes of the file, and of the transfer to another member."""
    fields = {"index": snapshot.index, "term": snapshot.term, "members": dict(snapshot.members)}
    head = json.dumps(fields, separators=(",", ":")).encode()
    rest = _LENGTH.pack(len(head)) + head + snapshot.state
    return _MAGIC + sha256(rest).digest() + rest


def unpacked(data: bytes) -> Snapshot:
    """What `packed` made. Raises Corrupt."""
    rest = data[40:]
    if data[:8] != _MAGIC or len(rest) < 4 or sha256(rest).digest() != data[8:40]:
        raise Corrupt(f"the Raft snapshot does not verify; {REMEDY}")
    (size,) = _LENGTH.unpack_from(rest)
    try:
        head = json.loads(rest[4 : 4 + size])
        members = parsed_members(json.dumps(head["members"]).encode())
        return Snapshot(int(head["index"]), int(head["term"]), members, rest[4 + size :])
    except (ValueError, KeyError, TypeError, BadMessage) as error:
        raise Corrupt(f"the Raft snapshot verifies, but its head is not understood ({error}); {REMEDY}") from error
