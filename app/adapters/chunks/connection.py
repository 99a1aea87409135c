"""One connection to a file host: a request out, an answer in, every wait bounded.

Knows sockets and the framing of HTTP/1.1 answers with a Content-Length; others are refused. For greenlets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gevent import socket

from app.core import cluster_limits, limits

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2})(?: [^\r\n]*)?")
_RECEIVE_BYTES: Final = 16 * limits.KIB
_DIGITS_MAX: Final = 19


class Lost(Exception):
    """The host is not there (any more). `answering`: something of the answer had come. `silent`: it let us wait."""

    def __init__(self, why: str, *, answering: bool = False, silent: bool = False) -> None:
        super().__init__(why)
        self.answering = answering
        self.silent = silent


@dataclass(frozen=True, slots=True)
class Head:
    """`headers` by lower-case name. `length`: bytes of the body to come. `keeps`: the connection may be used again."""

    status: int
    headers: Mapping[str, str]
    length: int
    keeps: bool


class Connection:
    """Owned by one greenlet at a time. Every method but `close` and `ended` raises Lost; the connection is of no use
    then. `since_s`: when it became idle, its owner's clock."""

    def __init__(self, address: str) -> None:
        """Connect. `address`: HOST:PORT."""
        host, _, port = address.rpartition(":")
        self.since_s = 0.0
        self._pending = b""
        try:
            self._socket: Any = socket.create_connection(
                (host.strip("[]"), int(port)), timeout=cluster_limits.BLOB_CONNECT_SECONDS_MAX
            )
        except TimeoutError:
            raise Lost(f"no connection within {cluster_limits.BLOB_CONNECT_SECONDS_MAX:g} s", silent=True) from None
        except (OSError, ValueError) as error:
            raise Lost(f"no connection: {error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, head: bytes, body: bytes | memoryview) -> None:
        """Head and body, without copying either. What the host says before it has all of it is not waited for here."""
        self._socket.settimeout(cluster_limits.BLOB_STALL_SECONDS_MAX)
        pieces = [memoryview(head), memoryview(body)]
        try:
            while pieces:
                sent = self._socket.sendmsg(pieces)
                while pieces and sent >= len(pieces[0]):
                    sent -= len(pieces.pop(0))
                if pieces:
                    pieces[0] = pieces[0][sent:]
        except TimeoutError:
            raise Lost("it takes no more bytes", silent=True) from None
        except OSError as error:
            if not self._refusing():
                raise Lost(f"it left while it was spoken to: {error}") from error

    def receive_head(self, *, bodyless: bool) -> Head:
        """The head of the answer. `bodyless`: of a HEAD request."""
        self._socket.settimeout(cluster_limits.BLOB_ANSWER_SECONDS_MAX)
        data = b""
        while b"\r\n\r\n" not in data:
            if len(data) > limits.HEAD_BYTES_MAX:
                raise Lost("its answer has no end", answering=True)
            try:
                fresh = self._socket.recv(_RECEIVE_BYTES)
            except TimeoutError:
                raise Lost(f"no answer within {cluster_limits.BLOB_ANSWER_SECONDS_MAX:g} s", silent=True) from None
            except OSError as error:
                raise Lost(f"no answer: {error}", answering=bool(data)) from error
            if not fresh:
                raise Lost("it left before it answered", answering=bool(data))
            data += fresh
        text, _, self._pending = data.partition(b"\r\n\r\n")
        return _parsed(text, bodyless)

    def receive_body(self, head: Head) -> memoryview:
        """The whole body, in memory of its own."""
        view = memoryview(bytearray(head.length))
        got = min(len(self._pending), head.length)
        view[:got] = self._pending[:got]
        self._socket.settimeout(cluster_limits.BLOB_STALL_SECONDS_MAX)
        try:
            while got < head.length:
                count = self._socket.recv_into(view[got : got + cluster_limits.BLOB_SLICE_BYTES])
                if not count:
                    raise Lost("it left in the middle of its answer", answering=True)
                got += count
        except TimeoutError:
            raise Lost("it stopped in the middle of its answer", answering=True, silent=True) from None
        except OSError as error:
            raise Lost(f"it left in the middle of its answer: {error}", answering=True) from error
        return view

    def ended(self) -> bool:
        """Whether an idle connection was closed at the other end, or says something nobody asked for."""
        return self._peeked() is not None

    def close(self) -> None:
        """Idempotent."""
        self._socket.close()

    def _refusing(self) -> bool:
        """A host that refuses a body ends the connection behind its answer: is there one?"""
        return bool(self._peeked())

    def _peeked(self) -> bytes | None:
        """What has come and was not received yet: a byte, b"" at the end of the connection, None for nothing."""
        self._socket.settimeout(0.0)
        try:
            seen: bytes = self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return seen


def _parsed(text: bytes, bodyless: bool) -> Head:
    first, *lines = text.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    headers = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or name.lower() in headers:
            raise Lost("its answer is no HTTP", answering=True)
        headers[name.lower()] = value.strip()
    declared = headers.get("content-length", "0")
    counted = declared.isascii() and declared.isdigit() and len(declared) <= _DIGITS_MAX
    if status is None or "transfer-encoding" in headers or not counted:
        raise Lost("its answer is no HTTP", answering=True)
    length = 0 if bodyless or status[1] in (b"204", b"304") else int(declared)
    if length > cluster_limits.FRAGMENT_BYTES_MAX:
        raise Lost("its answer is longer than any fragment", answering=True)
    return Head(int(status[1]), headers, length, headers.get("connection", "").lower() != "close")
