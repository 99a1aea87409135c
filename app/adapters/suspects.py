"""The suspects' desks: a file the workers of a file host write and its keeper takes from, and the way there from afar.

Knows files of ids and blob routes. Telling is best effort: nothing here blocks, raises or is durable.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from app.adapters.chunks.hosts import Hosts
from app.core.blob_wire import ID_BYTES, ROOT
from app.core.cluster_limits import SUSPECTS_BATCH, SUSPECTS_MAX
from app.core.errors import StoreError
from app.core.layout.blob_ids import blob_of
from app.core.layout.placement import Placement
from app.core.types import BlobId


class FileSuspects:
    """app.ports.suspects.Suspects over an append-only file; `take` is for the one keeper of the node.

    Of any number of processes: an append of whole ids is one write. When the file is full it is put aside, and with it
    goes what was put aside before: the oldest is forgotten.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_suffix(".aside")
        self._taken: dict[BlobId, None] = {}

    def report(self, blob_ids: Sequence[BlobId], why: str) -> None:
        """See Suspects. `why` is left to the log of whoever found it."""
        data = b"".join(blob_of(blob_id) for blob_id in blob_ids[:SUSPECTS_MAX])
        with suppress(OSError):
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, data)
                full = os.fstat(fd).st_size >= SUSPECTS_MAX * ID_BYTES // 2
            finally:
                os.close(fd)
            if full:
                self._path.replace(self._aside)

    def take(self, limit: int) -> list[BlobId]:
        """At most `limit` blobs, oldest first, each once; they are forgotten here."""
        if len(self._taken) < limit:
            for path in (self._aside, self._path):
                self._gather(path)
        taken = list(islice(self._taken, limit))
        for blob_id in taken:
            del self._taken[blob_id]
        return taken

    def _gather(self, path: Path) -> None:
        mine = path.with_suffix(".taken")
        with suppress(OSError):
            path.replace(mine)
            data = mine.read_bytes()
            mine.unlink()
            for at in range(0, len(data) - ID_BYTES + 1, ID_BYTES):
                self._taken[data[at : at + ID_BYTES]] = None
        while len(self._taken) > SUSPECTS_MAX:
            del self._taken[next(iter(self._taken))]


class RemoteSuspects:
    """app.ports.suspects.Suspects of a gateway: told to the host that leads the blob's group, or the next that is up.

    `tell` is to be called every SUSPECTS_TELL_SECONDS. What cannot be told is forgotten: the groups' sweeps find it.
    """

    def __init__(self, placement: Callable[[], Placement], hosts: Hosts) -> None:
        self._placement = placement
        self._hosts = hosts
        self._waiting: deque[tuple[BlobId, str]] = deque(maxlen=SUSPECTS_MAX)

    def report(self, blob_ids: Sequence[BlobId], why: str) -> None:
        """See Suspects."""
        self._waiting.extend((blob_of(blob_id), why) for blob_id in blob_ids)

    def tell(self) -> None:
        """Tell what waits, a batch for each host at a time."""
        waiting, self._waiting = self._waiting, deque(maxlen=SUSPECTS_MAX)
        batches: dict[tuple[tuple[str, ...], str], dict[BlobId, None]] = {}
        for blob_id, why in waiting:
            batches.setdefault((self._leaders(blob_id), why), {})[blob_id] = None
        for (addresses, why), found in batches.items():
            blob_ids = list(found)
            for start in range(0, len(blob_ids), SUSPECTS_BATCH):
                self._told(addresses, why, b"".join(blob_ids[start : start + SUSPECTS_BATCH]))

    def _leaders(self, blob_id: BlobId) -> tuple[str, ...]:
        """Addresses of the homes' hosts, in order: the first that is up leads the group."""
        placement = self._placement()
        homes = [placement.devices[number] for number in placement.homes(blob_id) if number in placement.devices]
        nodes = [placement.nodes[device.node_id] for device in homes if device.node_id in placement.nodes]
        return tuple(dict.fromkeys(node.address for node in nodes if node.address))

    def _told(self, addresses: tuple[str, ...], why: str, body: bytes) -> None:
        for address in addresses:
            with suppress(StoreError):
                self._hosts.peer(address).call("POST", f"{ROOT}/suspects?why={why}", body)
                return
