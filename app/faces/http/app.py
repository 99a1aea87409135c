"""The S3 door: a WSGI callable that authenticates, dispatches by operation, and turns every outcome into an answer.

Knows the order of a request and the error edge. Must not know what operations do. Mounted as a Flask application's
`wsgi_app` or served as it is: no routing stands between the worker and the handler table.

A signature is verified before anything else is looked at; a request without one enters as nobody, to be decided by the
gate (services/gate/guard). What comes before both stands in the porch: proxies, and website hosts, which browsers ask
without credentials. This edge and the stream behind it are the only places that catch everything.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from app.core.auth.sigv4 import SignedRequest
from app.core.errors import Conflict, Corrupt, Full, S3Error, StoreError, Unavailable
from app.core.s3 import operation as operations
from app.core.s3.operation import Operation
from app.core.s3.operations_table import PREFLIGHTS
from app.core.s3.xml import error_document
from app.core.types import FileSpan, Piece
from app.faces.http import wire
from app.faces.http.exchange import Details, Exchange, Observe, Record, Report, Surface
from app.faces.http.porch import OPEN_PORCH, Porch
from app.faces.http.query.room import Noted
from app.faces.http.wire import Environ, Request, Response, StartResponse
from app.services.call import Call, Facts, Sources, Stages
from app.services.gate.access import ANONYMOUS, Access, Identity
from app.services.limits.rates import Charge

RETRY_AFTER_SECONDS: Final = "1"
_CHARGED: Final = ("x-amz-request-charged", "requester")
_UNKNOWN: Final = Operation("Unknown", "", b"", {})


@dataclass(slots=True, repr=False)
class _Story:
    """What becomes known of a request on its way, told to the observer at its end. Shown to nobody: it bears keys."""

    request: Request
    request_id: str
    host_id: str
    begun: float
    operation: Operation = _UNKNOWN
    identity: Identity = ANONYMOUS
    remote: str = ""
    error: S3Error | None = None
    stages: Stages = field(default_factory=Stages)
    charge: Charge | None = None

    def note(self, noted: Noted) -> None:
        """What the query room learned of it."""
        self.operation, self.identity, self.error = Operation(noted.operation, "", b"", {}), noted.identity, noted.error

    def details(self) -> Details:
        """For an access log."""
        return Details.of(self.request, self.operation, self.identity, self.host_id)


class S3Door:
    """One per worker process. `surface`: what is served; `porch`: what stands before it.

    `observe` is told each answered request once, when it is over; `report` each bug, with its request id.
    """

    def __init__(
        self,
        surface: Surface,
        access: Access,
        sources: Sources,
        observe: Observe,
        report: Report,
        porch: Porch = OPEN_PORCH,
    ) -> None:
        self._surface = surface
        self._access = access
        self._sources = sources
        self._observe = observe
        self._report = report
        self._porch = porch
        self._domains = porch.domains

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[Piece]:
        request = wire.read_request(environ)
        begun, unique = perf_counter(), self._sources.new_id()
        story = _Story(request, unique[-8:].hex().upper(), b64encode(unique).decode("ascii"), begun)
        response = self._answer(story)
        if "origin" in request.headers:
            self._cross(story, response)
        response.headers += (
            ("x-amz-request-id", story.request_id),
            ("x-amz-id-2", story.host_id),
            ("Server", "ZapFS"),
        )
        if story.charge is not None:
            story.charge.moves(_declared(request) + (response.length or 0 if response.pieces else 0))
        wire.begin(response, start_response)
        if response.close is None and isinstance(response.pieces, tuple):
            self._tell(story, response.status, response.length if response.pieces else 0)
            return response.pieces
        return _Outgoing(self, story, response)

    def _answer(self, story: _Story) -> Response:
        try:
            return self._handle(story)
        except S3Error as error:
            return self._refusal(story, error)
        except StoreError as error:
            return self._refusal(story, self._translated(story, error))
        except Exception as error:  # noqa: BLE001 -- the edge: a bug becomes one traceback and a 500
            self._report(story.request_id, error)
            return self._refusal(story, S3Error("InternalError", reason=type(error).__name__))

    def _handle(self, story: _Story) -> Response:
        request = story.request
        story.remote, secure = self._porch.peers.origin(request)
        if self._porch.websites is not None:
            bucket = self._porch.websites.bucket_of(request.headers.get("host", ""))
            if bucket:
                self._admit(story, bucket)
                return self._porch.websites.visit(request, bucket, self._call(story, request, secure))
        query = self._porch.query
        if query is not None and query.is_meant(request) and not self._signed(request).bucket_of_host:
            self._admit(story, "")
            return query.answer(request, self._call(story, request, secure), story.note)
        wrong: S3Error | None = None
        meant = request
        try:
            meant = wire.with_query_headers(request)
            story.operation = operations.parse(request.method, request.target, meant.headers, self._domains)
        except S3Error as error:
            wrong = error
        operation = story.operation
        if operation.name not in PREFLIGHTS:
            story.identity = self._access.authenticate(self._signed(request), self._sources.now_ms())
        self._admit(story, operation.bucket)
        if wrong is not None:
            raise wrong
        call = self._call(story, meant, secure)
        response = self._surface.handlers[operation.name](
            Exchange(meant, operation, call, story.identity, self._access)
        )
        if story.stages.charged:
            response.headers.append(_CHARGED)
        return response

    def _admit(self, story: _Story, bucket: str) -> None:
        """Raises SlowDown where a rate is reached."""
        if self._porch.rates is not None:
            story.charge = self._porch.rates.admit(story.identity.caller.account_id, bucket, _declared(story.request))

    def _call(self, story: _Story, meant: Request, secure: bool) -> Call:
        """The request as the use cases see it. References only: what a policy asks is looked up when it asks."""
        caller, _, auth_type, signature_version, age_ms = story.identity
        facts = Facts(
            meant.headers, story.operation.parameters, story.remote, secure, auth_type, signature_version, age_ms
        )
        return Call(caller, story.request_id, self._sources.now_ms(), story.stages, facts)

    def _cross(self, story: _Story, response: Response) -> None:
        """A browser shows its page no answer, not even a refusal, that does not name the page's origin."""
        operation = story.operation
        if self._surface.cross is not None and operation.name not in PREFLIGHTS:
            response.headers += self._surface.cross(operation.bucket, story.request.method, story.request.headers)

    def _signed(self, request: Request) -> SignedRequest:
        path, _, query = request.target.partition("?")
        named = operations.bucket_of_host(request.headers.get("host", ""), self._domains) if self._domains else ""
        return SignedRequest(request.method, path, query, request.headers, bucket_of_host=named)

    def _translated(self, story: _Story, error: StoreError) -> S3Error:
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, Unavailable):
            return S3Error("SlowDown", reason=reason)
        if isinstance(error, Conflict):
            return S3Error("OperationAborted", reason=reason)
        if isinstance(error, Full):
            return S3Error("InsufficientStorage", reason=reason)
        self._report(story.request_id, error)
        # Bytes that fail verification may be whole elsewhere or again; clients should come back, operators look now.
        return S3Error("ServiceUnavailable" if isinstance(error, Corrupt) else "InternalError", reason=reason)

    def _refusal(self, story: _Story, error: S3Error) -> Response:
        story.error = error
        headers = list(error.headers.items())
        if error.status == 304:
            return Response(304, headers)
        if error.status == 503 and "Retry-After" not in error.headers:
            headers.append(("Retry-After", RETRY_AFTER_SECONDS))
        headers.append(("Content-Type", "application/xml"))
        if story.request.method == "HEAD":
            return Response(error.status, headers)
        resource = story.request.target.partition("?")[0]
        document = error_document(error, resource, story.request_id, story.host_id)
        return Response(error.status, headers, (document,), len(document))

    def _tell(self, story: _Story, status: int, bytes_out: int) -> None:
        error, request = story.error, story.request
        received = _received(request)
        if story.charge is not None:
            story.charge.moves(received + bytes_out)
        self._observe(
            Record(
                request_id=story.request_id,
                operation=story.operation.name,
                method=request.method,
                bucket=story.operation.bucket,
                status=status,
                code="" if error is None else error.code,
                reason="" if error is None else error.reason,
                access_key_id=story.identity.caller.access_key_id,
                remote=story.remote,
                bytes_in=received,
                bytes_out=bytes_out,
                seconds=perf_counter() - story.begun,
                stages=story.stages.seconds,
                details=story.details,
                caller=story.identity.caller,
                key=story.operation.key,
                marks=story.stages,
            )
        )

    def ended(self, story: _Story, response: Response, sent: int, error: BaseException | None) -> None:
        """A streamed answer is over; `error` cut it short."""
        if isinstance(error, Exception):
            self._report(story.request_id, error)
            story.error = S3Error("InternalError", reason=f"cut while streaming: {type(error).__name__}")
        self._tell(story, response.status, sent)


def _received(request: Request) -> int:
    """Bytes taken from the client: what was declared, less what is still to come."""
    return max(0, _declared(request) - (request.body.length or 0))


def _declared(request: Request) -> int:
    """Bytes of the body, 0 where nothing tells."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() else 0


class _Outgoing:
    """The pieces of a streamed answer, counted; a failure cuts the connection, as the head has left."""

    __slots__ = ("_door", "_error", "_response", "_sent", "_story")

    def __init__(self, door: S3Door, story: _Story, response: Response) -> None:
        self._door = door
        self._story = story
        self._response = response
        self._sent = 0
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[Piece]:
        try:
            for piece in self._response.pieces:
                self._sent += piece.length if isinstance(piece, FileSpan) else len(piece)
                if self._story.request.spans:
                    yield piece
                else:
                    yield from wire.as_bytes(piece)
        except BaseException as error:
            self._error = error
            raise

    def close(self) -> None:
        """Called by the worker in every case: release what is held, tell the observer."""
        if self._response.close is not None:
            self._response.close()
        self._door.ended(self._story, self._response, self._sent, self._error)
