"""A raw HTTP/1.1 connection: sends any bytes, right or wrong, and reads answers strictly.

Knows framing of answers by Content-Length or chunked coding. Must not correct what a test wants to get wrong.
"""

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

from tests.wire.signer import EMPTY_SHA256, UNSIGNED, Credentials, Signer


class Closed(Exception):
    """The peer closed (or reset) the connection before a whole answer was read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The S3 error code of an `<Error>` body, else ""."""
        found = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return found[1].decode() if found else ""


@dataclass(slots=True)
class Connection:
    """One TCP connection with a timeout on every step, in seconds."""

    host: str
    port: int
    timeout_s: float = 20.0
    sock: socket.socket = field(init=False)
    source: str = ""
    buffer: bytearray = field(init=False, default_factory=bytearray)

    def __post_init__(self) -> None:
        self.sock = socket.create_connection((self.host, self.port), self.timeout_s, (self.source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close at once; unread input makes this a reset, as with a client that died."""
        self.sock.close()

    @property
    def authority(self) -> str:
        """What a client of this endpoint writes in Host."""
        return f"{self.host}:{self.port}"

    def send(self, data: bytes) -> None:
        """Send everything. Closed when the peer went away, so that the answer it left may still be read."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error

    def send_tolerant(self, data: bytes) -> None:
        """Send as far as the peer takes it: a refusal may close the connection before the body was read."""
        try:
            self.send(data)
        except Closed:
            return

    def send_head(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        """Send a request's head as given, nothing added."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.send_tolerant(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))

    def answer(self, method: str = "GET") -> Answer:
        """The next final answer (1xx skipped). Raises Closed, TimeoutError."""
        while True:
            head = self._until(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            if status >= 200:
                break
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
        if method == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, self._chunked())
        return Answer(status, headers, self._exactly(int(headers.get("content-length", "0"))))

    def interim(self) -> int:
        """The status of the next answer's head, 100 included."""
        return int(self._until(b"\r\n\r\n").split(b" ")[1])

    def ended(self, within_s: float = 10.0) -> bool:
        """True when the peer closes within the time; bytes still coming are dropped."""
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                if not self.sock.recv(65536):
                    return True
            except ConnectionResetError:
                return True
            except TimeoutError:
                return False
        return False

    def _fill(self) -> None:
        self.sock.settimeout(self.timeout_s)
        try:
            data = self.sock.recv(1 << 20)
        except ConnectionResetError as error:
            raise Closed from error
        if not data:
            raise Closed
        self.buffer += data

    def _until(self, mark: bytes) -> bytes:
        while (at := self.buffer.find(mark)) < 0:
            self._fill()
        return self._take(at + len(mark))

    def _exactly(self, length: int) -> bytes:
        while len(self.buffer) < length:
            self._fill()
        return self._take(length)

    def _take(self, length: int) -> bytes:
        taken = bytes(self.buffer[:length])
        del self.buffer[:length]
        return taken

    def _chunked(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            body += self._exactly(size + 2)[:-2]
        self._until(b"\r\n")
        return body


@dataclass(frozen=True, slots=True)
class RawClient:
    """Signed requests by hand to one endpoint."""

    host: str
    port: int
    credentials: Credentials
    region: str = "us-east-1"
    source: str = ""
    """The address to come from, of this machine's; "" for any."""

    @property
    def signer(self) -> Signer:
        """The signer of these credentials."""
        return Signer(self.credentials, self.region)

    def connect(self, timeout_s: float = 20.0) -> Connection:
        """A new connection."""
        return Connection(self.host, self.port, timeout_s, source=self.source)

    def head(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, payload: str = UNSIGNED
    ) -> dict[str, str]:
        """Signed headers of a request, Host included."""
        return self.signer.sign(method, target, {"host": f"{self.host}:{self.port}"} | dict(headers or {}), payload)

    def on(
        self,
        connection: Connection,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One good signed request on a connection, and its answer."""
        extra = dict(headers or {})
        if body or method in ("PUT", "POST"):
            extra["content-length"] = str(len(body))
        connection.send_head(method, target, self.head(method, target, extra, UNSIGNED if body else EMPTY_SHA256))
        if body:
            connection.send_tolerant(body)
        return connection.answer(method)

    def call(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One good signed request on a connection of its own."""
        with self.connect() as connection:
            return self.on(connection, method, target, body, headers)
