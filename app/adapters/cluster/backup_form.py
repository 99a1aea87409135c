"""The form of a backup: the control state's document, compressed, in sealed pieces that cannot be moved or left out.

Knows bytes. Must not know who asks, or where backups go. Form: a line `zapfs-backup 1 {"key": …, "version": …,
"cluster_id": …, "database_id": …, "made_ms": …}`, open for everybody to read, then pieces: 4 bytes of length and as
many of a box (sealing.py), bound to the line, the piece's number and whether it is the last. In them lies one zstd
frame of the document of snapshot.py, without what is the managers' own: their seats and the outcomes of commands.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import zstandard

from app.adapters.cluster import snapshot
from app.adapters.cluster.records import plain
from app.adapters.cluster.sealing import Sealer
from app.core.cluster import ClusterState
from app.core.cluster_limits import RAFT_SNAPSHOT_BYTES_MAX
from app.core.errors import Corrupt
from app.core.limits import BACKUP_HEAD_BYTES_MAX, BACKUP_PIECE_BYTES

PURPOSE: Final = "backup"
_MAGIC: Final = b"zapfs-backup "
_FORM: Final = b"1"
_LENGTH_BYTES: Final = 4


class BackupForm:
    """Backups under a process's master keys."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def sealed(self, state: ClusterState, now_ms: int) -> bytes:
        """The backup of a state."""
        contents = replace(state, outcomes={}, managers={}, staged=None, restored="")
        body = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(snapshot.Codec().encode(contents))
        head = {
            "key": self._sealer.key_ids[0],
            "version": state.version,
            "cluster_id": state.cluster_id,
            "database_id": state.database_id,
            "made_ms": now_ms,
        }
        line = _MAGIC + _FORM + b" " + json.dumps(head).encode() + b"\n"
        box, digest = self._sealer.box(PURPOSE), sha256(line).digest()
        starts = range(0, len(body), BACKUP_PIECE_BYTES)
        whole = [line]
        for number, start in enumerate(starts):
            last = start + BACKUP_PIECE_BYTES >= len(body)
            piece = box.seal(body[start : start + BACKUP_PIECE_BYTES], _bound(digest, number, last))
            whole += [len(piece).to_bytes(_LENGTH_BYTES, "big"), piece]
        return b"".join(whole)

    def opened(self, document: bytes) -> ClusterState:
        """The state of a backup, with the backup's version. Raises Corrupt with one line that says what is wrong: no
        backup, a later release's, cut off, altered, or under another master key."""
        line, head = _head(document)
        if head.get("key") not in self._sealer.key_ids:
            known = ", ".join(self._sealer.key_ids)
            raise Corrupt(f"the backup is sealed under master key {head.get('key')}; here are {known}")
        box, digest = self._sealer.box(PURPOSE), sha256(line).digest()
        at, number, body = len(line), 0, []
        while True:
            length = int.from_bytes(document[at : at + _LENGTH_BYTES], "big")
            piece = document[at + _LENGTH_BYTES : at + _LENGTH_BYTES + length]
            if len(piece) < length or not length:
                raise Corrupt("the backup is cut off: its end is missing")
            at += _LENGTH_BYTES + length
            last = at == len(document)
            body.append(box.open(piece, _bound(digest, number, last), f"piece {number} of the backup"))
            number += 1
            if last:
                return snapshot.Codec().decode(_decompressed(b"".join(body)))


def size_of(value: Any) -> int:
    """How many bytes a value takes in a command."""
    return len(json.dumps(plain(value), separators=(",", ":")))


def _bound(digest: bytes, number: int, last: bool) -> bytes:
    return digest + number.to_bytes(8, "big") + bytes([last])


def _head(document: bytes) -> tuple[bytes, Mapping[str, Any]]:
    end = document.find(b"\n", 0, BACKUP_HEAD_BYTES_MAX) + 1
    magic, line = document[: len(_MAGIC)], document[:end]
    if magic != _MAGIC or not end:
        raise Corrupt("this is no backup of a control state")
    form, _, rest = line.removeprefix(_MAGIC).partition(b" ")
    if form != _FORM:
        raise Corrupt(f"the backup is of form {form.decode(errors='replace')}, of a later release")
    try:
        head = json.loads(rest)
    except ValueError:
        raise Corrupt("the backup's first line is damaged") from None
    if not isinstance(head, dict):
        raise Corrupt("the backup's first line is damaged")
    return line, head


def _decompressed(body: bytes) -> bytes:
    try:
        length = zstandard.get_frame_parameters(body).content_size
        if length > RAFT_SNAPSHOT_BYTES_MAX:
            raise Corrupt(f"the backup holds {length} bytes; {RAFT_SNAPSHOT_BYTES_MAX} are the most")
        document: bytes = zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise Corrupt(f"the backup does not open: {error}") from error
    return document
