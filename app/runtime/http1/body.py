"""Request bodies: `Content-Length` and chunked, pulled into the caller's buffer, and the file WSGI wants of them.

Knows framing and 100 Continue; must not know what the bytes mean. Both implement app.core.body.Body. A body that fails
is broken for good: the connection closes after the answer, because nobody knows where the next request starts.
"""

import io
from collections.abc import Iterator
from typing import Any, Final, NoReturn, Protocol

from app.core.errors import S3Error
from app.core.limits import KIB
from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.chunked import BadFraming, chunk_size, trailer_field
from app.runtime.http1.connection import Connection, Gone, Stalled

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
INPUT_BUFFER_BYTES: Final = 16 * KIB


class WireBody(Protocol):
    """What the session needs of a body beyond app.core.body.Body."""

    length: int | None
    expects: bool
    """The client still waits for 100 Continue."""
    failure: S3Error | None

    @property
    def ended(self) -> bool:
        """Every byte of the body was consumed; the next byte on the connection starts a request."""
        ...

    def receive(self, view: memoryview) -> int: ...


class EmptyBody:
    """The body of a request without one; one value serves them all."""

    length: int | None = 0
    expects = False
    failure: S3Error | None = None
    ended = True

    def receive(self, view: memoryview) -> int:
        """0, always."""
        return 0


EMPTY: Final = EmptyBody()


class _Body:
    """What both framings share: the expectation, the failure, and the translation of the wire's outcomes."""

    __slots__ = ("_wire", "expects", "failure")

    def __init__(self, wire: Connection, *, expects: bool) -> None:
        self._wire = wire
        self.expects = expects
        self.failure: S3Error | None = None

    def _begin(self) -> None:
        """Before every read: the client that waits for it hears 100 Continue, once; a broken body stays broken."""
        if self.failure is not None:
            raise self.failure
        if self.expects:
            self.expects = False
            try:
                self._wire.send([CONTINUE])
            except (Gone, Stalled) as error:
                self._fail(error)

    def _fail(self, error: BaseException) -> NoReturn:
        """Remember that the body is broken, and say so; what is not the wire's (a timeout, a kill) goes on as it is."""
        if isinstance(error, Stalled):
            self.failure = S3Error("RequestTimeout", reason="the client stalled in the body")
        elif isinstance(error, Gone):
            self.failure = S3Error("IncompleteBody", reason="the client went away in the body")
        elif isinstance(error, BadFraming):
            self.failure = S3Error("IncompleteBody", reason=str(error))
        else:
            self.failure = S3Error("IncompleteBody", reason="the body was abandoned in the middle of a read")
            raise error
        raise self.failure from error


class LengthBody(_Body):
    """A body of `length` bytes to come."""

    __slots__ = ("length",)

    def __init__(self, wire: Connection, length: int, *, expects: bool) -> None:
        super().__init__(wire, expects=expects)
        self.length: int | None = length

    @property
    def ended(self) -> bool:
        return not self.length

    def receive(self, view: memoryview) -> int:
        """As Body.receive."""
        left = self.length or 0
        wanted = min(len(view), left)
        if not wanted:
            return 0
        self._begin()
        try:
            self._wire.fill(view[:wanted])
        except BaseException as error:  # noqa: BLE001 - whatever cut the read short, our place in the body is lost
            self._fail(error)
        self.length = left - wanted
        return wanted


class ChunkedBody(_Body):
    """A chunked body. `trailers` holds its trailer fields, lower-case, once `ended`."""

    __slots__ = ("_left", "_limits", "ended", "length", "trailers")

    def __init__(self, wire: Connection, limits: WireLimits, *, expects: bool) -> None:
        super().__init__(wire, expects=expects)
        self.length: int | None = None
        self.ended = False
        self.trailers: dict[str, str] = {}
        self._limits = limits
        self._left = 0

    def receive(self, view: memoryview) -> int:
        """As Body.receive; the end is announced only after the trailers were read and found sound."""
        if self.ended or not len(view):
            return 0
        self._begin()
        got, size = 0, len(view)
        try:
            while got < size and self._open_chunk():
                count = min(self._left, size - got)
                self._wire.fill(view[got : got + count])
                got += count
                self._left -= count
                if not self._left and self._wire.read_line(0) != b"":
                    raise BadFraming("a chunk is longer than it said")
        except BaseException as error:  # noqa: BLE001 - whatever cut the read short, our place in the body is lost
            self._fail(error)
        return got

    def _open_chunk(self) -> bool:
        """True when payload is next; at the last chunk the trailers are read and the body ends."""
        if self._left:
            return True
        line = self._wire.read_line(self._limits.chunk_head_bytes_max)
        if line is None:
            raise BadFraming("the size of a chunk is malformed")
        self._left = chunk_size(line)
        if not self._left:
            self._read_trailers()
            self.ended = True
        return not self.ended

    def _read_trailers(self) -> None:
        left = self._limits.trailer_bytes_max
        while line := self._wire.read_line(min(left, self._limits.chunk_head_bytes_max)):
            name, value = trailer_field(line)
            if name in self.trailers:
                raise BadFraming("a trailer field came twice")
            self.trailers[name] = value
            left -= len(line) + 2
            if left < 0:
                break
        if line != b"":
            raise BadFraming("the trailers are too long")


class InputFile:
    """`wsgi.input` on top of a body: read, readinto, readline, readlines, iteration.

    The buffer readline needs is made at the first call, so a request whose body is pulled by `receive` pays nothing.
    Whoever reads here must not also call `receive`.
    """

    __slots__ = ("_body", "_reader")

    def __init__(self, body: WireBody) -> None:
        self._body = body
        self._reader: io.BufferedReader | None = None

    def _open(self) -> io.BufferedReader:
        if self._reader is None:
            self._reader = io.BufferedReader(_RawBody(self._body), INPUT_BUFFER_BYTES)
        return self._reader

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes, all that are left without one; fewer only at the end."""
        return self._open().read(size)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill `buffer` as far as the body goes."""
        return self._open().readinto(buffer)

    def readline(self, size: int | None = -1) -> bytes:
        return self._open().readline(size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        return self._open().readlines(hint)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._open())


class _RawBody(io.RawIOBase):
    def __init__(self, body: WireBody) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """`buffer` may be a bytearray, whose slices are copies: what is received into those would be lost."""
        return self._body.receive(memoryview(buffer).cast("B"))
