"""Between WSGI and values: environ -> Request, Response -> start_response and pieces.

Knows WSGI and what the lean worker adds to it; with gunicorn's stock worker the same values are made the slow way. Must
not know S3. The raw request target is used, never PATH_INFO, which loses %2F and breaks signatures.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, NamedTuple, Protocol

from app.core import limits
from app.core.body import Body
from app.core.errors import S3Error, Unavailable
from app.core.s3 import query_headers
from app.core.types import FileSpan, Piece

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Headers = list[tuple[str, str]]

_STATUS: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Request(NamedTuple):
    """One request. `target`: as on the wire, latin-1 text. `headers`: lower-case names, latin-1 values, repeated ones
    joined by ",". `remote`: the address of the socket's other end. `spans`: the worker sends FileSpans itself."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: Body
    remote: str
    spans: bool


@dataclass(slots=True)
class Response:
    """One answer. `length`: bytes of `pieces`, also told on HEAD, where `pieces` is empty. `close` is always called."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    pieces: Iterable[Piece] = ()
    length: int = 0
    close: Callable[[], None] | None = None


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class InputBody:
    """`wsgi.input` as a Body, for workers that hand out no better. `length`: Content-Length, None when chunked."""

    def __init__(self, source: _Readable, length: int | None) -> None:
        self.length = length
        self._source = source

    def receive(self, view: memoryview) -> int:
        """See app.core.body.Body."""
        done = 0
        wanted = len(view) if self.length is None else min(len(view), self.length)
        while done < wanted:
            try:
                data = self._source.read(min(wanted - done, limits.SLICE_BYTES))
            except OSError as error:
                raise S3Error("IncompleteBody", reason=f"{type(error).__name__} while reading the body") from error
            if not data:
                break
            view[done : done + len(data)] = data
            done += len(data)
        if self.length is not None:
            if done < wanted:
                raise S3Error("IncompleteBody", reason="the client went away in the body")
            self.length -= done
        return done


class HeldBody:
    """A body that is in memory already."""

    def __init__(self, data: memoryview) -> None:
        self.length: int | None = len(data)
        self._data = data

    def receive(self, view: memoryview) -> int:
        """See app.core.body.Body."""
        count = min(len(view), len(self._data))
        view[:count] = self._data[:count]
        self._data = self._data[count:]
        self.length = len(self._data)
        return count


def held(body: Body, bytes_max: int) -> HeldBody | None:
    """The whole of a body whose length nobody told; None when it is longer than `bytes_max`."""
    view = memoryview(bytearray(bytes_max + 1))
    count = body.receive(view)
    return HeldBody(view[:count]) if count <= bytes_max else None


def read_request(environ: Environ) -> Request:
    """The request in an environ. Reads nothing of the body."""
    headers = environ.get("zapfs.headers")
    if headers is None:
        headers = _headers(environ)
    body = environ.get("zapfs.body")
    if body is None:
        body = _body(environ, headers)
    return Request(
        environ["REQUEST_METHOD"],
        environ["RAW_URI"],
        headers,
        body,
        environ.get("REMOTE_ADDR", ""),
        "zapfs.spans" in environ,
    )


def with_query_headers(request: Request) -> Request:
    """The request with the headers its query bears among its own. What was signed is the one without."""
    if "?" not in request.target:
        return request
    headers = query_headers.effective(request.headers, request.target.partition("?")[2])
    return request if headers is request.headers else request._replace(headers=headers)


def _headers(environ: Environ) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        value = environ.get(name)
        if value:
            headers[name.replace("_", "-").lower()] = value
    return headers


def _body(environ: Environ, headers: Mapping[str, str]) -> Body:
    declared = headers.get("content-length", "")
    if "transfer-encoding" in headers:
        return InputBody(environ["wsgi.input"], None)
    return InputBody(environ["wsgi.input"], int(declared) if declared.isascii() and declared.isdigit() else 0)


def begin(response: Response, start_response: StartResponse) -> None:
    """Hand status and headers over; Content-Length is always among them but where the status forbids one."""
    headers = response.headers
    if response.status not in (204, 304):
        headers.append(("Content-Length", str(response.length)))
    start_response(_STATUS.get(response.status, str(response.status)), headers)


def as_bytes(piece: Piece) -> Iterator[bytes]:
    """A piece for workers that send nothing but bytes; a file span is read in bounded steps.

    Raises Unavailable when the file ends before the span does.
    """
    if not isinstance(piece, FileSpan):
        yield bytes(piece)
        return
    offset, left = piece.offset, piece.length
    while left:
        data = os.pread(piece.fd, min(left, limits.SLICE_BYTES), offset)
        if not data:
            raise Unavailable("a file ended inside a span of it")
        offset += len(data)
        left -= len(data)
        yield data
