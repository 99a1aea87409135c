"""The door of a file host: a WSGI callable that believes members only, dispatches, and turns outcomes into answers.

Knows the order of a request and the error edge, which is the one place here that catches everything. Served by the lean
worker as the S3 door is. A request that is refused gets one line, and its connection ends: its body is not read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import NamedTuple

from app.core.blob_wire import ERROR_HEADER, STATUS, name_of
from app.core.errors import S3Error, StoreError
from app.core.types import FileSpan, Piece
from app.faces.http import wire
from app.faces.http.internal.asking import Membership, Refusal, believed, parsed
from app.faces.http.internal.fragments import Handler
from app.faces.http.wire import Environ, Request, Response, StartResponse


class Told(NamedTuple):
    """One answered request. `line`: why it was refused, else ""."""

    what: str
    target: str
    status: int
    bytes_in: int
    bytes_out: int
    seconds: float
    line: str


class BlobDoor:
    """One per worker process. `unready()` says why the host cannot serve, "" when it can; `observe` is told each
    request, `report` each bug."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        membership: Membership,
        unready: Callable[[], str],
        observe: Callable[[Told], None],
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._handlers = handlers
        self._membership = membership
        self._unready = unready
        self._observe = observe
        self._report = report

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[Piece]:
        begun = perf_counter()
        request = wire.read_request(environ)
        what, response, line = self._answer(request)
        if request.method == "HEAD":
            response.pieces = ()
        wire.begin(response, start_response)
        declared = request.headers.get("content-length", "")
        taken = int(declared) - (request.body.length or 0) if declared.isascii() and declared.isdigit() else 0
        self._observe(Told(what, request.target, response.status, taken, response.length, perf_counter() - begun, line))
        return _Outgoing(response, request.spans)

    def _answer(self, request: Request) -> tuple[str, Response, str]:
        """(route, answer, the line of a refusal)"""
        what = "unknown"
        try:
            if request.target in ("/health", "/ready") and request.method in ("GET", "HEAD"):
                return request.target[1:], self._probe(request.target), ""
            believed(request, self._membership)
            asking = parsed(request)
            handler = self._handlers.get(asking.what)
            if handler is None:
                raise Refusal(405, "nothing does that here")
            what = asking.what
            reason = self._unready()
            if reason:
                raise Refusal(503, reason)
            return what, handler(request, asking), ""
        except Refusal as refusal:
            return what, _refusal(request, refusal.status, str(refusal)), str(refusal)
        except StoreError as error:
            kind = name_of(error)
            return what, _refusal(request, STATUS[kind], str(error), kind), f"{kind}: {error}"
        except S3Error as error:
            line = "the body was cut short or stalled"  # its own words are S3's
            return what, _refusal(request, 400, line), f"{line}: {error.code}"
        except Exception as error:  # noqa: BLE001 -- the edge: a bug becomes one traceback and a 500
            self._report(what, error)
            return what, _refusal(request, 500, f"a bug here: {type(error).__name__}"), type(error).__name__

    def _probe(self, target: str) -> Response:
        reason = self._unready() if target == "/ready" else ""
        body = f"{reason or target[1:]}\n".encode()
        return Response(503 if reason else 200, [("Content-Type", "text/plain")], (body,), len(body))


def _refusal(request: Request, status: int, line: str, kind: str = "") -> Response:
    body = " ".join(line.split()).encode("utf-8", "replace") + b"\n"
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    if kind:
        headers.append((ERROR_HEADER, kind))
    if request.body.length != 0:
        headers.append(("Connection", "close"))
    return Response(status, headers, (body,), len(body))


class _Outgoing:
    """The pieces of an answer; what it holds is let go of in every case."""

    __slots__ = ("_response", "_spans")

    def __init__(self, response: Response, spans: bool) -> None:
        self._response = response
        self._spans = spans

    def __iter__(self) -> Iterator[Piece]:
        for piece in self._response.pieces:
            if self._spans or not isinstance(piece, FileSpan):
                yield piece
            else:
                yield from wire.as_bytes(piece)

    def close(self) -> None:
        """Called by the worker in every case."""
        if self._response.close is not None:
            self._response.close()
