"""The life of one connection: heads, exchanges, and the end.

Knows the order of things on the wire and what ends a connection; must not know gunicorn or S3. Of the application it
knows WSGI. A request is served only when the one before it was consumed to its last byte; whenever that is in doubt
the connection closes, so that no body is ever read as a request.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import gevent

from app.core.errors import S3Error
from app.core.limits import KIB
from app.core.types import Piece
from app.runtime.http1.answer import Answer
from app.runtime.http1.body import EMPTY, ChunkedBody, LengthBody, WireBody
from app.runtime.http1.bounds import WireLimits
from app.runtime.http1.connection import READ, Connection, Gone, Stalled
from app.runtime.http1.date import date_line
from app.runtime.http1.environ import Environ, request_environ
from app.runtime.http1.head import Head, parse_head
from app.runtime.http1.refusal import CODES, Refusal, render

DRAIN_READ_BYTES: Final = 64 * KIB
STREAK_MAX: Final = 4  # requests of one connection served without a look at the others

Application = Callable[[Environ, Callable[..., object]], Iterable[Piece]]


class Log(Protocol):
    """gunicorn's logger, as far as it is used."""

    def exception(self, message: str, *args: object) -> None: ...
    def debug(self, message: str, *args: object) -> None: ...


@dataclass(slots=True)
class House:
    """What the sessions of a worker share.

    `served`: called at each request's start. `seats`: connections the worker takes. `alive`: False once it stops.
    `taken`: connections open now. `idle`: the sessions among them that wait for a request, oldest first.
    """

    application: Application
    limits: WireLimits
    log: Log
    served: Callable[[], None]
    seats: int
    alive: bool = True
    taken: int = 0
    idle: "dict[Session, None]" = field(default_factory=dict)

    def make_room(self) -> bool:
        """The guest that has been silent longest leaves; False if there is none."""
        for session in self.idle:
            session.end_if_idle()
            return True
        return False


class _Cut(Exception):
    """The answer broke after its head had left: only a reset keeps it from looking whole."""


class Session:
    """Serves one connection until it ends. `prepared`: the connection's environ without any request."""

    __slots__ = ("_body", "_connection", "_head", "_house", "_prepared", "_served", "_streak")

    def __init__(self, house: House, connection: Connection, prepared: Environ) -> None:
        self._house = house
        self._connection = connection
        self._prepared = prepared
        self._head: Head | None = None
        self._body: WireBody = EMPTY
        self._served = False
        self._streak = 0

    def run(self) -> None:
        """Serve until the client, a bound, a failure or the worker's stop ends it; the socket is closed then."""
        connection = self._connection
        reset = False
        self._house.taken += 1
        try:
            while (head := self._next_head()) is not None:
                if not self._exchange(head):
                    connection.linger()
                    return
        except Refusal as refusal:
            self._house.log.debug("refused %s: %d %s", self._prepared["REMOTE_ADDR"], refusal.status, refusal.message)
            self._answer_error(refusal.status, CODES[refusal.status], refusal.message)
        except Gone:
            return
        except (_Cut, Stalled):
            reset = True
        except BaseException:
            reset = True  # Killed by the worker's stop in the middle of an answer.
            raise
        finally:
            self._house.taken -= 1
            connection.close(reset=reset)

    def end_if_idle(self) -> None:
        """Called from another greenlet: no further request is waited for; one already here is still served."""
        self._connection.end_input()

    # ------------------------------------------------------------------ heads

    def _next_head(self) -> Head | None:
        """The next request's head; None when there will be none. Raises Refusal, Gone."""
        connection, limits = self._connection, self._house.limits
        self._streak += 1
        if connection.pending or self._streak > STREAK_MAX:
            connection.give_way()  # a client that pipelines, or is as fast as we are
            self._streak = 0
        data, connection.pending = connection.pending, b""
        scanned = 0
        deadline = 0.0
        may_skip = True
        while True:
            if may_skip and data.startswith(b"\r\n"):
                data, scanned, may_skip = data[2:], 0, False  # RFC 9112 section 2.2: one stray line end is forgiven.
            if data:
                head = parse_head(data, limits, scanned=scanned)
                if head is not None:
                    connection.pending = data[head.consumed :]
                    return head
                scanned = len(data)
            fresh = connection.receive()
            if fresh is None:
                if not data:
                    if not self._await_request():
                        return None
                    self._streak = 0
                    continue
                deadline = deadline or time.monotonic() + limits.head_seconds_max
                self._await_rest(deadline)
            elif not fresh:
                return None
            else:
                data += fresh

    def _await_request(self) -> bool:
        """Between requests: True when bytes may be there, False when the connection has idled long enough."""
        house = self._house
        if not house.alive:
            return False
        # In a full house nobody new would be heard, so the longest silent leaves: in the end this one, unless it is
        # the newcomer itself, who has yet to ask for something.
        if house.taken >= house.seats and not house.make_room() and self._served:
            return False
        house.idle[self] = None
        try:
            return self._connection.wait(READ, house.limits.idle_seconds_max)
        finally:
            house.idle.pop(self, None)

    def _await_rest(self, deadline: float) -> None:
        """Within a head: it has to be whole before `deadline`, however its bytes trickle."""
        seconds = deadline - time.monotonic()
        if seconds <= 0 or not self._connection.wait(READ, seconds):
            raise Refusal(408, "The request head did not arrive in time.")

    # ------------------------------------------------------------------ exchanges

    def _exchange(self, head: Head) -> bool:
        """Serve one request; True when the connection may carry another. Raises Gone, Stalled, _Cut."""
        connection, house = self._connection, self._house
        connection.begin_exchange()
        house.served()
        self._served = True
        self._head = head
        body = self._body = self._make_body(head)
        answer = Answer(connection, head.method, head.minor_version, self._may_persist)
        try:
            self._call(request_environ(self._prepared, head, body), answer)
        except (Gone, Stalled):
            raise
        except Exception as error:  # noqa: BLE001 - the edge: a bug of the application, told once, ends here
            return self._fail(error, answer)
        persists = answer.persists and (body.ended or self._drain(body))
        self._head, self._body = None, EMPTY  # An idle connection keeps nothing of its last request.
        return persists

    def _call(self, environ: Environ, answer: Answer) -> None:
        pieces = self._house.application(environ, answer.start_response)
        try:
            answer.send(pieces)
        finally:
            close: Any = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _make_body(self, head: Head) -> WireBody:
        if head.chunked:
            return ChunkedBody(self._connection, self._house.limits, expects=head.expects)
        if head.length:
            return LengthBody(self._connection, head.length, expects=head.expects)
        return EMPTY

    def _may_persist(self) -> bool:
        """Whether another request may follow: both sides want it, and the body's end can be reached cheaply.

        A client still waiting for 100 Continue may or may not send its body after a final answer, so nobody knows what
        its next byte is.
        """
        body = self._body
        return (
            self._head is not None
            and self._head.keep_alive
            and self._house.alive
            and not body.expects
            and body.failure is None
            and (body.length or 0) <= self._house.limits.drain_bytes_max
        )

    def _drain(self, body: WireBody) -> bool:
        """Swallow what the application left of the body; False if that takes too many bytes or too long."""
        left = self._house.limits.drain_bytes_max
        view = memoryview(bytearray(min(DRAIN_READ_BYTES, left)))
        with gevent.Timeout(self._house.limits.drain_seconds_max, False):
            try:
                while left > 0 and (count := body.receive(view)):
                    left -= count
            except S3Error:
                return False
        return body.ended

    # ------------------------------------------------------------------ failures

    def _fail(self, error: Exception, answer: Answer) -> bool:
        """The application raised. The connection never carries another request; False, or _Cut."""
        if error is self._body.failure and isinstance(error, S3Error) and not answer.head_sent:
            self._answer_error(error.status, error.code, error.message)
            return False
        # The query stays out of the log: a presigned one is a credential.
        path = self._head.target.partition("?")[0] if self._head else ""
        self._house.log.exception("Error handling request %s", path)
        if answer.complete:
            return False
        if answer.head_sent:
            raise _Cut from error
        self._answer_error(500, CODES[500], "We encountered an internal error. Please try again.")
        return False

    def _answer_error(self, status: int, code: str, message: str) -> None:
        """Tell the client, if it still listens, and let the answer arrive before the connection closes."""
        with_body = self._head is None or self._head.method != "HEAD"  # Without a head nobody knows: there is a body.
        unique = os.urandom(16)
        try:
            self._connection.send([render(status, code, message, unique, date_line(), with_body=with_body)])
        except (Gone, Stalled):
            return
        self._connection.linger()
