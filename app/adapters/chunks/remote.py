"""A device of another node: the DeviceStore port over its host's blob routes.

Knows what the routes say (core/blob_wire). Must not know sockets, or which devices there are. Every byte that comes is
verified here against the checksums that lie with its record on the device.
"""

import json
from collections.abc import Sequence
from urllib.parse import urlencode

from app.adapters.chunks.peer import Answer, Peer, Repeated, verified_body
from app.core import blob_wire
from app.core.blob_wire import BLOCKS_HEADER, ROOT, SIZE_HEADER, blocks_around, checksum
from app.core.checksums import block_checksums
from app.core.cluster_limits import FRAGMENT_BYTES_MAX, FRAGMENT_NAMES_MAX
from app.core.errors import Corrupt, Unavailable
from app.core.limits import BLOCK_BYTES
from app.core.types import BlobId, FileSpan
from app.ports.chunks import BlobName, ChunkStoreStats
from app.runtime.offload import Offload

_INLINE_BYTES_MAX = 4 * BLOCK_BYTES  # what costs less to hash than to hand to a native thread
_DIGITS_MAX = 19  # of a size


class RemoteDevice:
    """app.ports.devices.DeviceStore. `peer` is shared with the other devices of the host, and its owner's."""

    def __init__(self, device_id: str, peer: Peer, offload: Offload) -> None:
        self.device_id = device_id
        self._root = f"{ROOT}/{device_id}"
        self._peer = peer
        self._offload = offload

    def put(self, name: BlobName, data: memoryview) -> None:
        """See DeviceStore. The checksum of all its bytes travels with them."""
        if not 0 < len(data) <= FRAGMENT_BYTES_MAX:
            raise ValueError(f"a fragment has 1 to {FRAGMENT_BYTES_MAX} bytes, not {len(data)}")
        said = checksum(data) if len(data) <= _INLINE_BYTES_MAX else self._offload.call(checksum, data)
        target = f"{self._at(name.blob_id)}?chunk={name.chunk_id.hex()}&ref={name.ref_id.hex()}"
        try:
            self._peer.call("PUT", target, data, said)
        except Repeated:
            return  # the first sending got through: ids are never reused, so what is there is the same

    def open(self, blob_id: BlobId, length: int = 0) -> "RemoteReader":
        """See DeviceStore. Asks now only when the length is not known."""
        return RemoteReader(self, blob_id, length or _size(self._peer.call("HEAD", self._at(blob_id))))

    def whole(self, fragment_id: BlobId) -> memoryview:
        """See DeviceStore."""
        answer = self._peer.call("GET", self._at(fragment_id))
        return self._verified(answer, _size(answer))

    def read(self, fragment_id: BlobId, offset: int, length: int, size: int) -> memoryview:
        """Verified bytes of a fragment of `size` bytes. Missing, Corrupt, Unavailable."""
        target = f"{self._at(fragment_id)}?offset={offset}&length={length}&size={size}"
        answer = self._peer.call("GET", target)
        start, stop = blocks_around(offset, length, size)
        if _size(answer) != size:
            raise Corrupt(f"a fragment of {_size(answer)} bytes where {size} belong")
        return self._verified(answer, stop - start)[offset - start : offset - start + length]

    def delete_many(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        """See DeviceStore."""
        return self._flags("delete", fragment_ids)

    def held(self, fragment_ids: Sequence[BlobId]) -> list[bool]:
        """See DeviceStore."""
        return self._flags("held", fragment_ids)

    def page(self, first: bytes, end: bytes | None, after: BlobId, limit: int) -> list[BlobName]:
        """See DeviceStore."""
        names: list[BlobName] = []
        while len(names) < limit:
            wanted = min(limit - len(names), FRAGMENT_NAMES_MAX)
            query = {"first": first.hex(), "end": (end or b"").hex(), "after": after.hex(), "limit": wanted}
            answer = self._peer.call("GET", f"{self._root}/names?{urlencode(query)}")
            try:
                found = [BlobName(*name) for name in blob_wire.unpacked_names(verified_body(answer))]
            except ValueError as error:
                raise Unavailable(f"a host's answer is none: {error}") from error
            names += found
            if len(found) < wanted:
                break
            after = found[-1].blob_id
        return names

    def verify(self, fragment_id: BlobId) -> int:
        """See DeviceStore: the host reads, nothing comes here."""
        return _size(self._peer.call("POST", f"{self._at(fragment_id)}/verify"))

    def stats(self) -> ChunkStoreStats:
        """See DeviceStore."""
        answer = verified_body(self._peer.call("GET", f"{self._root}/stats"))
        try:
            return ChunkStoreStats(**json.loads(answer))
        except (ValueError, TypeError, RecursionError) as error:
            raise Unavailable(f"a host's answer is none: {type(error).__name__}") from error

    def close(self) -> None:
        """Nothing is held."""

    def _at(self, fragment_id: BlobId) -> str:
        return f"{self._root}/{fragment_id.hex()}"

    def _flags(self, what: str, fragment_ids: Sequence[BlobId]) -> list[bool]:
        flags: list[bool] = []
        for start in range(0, len(fragment_ids), FRAGMENT_NAMES_MAX):
            asked = fragment_ids[start : start + FRAGMENT_NAMES_MAX]
            answer = verified_body(self._peer.call("POST", f"{self._root}/{what}", b"".join(asked)))
            if len(answer) != len(asked):
                raise Unavailable(f"a host answered for {len(answer)} fragments of {len(asked)}")
            flags += [bool(flag) for flag in answer]
        return flags

    def _verified(self, answer: Answer, length: int) -> memoryview:
        """Bytes of whole blocks, compared with the checksums that came along."""
        body = answer.body
        if len(body) != length:
            raise Corrupt(f"{len(body)} bytes of a fragment came where {length} belong")
        small = len(body) <= _INLINE_BYTES_MAX
        found = block_checksums(body) if small else self._offload.call(block_checksums, body)
        if found.hex() != answer.head.headers.get(BLOCKS_HEADER, ""):
            raise Corrupt("bytes of a fragment were damaged between its device and here")
        return body


class RemoteReader:
    """app.ports.chunks.ChunkReader that asks when it is read. There are no file spans."""

    __slots__ = ("_device", "_fragment_id", "length")

    def __init__(self, device: RemoteDevice, fragment_id: BlobId, length: int) -> None:
        self._device: RemoteDevice | None = device
        self._fragment_id = fragment_id
        self.length = length

    def read(self, offset: int, length: int) -> memoryview:
        """See ChunkReader."""
        device = self._checked(offset, length)
        return device.read(self._fragment_id, offset, length, self.length) if length else memoryview(b"")

    def span(self, offset: int, length: int) -> FileSpan | None:
        """None: the file is elsewhere."""
        self._checked(offset, length)
        return None

    def close(self) -> None:
        """Idempotent."""
        self._device = None

    def __enter__(self) -> "RemoteReader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _checked(self, offset: int, length: int) -> RemoteDevice:
        if self._device is None:
            raise ValueError("the reader is closed")
        if offset < 0 or length < 0 or offset + length > self.length:
            raise ValueError(f"[{offset}, {offset + length}) is not within a fragment of {self.length} bytes")
        return self._device


def _size(answer: Answer) -> int:
    text = answer.head.headers.get(SIZE_HEADER, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise Unavailable("a host's answer does not tell the fragment's size")
    return int(text)
