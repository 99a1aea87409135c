"""The ChunkStore of a gateway: chunks as copies or fragments on the devices of a cluster.

Knows which room does what. What is durable when: writing.py; who is asked when something is lost: reading.py.
"""

from collections.abc import Iterator

from app.core import cluster_limits, limits
from app.core.types import BlobId
from app.ports.chunks import BlobName, ChunkStoreStats
from app.services.placing import erasing
from app.services.placing.budget import Budget
from app.services.placing.ground import Ground
from app.services.placing.holders import Holders
from app.services.placing.homes import profile_and_homes
from app.services.placing.lately import Hedges, Lately
from app.services.placing.reading import CodedReader, CopyReader, PlacedReader
from app.services.placing.writing import Writer


class PlacedStore:
    """app.ports.chunks.ChunkStore over devices. One per worker process; the devices belong to who made them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._writer = Writer(ground)
        self._ahead = Budget(cluster_limits.READ_AHEAD_BYTES_MAX, wait_seconds_max=0)
        self._waited = Lately(ground.now_s), Hedges()
        self._room = erasing.Room(ground)

    def put(self, name: BlobName, data: memoryview) -> None:
        """See ChunkStore: on return a write quorum of distinct devices holds the chunk durably. Full when every device
        tried is, Unavailable below the quorum, Conflict for an id used before; then nothing of this put stays."""
        self._writer.put(name, data)

    def open(self, blob_id: BlobId, length: int = 0) -> PlacedReader:
        """See ChunkStore. `length` must be given; nothing is asked before the first read, which raises Missing when
        every device of the cluster answered that it has nothing of the blob."""
        if not 0 < length <= limits.CHUNK_BYTES_MAX:
            raise ValueError("a placed chunk is opened with its length")
        placement = self._ground.placement()
        profile, _ = profile_and_homes(placement, blob_id)
        holders = Holders(self._ground, self._waited, placement, profile, blob_id)
        reader = CodedReader if profile.erasure else CopyReader
        return reader(holders, length, self._ahead)

    def delete(self, blob_id: BlobId) -> bool:
        """See ChunkStore."""
        return self.delete_many([blob_id])[0]

    def delete_many(self, blob_ids: list[BlobId]) -> list[bool]:
        """See ChunkStore."""
        return erasing.delete_many(self._ground, blob_ids)

    def names(self) -> Iterator[BlobName]:
        """See ChunkStore."""
        return erasing.names(self._ground)

    def maintain(self) -> int:
        """0: the hosts look after their own devices."""
        return 0

    def stats(self) -> ChunkStoreStats:
        """See ChunkStore; fragments are counted, and bytes as they lie on devices."""
        return erasing.stats(self._ground)

    def room(self) -> int:
        """See ChunkStore; a few seconds old, of all devices together, before redundancy."""
        return self._room.bytes_free(self._ground.now_s())

    def close(self) -> None:
        """Wait for puts that go on in the background."""
        self._writer.close()
