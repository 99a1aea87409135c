"""One file host as its clients see it: a bounded pool of kept connections, one exchange at a time on each, a breaker.

Knows HTTP/1.1 as file hosts speak it. Must not know devices. For greenlets: a call blocks only its own. Every request
may be repeated without harm, so one that a kept connection died under is sent again, once, over a new one. A host that
does not connect or falls silent is down: calls are told so at once for BLOB_REST_SECONDS, then one tries.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from gevent.lock import BoundedSemaphore

from app.adapters.chunks.connection import Connection, Head, Lost
from app.core import cluster_limits
from app.core.auth import cluster_secret
from app.core.blob_wire import ERROR_HEADER, ERRORS, checksum
from app.core.errors import Conflict, Corrupt, StoreError, Unavailable


@dataclass(frozen=True, slots=True)
class Identity:
    """What requests prove themselves with. `key`: `derive(secret, cluster_secret.PURPOSE)`. Clocks: ms since the
    epoch, and monotonic seconds."""

    key: bytes = field(repr=False)
    node_id: str
    now_ms: Callable[[], int]
    clock: Callable[[], float]


class Repeated(Conflict):
    """The host holds the fragment already, and the request may have reached it twice."""


class Answer(NamedTuple):
    """An answer that is no refusal. `repeated`: the request may have reached the host before."""

    head: Head
    body: memoryview
    repeated: bool


class Peer:
    """One per process and address (HOST:PORT)."""

    def __init__(self, address: str, identity: Identity) -> None:
        self._address = address
        self._identity = identity
        self._idle: deque[Connection] = deque()
        self._places = BoundedSemaphore(cluster_limits.BLOB_CONNECTIONS_MAX)
        self._down_until_s = 0.0
        self._failed = ""

    @property
    def down(self) -> bool:
        """Whether calls are told at once that the host is down."""
        return bool(self._failed) and self._identity.clock() < self._down_until_s

    def call(self, method: str, target: str, body: bytes | memoryview = b"", body_checksum: str = "") -> Answer:
        """Send a request that bears its proof; the whole answer, its body not verified.

        `body_checksum`: of the body, where the caller has it. Raises the StoreError the host answered with, and
        Unavailable when it cannot be reached, falls silent or refuses.
        """
        self._enter()
        if not self._places.acquire(timeout=cluster_limits.BLOB_ANSWER_SECONDS_MAX):
            raise Unavailable(f"file host {self._address}: too many calls are under way")
        try:
            head = self._head(method, target, body, body_checksum)
            answer = self._exchanged(method, head, body)
        except Lost as lost:
            self._failed = str(lost)
            self._down_until_s = self._identity.clock() + cluster_limits.BLOB_REST_SECONDS
            raise Unavailable(f"file host {self._address}: {lost}") from lost
        finally:
            self._places.release()
        self._failed = ""
        if answer.head.status >= 300:
            raise self._refused(answer)
        return answer

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _enter(self) -> None:
        if not self._failed:
            return
        now = self._identity.clock()
        if now < self._down_until_s:
            raise Unavailable(f"file host {self._address} is down: {self._failed}")
        self._down_until_s = now + cluster_limits.BLOB_REST_SECONDS  # this call tries; others wait

    def _head(self, method: str, target: str, body: bytes | memoryview, body_checksum: str) -> bytes:
        me = self._identity
        said = (body_checksum or checksum(body)) if body else ""
        proof = cluster_secret.signed(me.key, me.node_id, me.now_ms(), (method, target, said))
        lines = [
            f"{method} {target} HTTP/1.1",
            f"host: {self._address}",
            f"{cluster_secret.PROTOCOL_HEADER}: {cluster_secret.PROTOCOL}",
            f"{cluster_secret.PROOF_HEADER}: {proof}",
        ]
        if body:
            lines += [f"content-length: {len(body)}", f"{cluster_secret.CHECKSUM_HEADER}: {said}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _exchanged(self, method: str, head: bytes, body: bytes | memoryview) -> Answer:
        kept = self._kept()
        if kept is not None:
            try:
                return self._exchange(kept, method, head, body, repeated=False)
            except Lost as lost:
                if lost.answering or lost.silent:
                    raise
        connection = Connection(self._address)
        return self._exchange(connection, method, head, body, repeated=kept is not None)

    def _exchange(
        self, connection: Connection, method: str, head: bytes, body: bytes | memoryview, *, repeated: bool
    ) -> Answer:
        try:
            connection.send(head, body)
            answered = connection.receive_head(bodyless=method == "HEAD")
            received = connection.receive_body(answered)
        except BaseException:
            connection.close()  # nobody knows what its next byte would be
            raise
        if answered.keeps and len(self._idle) < cluster_limits.BLOB_CONNECTIONS_MAX:
            connection.since_s = self._identity.clock()
            self._idle.append(connection)
        else:
            connection.close()
        return Answer(answered, received, repeated)

    def _kept(self) -> Connection | None:
        """The connection used last that is likely to be alive."""
        oldest_s = self._identity.clock() - cluster_limits.BLOB_IDLE_SECONDS_MAX
        while self._idle and self._idle[0].since_s < oldest_s:
            self._idle.popleft().close()
        while self._idle:
            connection = self._idle.pop()
            if not connection.ended():
                return connection
            connection.close()
        return None

    def _refused(self, answer: Answer) -> StoreError:
        kind = ERRORS.get(answer.head.headers.get(ERROR_HEADER, ""))
        line = bytes(answer.body[:400]).decode("utf-8", "replace").strip()
        if kind is None:
            return Unavailable(f"file host {self._address} refused: {answer.head.status} {line}")
        if kind is Conflict and answer.repeated:
            kind = Repeated
        return kind(f"file host {self._address}: {line}")


def verified_body(answer: Answer) -> bytes:
    """The body of an answer that bears its checksum. Raises Corrupt."""
    body = bytes(answer.body)
    if answer.head.headers.get(cluster_secret.CHECKSUM_HEADER, "") != checksum(body):
        raise Corrupt("an answer was damaged on its way")
    return body
