"""Receiving a body into chunk buffers, as it comes or sealed on the way; hashed beside.

Knows slices, staging and the order receive -> digest -> seal -> name. Must not know stores or references.

What is sealed is received into a staging slice, because its plaintext is still being hashed while it is sealed into the
chunk. Two staging slices and two chunks of SEALED_CHUNK_FRAMES fit the two chunk buffers a body may hold.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from app.core import limits
from app.core.body import Body
from app.core.errors import S3Error
from app.core.sealing.frames import FRAME_BYTES, Frames, stored_size
from app.services.call import Call
from app.services.content.digesting import Digesting

_SEALED_CHUNK_BYTES: Final = limits.SEALED_CHUNK_FRAMES * FRAME_BYTES
_SEALED_SLICE_BYTES: Final = limits.SEALED_SLICE_FRAMES * FRAME_BYTES
_STORED_CHUNK_BYTES: Final = stored_size(_SEALED_CHUNK_BYTES)
_PAGE: Final = limits.RECORD_ALIGN_BYTES
_STORED_CHUNK_ROOM: Final = -(-_STORED_CHUNK_BYTES // _PAGE) * _PAGE  # whole pages: both may be written directly


class Receiver(Protocol):
    """How one body of known size becomes stored bytes."""

    stored_size: int
    """Bytes of the whole content as stored."""
    buffer_size: int
    """Bytes of buffer the body needs, at most 2 * CHUNK_BYTES_MAX; inline bodies need none."""

    def chunks(self, buffer: memoryview) -> Sequence[memoryview]:
        """Every chunk in order as the part of `buffer` it is to be received into; neighbours never overlap."""

    def inline(self, body: Body, digesting: Digesting) -> bytes:
        """The whole content, small."""

    def receive(self, body: Body, digesting: Digesting, chunk: memoryview, call: Call) -> None:
        """Fill the next chunk with stored bytes, digesting what came and naming what is stored."""


class PlainReceiver:
    """Stored as it comes. See Receiver."""

    def __init__(self, size: int) -> None:
        self.stored_size = size
        self.buffer_size = size if size <= limits.CHUNK_BYTES_MAX else 2 * limits.CHUNK_BYTES_MAX

    def chunks(self, buffer: memoryview) -> Sequence[memoryview]:
        return _places(buffer, self.stored_size, limits.CHUNK_BYTES_MAX, limits.CHUNK_BYTES_MAX)

    def inline(self, body: Body, digesting: Digesting) -> bytes:
        data = bytearray(self.stored_size)
        view = memoryview(data)
        _fill(body, view)
        digesting.update(view, in_chunk=False)
        return bytes(data)

    def receive(self, body: Body, digesting: Digesting, chunk: memoryview, call: Call) -> None:
        for start in range(0, len(chunk), limits.SLICE_BYTES):
            piece = chunk[start : start + limits.SLICE_BYTES]
            with call.stages.timed("receive"):
                _fill(body, piece)
            digesting.update(piece, in_chunk=True)


class SealingReceiver:
    """Stored as frames. See Receiver."""

    def __init__(self, size: int, frames: Frames) -> None:
        self.stored_size = stored_size(size)
        self._frames = frames
        self._left = size
        self._next = 0  # index of the next frame
        self._staging: Sequence[memoryview] = ()
        whole = size <= _SEALED_CHUNK_BYTES
        self._chunks_bytes = self.stored_size if whole else 2 * _STORED_CHUNK_ROOM
        self.buffer_size = self._chunks_bytes + min(size, 2 * _SEALED_SLICE_BYTES)

    def chunks(self, buffer: memoryview) -> Sequence[memoryview]:
        start = self._chunks_bytes
        ends = (start, start + _SEALED_SLICE_BYTES)
        self._staging = [buffer[end : end + _SEALED_SLICE_BYTES] for end in ends]
        return _places(buffer, self.stored_size, _STORED_CHUNK_BYTES, _STORED_CHUNK_ROOM)

    def inline(self, body: Body, digesting: Digesting) -> bytes:
        plain = memoryview(bytearray(self._left))
        _fill(body, plain)
        digesting.update(plain, in_chunk=False)
        sealed = bytearray(self.stored_size)
        self._frames.seal(0, plain, memoryview(sealed))
        digesting.wait()
        return bytes(sealed)

    def receive(self, body: Body, digesting: Digesting, chunk: memoryview, call: Call) -> None:
        filled = 0
        while filled < len(chunk):
            piece = self._staging[self._next // limits.SEALED_SLICE_FRAMES & 1][: self._left]
            with call.stages.timed("receive"):
                _fill(body, piece)
            digesting.update(piece, in_chunk=False)  # returns when nobody reads the other staging slice any more
            with call.stages.timed("seal"):
                count = self._frames.seal(self._next, piece, chunk[filled:])
            digesting.name(chunk[filled : filled + count])
            filled += count
            self._left -= len(piece)
            self._next += limits.SEALED_SLICE_FRAMES


def receiver_of(size: int, frames: Frames | None) -> Receiver:
    """The receiver of a body of `size` bytes, sealed when `frames` are given."""
    return PlainReceiver(size) if frames is None else SealingReceiver(size, frames)


def _places(buffer: memoryview, size: int, chunk_bytes: int, room: int) -> Sequence[memoryview]:
    """Chunks of a content of `size` stored bytes, at the buffer's start and `room` bytes after it by turns."""
    lengths = [min(chunk_bytes, size - start) for start in range(0, size, chunk_bytes)]
    return [buffer[(index & 1) * room :][:length] for index, length in enumerate(lengths)]


def _fill(body: Body, view: memoryview) -> None:
    if len(view) and body.receive(view) != len(view):
        raise S3Error("IncompleteBody")
