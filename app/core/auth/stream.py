"""The aws-chunked body: frames of content, each perhaps signed, and trailers after the last.

Knows the framing and verifies its signatures. Content goes from the source straight into the caller's buffer; only the
heads of frames pass through a small read-ahead. Must not know sockets, headers (payload reads them) or what trailers
mean (app/core/integrity judges their checksums).

Content is delivered before its frame's signature was seen, so it may become visible only after `receive` returned the
last of it: that call, and no other, has verified everything up to the end of the body.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

import re
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from app.core.auth import canonical
from app.core.auth.payload import EMPTY_SHA256, Framing
from app.core.auth.sigv4 import Seed
from app.core.body import Body
from app.core.checksums import Hasher
from app.core.errors import S3Error
from app.core.limits import (
    AWS_FRAME_BYTES_MAX,
    AWS_FRAME_BYTES_MIN,
    AWS_READ_AHEAD_BYTES,
    CHUNK_HEAD_BYTES_MAX,
    TRAILER_BYTES_MAX,
)

HashUpdate = Callable[[Hasher, memoryview], None]
"""Feeds bytes to a hasher, perhaps in another thread; returns when the buffer was consumed."""

_HEAD_SIGNED: Final = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})\r\n")
_HEAD_PLAIN: Final = re.compile(rb"([0-9a-fA-F]{1,16})\r\n")
_TRAILER: Final = re.compile(rb"([A-Za-z0-9-]+):[ ]?([!-~]+)\r?\n")
_SIGNATURE_NAME: Final = "x-amz-trailer-signature"


def _update(hasher: Hasher, view: memoryview) -> None:
    hasher.update(view)


class AwsChunkedBody:
    """A Body that decodes another one.

    `length`: bytes of content still to come. `announced`: the trailers the request named, in lower case; no others are
    taken. `seed`: where the chain of signatures begins; a signed framing without one (the caller is anonymous, or
    signed by another version) raises S3Error InvalidRequest.
    """

    def __init__(
        self,
        source: Body,
        decoded_length: int,
        framing: Framing,
        seed: Seed | None = None,
        *,
        announced: frozenset[str] = frozenset(),
        hash_update: HashUpdate = _update,
    ) -> None:
        if framing.signed and seed is None:
            text = "Signed chunks are accepted only in a request signed by AWS4-HMAC-SHA256."
            raise S3Error("InvalidRequest", text)
        self.length: int = decoded_length
        self.trailers: dict[str, str] = {}
        self.ended = False
        self._source = source
        self._framing = framing
        self._announced = announced
        self._chain = _Chain(seed, hash_update) if framing.signed and seed is not None else None
        self._ahead = _ReadAhead(source)
        self._frame_left = 0
        self._frame_size = 0  # of the frame before the next head; 0 before the first
        self._broken = False

    def receive(self, view: memoryview) -> int:
        """Fill `view` with content, see Body. The call that delivers the last byte also reads and verifies the end of
        the body, and sets `ended` and `trailers`; an empty content takes one call.

        Raises S3Error IncompleteBody (truncated, or not the length declared), InvalidRequest (malformed),
        InvalidChunkSizeError, SignatureDoesNotMatch, MalformedTrailerError, and what the source raises. After an error
        every further call raises.
        """
        if self._broken:
            raise S3Error("IncompleteBody", reason="the body was read on after a failure")
        self._broken = True
        filled = 0
        while filled < len(view) and self.length:
            if self._frame_left == 0:
                self._open_frame()
            room = view[filled : filled + min(len(view) - filled, self._frame_left)]
            self._ahead.take(room)
            filled += len(room)
            self._account(room)
        if self.length == 0 and not self.ended:
            self._finish()
        self._broken = False
        return filled

    def _account(self, received: memoryview) -> None:
        """Count content of the open frame; at its end the signature is judged."""
        self.length -= len(received)
        self._frame_left -= len(received)
        if self._chain is not None:
            self._chain.update(received)
            if self._frame_left == 0:
                self._chain.close_frame()

    def _open_frame(self) -> None:
        size = self._head()
        if size == 0 or size > self.length:
            raise S3Error("IncompleteBody", reason="the frames do not hold the decoded length declared")
        # Only signed frames are bounded: their content waits for a verdict at the frame's end.
        if self._chain is not None and size > AWS_FRAME_BYTES_MAX:
            raise S3Error("InvalidRequest", "A chunk of the aws-chunked body is too large.")
        self._frame_size = self._frame_left = size

    def _head(self) -> int:
        """Read the head of the next frame; its size. The frame before it must have been of lawful size."""
        if self._frame_size:
            self._expect_line_end()
        line = self._ahead.line()
        match = (_HEAD_PLAIN if self._chain is None else _HEAD_SIGNED).fullmatch(line)
        if match is None:
            raise S3Error("InvalidRequest", "The aws-chunked body is malformed.", reason="bad frame head")
        size = int(match[1], 16)
        if size and 0 < self._frame_size < AWS_FRAME_BYTES_MIN:
            fields = {"BadChunkSize": str(self._frame_size)}
            raise S3Error("InvalidChunkSizeError", fields=fields)
        if self._chain is not None:
            self._chain.open_frame(match[2].decode())
        return size

    def _expect_line_end(self) -> None:
        if self._ahead.line() != b"\r\n":
            raise S3Error("InvalidRequest", "The aws-chunked body is malformed.", reason="no line end after a frame")

    def _finish(self) -> None:
        """Read the zero frame, the trailers and the end of the source."""
        if self._head() != 0:
            raise S3Error("IncompleteBody", reason="the frames hold more than the decoded length declared")
        if self._chain is not None:
            self._chain.close_frame()
        tail = self._ahead.rest(TRAILER_BYTES_MAX)
        if not tail:
            raise S3Error("IncompleteBody", reason="the body ends inside its last frame")
        if not self._framing.trailing or not self._announced:
            if tail != b"\r\n":
                raise S3Error("InvalidRequest", "The aws-chunked body is malformed.", reason="bytes after the end")
        else:
            self._take_trailers(tail)
        self.ended = True

    def _take_trailers(self, tail: bytes) -> None:
        """Split the trailers; exactly those announced. Signed ones are covered by their own signature, the last."""
        lines = tail.splitlines(keepends=True)
        signature = self._split(lines) if self._chain is not None else ""
        fields = _fields(lines)
        if fields.keys() != self._announced:
            raise S3Error("MalformedTrailerError", reason="the trailers are not those announced")
        if self._chain is not None:
            signed = b"".join(line.rstrip(b"\r\n") + b"\n" for line in lines if line != b"\r\n")
            self._chain.close_trailer(signed, signature)
        self.trailers = fields

    @staticmethod
    def _split(lines: list[bytes]) -> str:
        """Take the signature's line and the blank one after it off the lines of a signed trailer."""
        found = _fields(lines[-2:])
        if len(lines) < 3 or found.keys() != {_SIGNATURE_NAME}:
            raise S3Error("MalformedTrailerError", reason="the trailers are not signed")
        # The signature is the last field; the blank line that ends the trailers stays.
        del lines[-2]
        return found[_SIGNATURE_NAME]


def _fields(lines: list[bytes]) -> dict[str, str]:
    """Trailer fields by lower-case name; a blank line ends them.

    One more blank line is let pass: minio-go ends its last field by a bare line feed and writes the blank line twice.
    """
    blanks = 0
    fields = {}
    for line in lines:
        if line == b"\r\n":
            blanks += 1
            continue
        match = _TRAILER.fullmatch(line)
        name = match[1].decode().lower() if match else ""
        if match is None or blanks or name in fields:
            raise S3Error("MalformedTrailerError", reason="a malformed or repeated trailer")
        fields[name] = match[2].decode()
    if not 1 <= blanks <= 2:
        raise S3Error("MalformedTrailerError", reason="the trailers do not end")
    return fields


class _Chain:
    """The chain of signatures: each covers its frame and the signature before it."""

    def __init__(self, seed: Seed, hash_update: HashUpdate) -> None:
        self._seed = seed
        self._previous = seed.signature
        self._claimed = ""
        self._update = hash_update
        self._hasher = sha256()

    def open_frame(self, claimed: str) -> None:
        self._claimed = claimed
        self._hasher = sha256()

    def update(self, view: memoryview) -> None:
        self._update(self._hasher, view)

    def close_frame(self) -> None:
        self._judge("PAYLOAD", f"{EMPTY_SHA256}\n{self._hasher.hexdigest()}")

    def close_trailer(self, signed: bytes, claimed: str) -> None:
        self._claimed = claimed
        self._judge("TRAILER", sha256(signed).hexdigest())

    def _judge(self, kind: str, hashed: str) -> None:
        seed = self._seed
        text = f"{canonical.ALGORITHM}-{kind}\n{seed.timestamp}\n{seed.scope}\n{self._previous}\n{hashed}"
        computed = canonical.sign(seed.key, text)
        if not compare_digest(computed, self._claimed):
            raise S3Error("SignatureDoesNotMatch", reason="the signature of a frame or trailer")
        self._previous = computed


class _ReadAhead:
    """A little of the source, read before it was asked for, so that heads can be searched for their line end.

    A small body is read whole at once; of a larger one at most CHUNK_HEAD_BYTES_MAX bytes at a time pass through here.
    """

    def __init__(self, source: Body) -> None:
        self._source = source
        self._buffer = bytearray()
        self._start = 0
        self._ended = False

    def take(self, view: memoryview) -> None:
        """Fill the whole view, from what was read ahead and then from the source. Raises S3Error IncompleteBody."""
        ahead = min(len(view), len(self._buffer) - self._start)
        if ahead:
            view[:ahead] = memoryview(self._buffer)[self._start : self._start + ahead]
            self._start += ahead
        if ahead < len(view) and self._receive(view[ahead:]) < len(view) - ahead:
            raise S3Error("IncompleteBody", reason="the body ends inside a frame")

    def line(self) -> bytes:
        """The next line with its line feed, at most CHUNK_HEAD_BYTES_MAX bytes. Raises S3Error."""
        end = self._buffer.find(b"\n", self._start)
        if end < 0:
            self._more()
            end = self._buffer.find(b"\n", self._start)
        size = end + 1 - self._start
        if end < 0 and self._ended:
            raise S3Error("IncompleteBody", reason="the body ends inside a head")
        if end < 0 or size > CHUNK_HEAD_BYTES_MAX:
            raise S3Error("InvalidRequest", "The aws-chunked body is malformed.", reason="an endless frame head")
        line = bytes(self._buffer[self._start : end + 1])
        self._start = end + 1
        return line

    def rest(self, bytes_max: int) -> bytes:
        """Everything to the end of the source. Raises S3Error MalformedTrailerError above `bytes_max`."""
        while not self._ended and len(self._buffer) - self._start <= bytes_max:
            self._more()
        rest = bytes(self._buffer[self._start :])
        if len(rest) > bytes_max:
            raise S3Error("MalformedTrailerError", reason="too many bytes after the last frame")
        self._buffer.clear()
        self._start = 0
        return rest

    def _more(self) -> None:
        """Read ahead once; sets `_ended` when the source gave less than asked."""
        del self._buffer[: self._start]
        self._start = 0
        known = self._source.length
        room = CHUNK_HEAD_BYTES_MAX
        if known is not None and known <= AWS_READ_AHEAD_BYTES:
            room = max(room, known)
        fresh = bytearray(room)
        got = self._receive(memoryview(fresh))
        self._buffer += memoryview(fresh)[:got]

    def _receive(self, view: memoryview) -> int:
        got = self._source.receive(view)
        if got < len(view):
            self._ended = True
        return got
