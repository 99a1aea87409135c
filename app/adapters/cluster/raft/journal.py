"""The log on disk: what this node promised to remember.

Knows records, checksums and the order of writes; stands where pysyncobj's own journal stood (its method names are the
library's). Must not know elections or networks. A file `journal` of batches, each one write and one fdatasync: magic,
its own offset, length and CRC-32 of its operations, CRC-32 of those four, operations. File `vote`: term and vote.

Only the last batch can have been cut short by a crash, for the one before it was durable before it began. So a batch
that does not verify is forgotten when it is the last one and looks never written (short, or a sector of zeros); any
other is Corrupt: it may hold what was acknowledged.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final, NoReturn, overload

from app.adapters.cluster.raft.codec import Entry
from app.adapters.cluster.raft.contract import Corrupt
from app.adapters.cluster.raft.disk import Disk
from app.adapters.cluster.raft.snapshots import REMEDY

NAME: Final = "journal"
VOTE: Final = "vote"
MAGIC: Final = b"ZAPFRJ01"
_HEAD: Final = struct.Struct("<4sQII")  # magic, offset in the file, length and CRC of the operations
_HEAD_BYTES: Final = _HEAD.size + 4  # and the CRC of that
_BATCH_MAGIC: Final = b"\xf5ZB\x01"
_OPERATION: Final = struct.Struct("<BIQQ")  # kind, length of the command, index, term
_SECTOR: Final = 512
_ADD, _CUT = 1, 2


class Journal:
    """Entries from `first` on, in memory and on disk. Of one thread.

    Changes are in memory at once and durable after `sync`; whoever promises anything that rests on them syncs first.
    `die` is called when the disk fails: what is on it is unknown then, and trying again would only hide it
    (https://www.usenix.org/conference/atc20/presentation/rebello).
    """

    def __init__(self, disk: Disk, die: Callable[[str], NoReturn]) -> None:
        self._disk = disk
        self._die = die
        self._entries: list[Entry] = []
        self._pending: list[bytes] = []
        self._end = 0
        self._term, self._voted = _read_vote(disk)
        data = disk.read(NAME)
        if data is not None:
            self._open(data)

    def exists(self) -> bool:
        """Whether there is a log at all: a node without one never promised anything."""
        return self._end > 0

    def create(self, entries: list[Entry]) -> None:
        """Begin, or begin anew, with these entries (at least one); the file is replaced as a whole."""
        self._entries = list(entries)
        self._rewrite()

    # --- what pysyncobj calls

    def add(self, command: bytes, index: int, term: int) -> None:
        """Add an entry at the end."""
        self._entries.append((command, index, term))
        self._pending.append(_OPERATION.pack(_ADD, len(command), index, term) + command)

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> list[Entry]: ...
    def __getitem__(self, at: int | slice) -> Entry | list[Entry]:
        return self._entries[at]

    def setCurrentTerm(self, term: int, voted_for: str | None) -> None:  # noqa: N802 - the library's name
        """Durable on return: a vote that is forgotten may be given twice."""
        body = json.dumps({"term": term, "voted_for": voted_for}).encode()
        try:
            self._disk.replace(VOTE, b"%08x" % zlib.crc32(body) + body)
        except OSError as error:
            self._die(f"term and vote could not be written: {error}")
        self._term, self._voted = term, voted_for

    def getCurrentTerm(self) -> int:  # noqa: N802
        """The newest term known."""
        return self._term

    def getVotedForNodeId(self) -> str | None:  # noqa: N802
        """Who got this node's vote in that term."""
        return self._voted

    def setRaftCommitIndex(self, index: int) -> None:  # noqa: N802
        """Not kept: a leader tells, and believing an old one would be as safe as believing none."""

    def getRaftCommitIndex(self) -> int:  # noqa: N802
        """The first entry is always committed: a snapshot's, or the one every member began with."""
        return self._entries[0][1]

    def onOneSecondTimer(self) -> None:  # noqa: N802
        """Nothing waits for time here."""

    def _destroy(self) -> None:
        self._disk.close()

    # --- what consensus.py calls

    @property
    def first(self) -> int:
        """The index of the oldest entry kept."""
        return self._entries[0][1]

    @property
    def last(self) -> int:
        """The index of the newest entry."""
        return self._entries[-1][1]

    def entry(self, index: int) -> Entry | None:
        """The entry at `index`; None when it is not kept, or not there yet."""
        at = index - self._entries[0][1]
        return self._entries[at] if 0 <= at < len(self._entries) else None

    def cut(self, index: int) -> None:
        """Forget the entries from `index` on: another leader has others there."""
        del self._entries[index - self.first :]
        self._pending.append(_OPERATION.pack(_CUT, 0, index, 0))

    def forget_before(self, index: int) -> None:
        """Keep the entries from `index` on, in a new file. What is forgotten is in a durable snapshot."""
        if index > self.first:
            self._entries = self._entries[index - self.first :]
            self._rewrite()

    def reset(self, index: int, term: int, head: bytes) -> None:
        """Begin after a snapshot that ends at this entry; keep what follows it only if this log had the same entry."""
        found = self.entry(index)
        if found is not None and found[2] == term:
            self.forget_before(index)
            self.sync()
        else:
            self.create([(head, index, term)])

    def sync(self) -> None:
        """Make all changes durable: one write, one fdatasync, however many there are."""
        if not self._pending:
            return
        batch = _batch(b"".join(self._pending), self._end)
        self._pending.clear()
        try:
            self._disk.append(NAME, batch)
        except OSError as error:
            self._die(f"the Raft journal could not be written: {error}")
        self._end += len(batch)

    # --- files

    def _rewrite(self) -> None:
        self._pending.clear()
        operations = b"".join(_OPERATION.pack(_ADD, len(c), index, term) + c for c, index, term in self._entries)
        data = MAGIC + _batch(operations, len(MAGIC))
        try:
            self._disk.replace(NAME, data)
        except OSError as error:
            self._die(f"the Raft journal could not be rewritten: {error}")
        self._end = len(data)

    def _open(self, data: bytes) -> None:
        if data[: len(MAGIC)] != MAGIC:
            raise Corrupt(f"the Raft journal does not begin as one; {REMEDY}")
        at = len(MAGIC)
        while at < len(data):
            operations = _verified(data, at)
            if operations is None:
                if at == len(MAGIC) or not _never_written(data, at):
                    raise Corrupt(f"the Raft journal is damaged at byte {at} of {len(data)}; {REMEDY}")
                self._disk.truncate(NAME, at)
                break
            self._replay(operations)
            at += _HEAD_BYTES + len(operations)
        self._end = at
        if not self._entries:
            raise Corrupt(f"the Raft journal is empty; {REMEDY}")

    def _replay(self, operations: bytes) -> None:
        for kind, index, term, command in _operations(operations):
            following = self._entries[-1][1] + 1 if self._entries else index
            if kind == _ADD and index == following:
                self._entries.append((command, index, term))
            elif kind == _CUT and self._entries and self._entries[0][1] < index < following:
                del self._entries[index - self._entries[0][1] :]
            else:
                raise Corrupt(f"the Raft journal verifies, but entry {index} does not follow; {REMEDY}")


def _batch(operations: bytes, offset: int) -> bytes:
    head = _HEAD.pack(_BATCH_MAGIC, offset, len(operations), zlib.crc32(operations))
    return head + zlib.crc32(head).to_bytes(4, "little") + operations


def _head(data: bytes, at: int) -> tuple[int, int] | None:
    """Length and CRC of the operations of the batch at an offset; None when there is no head that verifies."""
    head = data[at : at + _HEAD.size]
    if data[at + _HEAD.size : at + _HEAD_BYTES] != zlib.crc32(head).to_bytes(4, "little") or len(head) < _HEAD.size:
        return None
    magic, offset, length, crc = _HEAD.unpack(head)
    return (length, crc) if magic == _BATCH_MAGIC and offset == at and length else None


def _verified(data: bytes, at: int) -> bytes | None:
    """The operations of the batch at an offset; None when it does not verify."""
    head = _head(data, at)
    if head is None:
        return None
    operations = data[at + _HEAD_BYTES : at + _HEAD_BYTES + head[0]]
    return operations if len(operations) == head[0] and zlib.crc32(operations) == head[1] else None


def _never_written(data: bytes, at: int) -> bool:
    """Whether what stands at an offset can be the batch a crash cut short: none follows it, and a part is missing."""
    following = data.find(_BATCH_MAGIC, at + 1)
    while following >= 0:
        if _verified(data, following) is not None:
            return False
        following = data.find(_BATCH_MAGIC, following + 1)
    head = _head(data, at)
    if len(data) - at < _HEAD_BYTES or (head is not None and at + _HEAD_BYTES + head[0] > len(data)):
        return True
    return any(not any(sector) for sector in _sectors(data, at))


def _sectors(data: bytes, at: int) -> Iterator[bytes]:
    """The pieces of sectors from an offset on. A disk writes a sector as a whole."""
    while at < len(data):
        end = (at // _SECTOR + 1) * _SECTOR
        yield data[at:end]
        at = end


def _operations(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    at = 0
    while at < len(data):
        kind, length, index, term = _OPERATION.unpack_from(data, at)
        at += _OPERATION.size
        yield kind, index, term, data[at : at + length]
        at += length


def _read_vote(disk: Disk) -> tuple[int, str | None]:
    data = disk.read(VOTE)
    if data is None:
        return 0, None
    if data[:8] != b"%08x" % zlib.crc32(data[8:]):
        raise Corrupt(f"the Raft vote file does not verify; {REMEDY}")
    body = json.loads(data[8:])
    return body["term"], body["voted_for"]
