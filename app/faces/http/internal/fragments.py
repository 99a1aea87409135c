"""The blob routes: fragments stored, read, listed, deleted and verified on the devices of this host.

Knows the wire and the promise of a device. Must not know layouts, or who is a member (asking.py). Nothing is stored
before every byte of it has come and its checksum held; bytes that go out bear the checksums of their blocks.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final

from app.core import cluster_limits, limits
from app.core.auth.cluster_secret import CHECKSUM_HEADER
from app.core.blob_wire import BLOCKS_HEADER, ID_BYTES, SIZE_HEADER, blocks_around, checksum, packed_names, unpacked_ids
from app.core.errors import Unavailable
from app.core.types import Piece
from app.faces.http.internal.asking import Asking, Refusal
from app.faces.http.wire import Request, Response
from app.ports.chunks import BlobName
from app.ports.hosting import HostedDevice, Hung
from app.ports.suspects import Suspects
from app.runtime.buffers import BufferPool
from app.runtime.offload import Offload

Handler = Callable[[Request, Asking], Response]
_LIST_BYTES_MAX: Final = cluster_limits.FRAGMENT_NAMES_MAX * ID_BYTES
_WHY: Final = frozenset({"missing", "corrupt", "unreachable", "partial"})


class Fragments:
    """One per process. `devices`: by id, those of this host. `is_out`: whether one is no part of the cluster any more:
    it takes nothing then, as a gateway that has not heard so would count it towards its quorum."""

    def __init__(
        self,
        devices: Mapping[str, HostedDevice],
        suspects: Suspects,
        buffers: BufferPool,
        offload: Offload,
        is_out: Callable[[str], bool] = lambda device_id: False,
    ) -> None:
        self._devices = devices
        self._suspects = suspects
        self._buffers = buffers
        self._offload = offload
        self._is_out = is_out

    def handlers(self) -> dict[str, Handler]:
        """By method and verb."""
        return {
            "PUT fragment": self.put,
            "GET fragment": self.get,
            "HEAD fragment": self.head,
            "DELETE fragment": self.delete,
            "POST verify": self.verify,
            "POST held": self.held,
            "POST delete": self.delete_many,
            "GET names": self.names,
            "GET stats": self.stats,
            "GET status": self.status,
            "POST suspects": self.suspects,
        }

    def put(self, request: Request, asking: Asking) -> Response:
        """201 once the fragment is durable."""
        device = self._device(asking)
        if self._is_out(asking.device_id):
            raise Unavailable(f"device {asking.device_id} is out of the cluster")
        name = BlobName(asking.fragment_id, asking.bytes_of("chunk", (32,)), asking.bytes_of("ref", (16,)))
        length = _length(request, cluster_limits.FRAGMENT_BYTES_MAX)
        if not length:
            raise Refusal(400, "a fragment has at least one byte")
        buffer = self._buffers.take(length)
        view = buffer.view[:length]
        try:
            self._receive(request, view)
            device.put(name, view)
        except Hung as hung:
            hung.over(buffer.give_back)  # until then the device may still read it
            raise
        except BaseException:
            buffer.give_back()
            raise
        buffer.give_back()
        return Response(201)

    def get(self, request: Request, asking: Asking) -> Response:
        """The whole blocks around a range, verified here and again by who asked; all of it without a range."""
        size = asking.number("size", cluster_limits.FRAGMENT_BYTES_MAX)
        reader = self._device(asking).open(asking.fragment_id, size)
        try:
            offset = asking.number("offset", reader.length)
            length = asking.number("length", reader.length - offset) or reader.length - offset
            start, stop = blocks_around(offset, length, reader.length)
            headers = [
                (SIZE_HEADER, str(reader.length)),
                (BLOCKS_HEADER, reader.checksums(start, stop - start).hex()),
                ("Content-Type", "application/octet-stream"),
            ]
            piece: Piece | None = reader.span(start, stop - start)
            if piece is None:
                piece = reader.read(start, stop - start)
        except BaseException:
            reader.close()
            raise
        return Response(200, headers, (piece,), stop - start, reader.close)

    def head(self, request: Request, asking: Asking) -> Response:
        """Its size."""
        with self._device(asking).open(asking.fragment_id) as reader:
            return Response(200, [(SIZE_HEADER, str(reader.length))])

    def delete(self, request: Request, asking: Asking) -> Response:
        """204 when it is gone, 503 when readers hold it."""
        if not self._device(asking).delete_many([asking.fragment_id])[0]:
            raise Unavailable("readers hold the fragment")
        return Response(204)

    def verify(self, request: Request, asking: Asking) -> Response:
        """Every byte read from the device; its size."""
        return Response(200, [(SIZE_HEADER, str(self._device(asking).verify(asking.fragment_id)))])

    def held(self, request: Request, asking: Asking) -> Response:
        """One byte for each id asked about: 1 or 0."""
        device = self._device(asking)
        return _held_answer(bytes(device.held(self._ids(request))))

    def delete_many(self, request: Request, asking: Asking) -> Response:
        """One byte for each id: 1 when it is gone, 0 when readers hold it."""
        device = self._device(asking)
        return _held_answer(bytes(device.delete_many(self._ids(request))))

    def names(self, request: Request, asking: Asking) -> Response:
        """A page of names, NAME_BYTES each."""
        any_prefix = tuple(range(ID_BYTES + 1))
        first, end = asking.bytes_of("first", any_prefix), asking.bytes_of("end", any_prefix)
        limit = asking.number("limit", cluster_limits.FRAGMENT_NAMES_MAX)
        found = self._device(asking).page(first, end or None, asking.bytes_of("after", (0, ID_BYTES)), limit)
        return _held_answer(packed_names((name.blob_id, name.chunk_id, name.ref_id) for name in found))

    def stats(self, request: Request, asking: Asking) -> Response:
        """See ports.chunks.ChunkStoreStats, as JSON."""
        return _held_answer(json.dumps(asdict(self._device(asking).stats())).encode())

    def status(self, request: Request, asking: Asking) -> Response:
        """How the devices fare, as this process knows; JSON by device id."""
        return _held_answer(json.dumps({key: asdict(each.health()) for key, each in self._devices.items()}).encode())

    def suspects(self, request: Request, asking: Asking) -> Response:
        """Blobs somebody found short, for the keeper of this host."""
        why = asking.query.get("why", "")
        if why not in _WHY:
            raise Refusal(400, "why is none of " + ", ".join(sorted(_WHY)))
        self._suspects.report(self._ids(request), why)
        return Response(204)

    def _device(self, asking: Asking) -> HostedDevice:
        device = self._devices.get(asking.device_id)
        if device is None:
            raise Unavailable(f"this host has no device {asking.device_id}")
        return device

    def _ids(self, request: Request) -> list[bytes]:
        view = memoryview(bytearray(_length(request, _LIST_BYTES_MAX)))
        self._receive(request, view)
        try:
            return unpacked_ids(bytes(view))
        except ValueError as error:
            raise Refusal(400, str(error)) from None

    def _receive(self, request: Request, view: memoryview) -> None:
        """The whole body, its checksum compared. Raises Refusal, and S3Error for one that is cut short."""
        if request.body.receive(view) != len(view):
            raise Refusal(400, "the body is shorter than was said")
        large = len(view) > 4 * limits.BLOCK_BYTES
        found = self._offload.call(checksum, view) if large else checksum(view)
        if found != request.headers.get(CHECKSUM_HEADER, ""):
            raise Refusal(400, "the body was damaged on its way: its checksum is another")


def _length(request: Request, most: int) -> int:
    declared = request.headers.get("content-length", "")
    if not (declared.isascii() and declared.isdigit()):
        raise Refusal(411, "the body's length is not told")
    if int(declared) > most:
        raise Refusal(413, f"a body has at most {most} bytes here")
    return int(declared)


def _held_answer(body: bytes) -> Response:
    return Response(200, [(CHECKSUM_HEADER, checksum(body))], (body,), len(body))
