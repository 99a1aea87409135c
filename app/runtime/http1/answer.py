"""One answer: what the application says of it becomes bytes on the connection, framed exactly once.

Knows WSGI's start_response, response framing (RFC 9112 section 6.3) and the pieces of app.core.types; must not know
what is answered. The head leaves with the first piece, so that an application that fails before it has one can still be
answered 500. Content-Length is a promise kept to the byte: never more is sent, and fewer break the answer.
"""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final

from app.core.types import FileSpan, Piece
from app.runtime.http1.connection import Connection
from app.runtime.http1.date import date_line

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

UNKNOWN: Final = -1
LAST_CHUNK: Final = b"0\r\n\r\n"
HOP_BY_HOP: Final = frozenset({"transfer-encoding", "keep-alive", "upgrade", "trailer", "te", "proxy-connection"})


class BrokenAnswer(Exception):
    """The application broke the framing of its own answer: a bug."""


class Answer:
    """Takes status and headers by `start_response`, then sends the pieces of the body.

    `may_persist` is asked when the head is rendered: the worker may be stopping by then, the request's body unread.
    `head_sent`: something of the answer may have reached the client. `complete`: all of it was sent. `persists`: what
    the client was told about the connection.
    """

    __slots__ = (
        "_chunked",
        "_connection",
        "_headers",
        "_left",
        "_may_persist",
        "_method",
        "_minor_version",
        "_status",
        "_written",
        "complete",
        "head_sent",
        "persists",
    )

    def __init__(
        self, connection: Connection, method: str, minor_version: int, may_persist: Callable[[], bool]
    ) -> None:
        self._connection = connection
        self._method = method
        self._minor_version = minor_version
        self._may_persist = may_persist
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._written: list[Piece] = []
        self._chunked = False
        self._left = UNKNOWN
        self.head_sent = False
        self.complete = False
        self.persists = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        """PEP 3333. Bytes given to the returned `write` leave before the iterable's."""
        if exc_info is not None:
            if self.head_sent and exc_info[1] is not None:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self._status:
            raise BrokenAnswer("start_response was called twice")
        self._status = status
        self._headers = headers
        return self._written.append

    def send(self, pieces: Iterable[Piece]) -> None:
        """Send head and body; each piece is sent whole before the next is asked for.

        Raises BrokenAnswer, Gone, Stalled, and whatever the iterable raises.
        """
        iterator = iter(pieces)
        piece = None
        if not self._status:
            piece = next(iterator, None)  # An application that is a generator calls start_response only now.
            if not self._status:
                raise BrokenAnswer("the application never called start_response")
        bodyless = self._method == "HEAD" or self._status[:3] in ("204", "304")
        head = self._render_head(UNKNOWN if bodyless else self._total(pieces), bodyless=bodyless)
        if not bodyless:
            for early in self._written:
                head = self._send_piece(head, early)
            if piece is not None:
                head = self._send_piece(head, piece)
            for late in iterator:
                head = self._send_piece(head, late)
            self._check_end()
        last = LAST_CHUNK if self._chunked else b""
        if head or last:
            self.head_sent = True
            self._connection.send([head + last])
        self.complete = True

    def _total(self, pieces: Iterable[Piece]) -> int:
        """Bytes of a body that is there already, UNKNOWN for one that is still to come."""
        if not isinstance(pieces, list | tuple):
            return UNKNOWN
        return sum(_length(piece) for piece in (*self._written, *pieces))

    def _check_end(self) -> None:
        if not self._chunked and self._left > 0:
            raise BrokenAnswer(f"the application's body is {self._left} bytes short of its Content-Length")

    def _send_piece(self, head: bytes, piece: Piece) -> bytes:
        """Send a piece, and the head before it unless that has left. What is still unsent of the head: all or b""."""
        length = _length(piece)
        if not length:
            return head
        if self._left != UNKNOWN:
            if length > self._left:
                raise BrokenAnswer(f"the application's body exceeds its Content-Length by {length - self._left} bytes")
            self._left -= length
        self.head_sent = True
        before = b"%s%x\r\n" % (head, length) if self._chunked else head
        if isinstance(piece, FileSpan):
            if before:
                self._connection.send([before], more=True)
            self._connection.send_file(piece.fd, piece.offset, length)
            if self._chunked:
                self._connection.send([b"\r\n"])
        elif self._chunked:
            self._connection.send([before, piece, b"\r\n"])
        else:
            self._connection.send([before, piece] if before else [piece])
        return b""

    def _render_head(self, total: int, *, bodyless: bool) -> bytes:
        """Status line and headers; decides framing and persistence."""
        self.persists = self._may_persist()
        declared: str | None = None
        dated = False
        lines = [f"HTTP/1.1 {self._status}\r\n"]
        for name, value in self._headers:
            lower = name.lower()
            if lower == "content-length":
                if declared is not None:
                    raise BrokenAnswer("the application gave Content-Length twice")
                declared = value
            elif lower == "connection":
                self.persists = self.persists and value.lower() != "close"
            elif lower in HOP_BY_HOP:
                raise BrokenAnswer(f"the application must not set {name}")
            else:
                dated = dated or lower == "date"
                lines.append(f"{name}: {value}\r\n")
        framing = self._frame(declared, total, bodyless=bodyless)
        if framing:
            lines.append(framing)
        if not dated:
            lines.append(date_line())
        if not self.persists:
            lines.append("Connection: close\r\n")
        elif self._minor_version == 0:
            lines.append("Connection: keep-alive\r\n")
        lines.append("\r\n")
        head = "".join(lines)
        if not head.count("\n") == head.count("\r") == len(lines) or "\0" in head:
            raise BrokenAnswer("the application put control characters into a header")
        return head.encode("latin-1")

    def _frame(self, declared: str | None, total: int, *, bodyless: bool) -> str:
        """The line of the head that frames the body, "" for none."""
        if declared is not None:
            if not (declared.isascii() and declared.isdigit()):
                raise BrokenAnswer("the application's Content-Length is no number")
            self._left = int(declared)
            return "" if self._status.startswith("204") else f"Content-Length: {declared}\r\n"
        if bodyless:
            return ""
        if total != UNKNOWN:
            self._left = total
            return f"Content-Length: {total}\r\n"
        if self._minor_version == 0:
            self.persists = False  # The end of the connection is the end of the body.
            return ""
        self._chunked = True
        return "Transfer-Encoding: chunked\r\n"


def _length(piece: Piece) -> int:
    return piece.length if isinstance(piece, FileSpan) else len(piece)
