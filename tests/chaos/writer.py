"""One writer of the crash test: a process that changes its own keys in every way S3 has, and keeps a ledger.

Knows requests and what their answers promise. A connection that breaks leaves an operation unsettled: both outcomes
are right then, and the writer goes on with its other keys until it is told to stop.
"""

import hashlib
import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.ledger import ABSENT, ONCE, Ledger
from tests.wire.connection import Answer, Closed, Connection, RawClient
from tests.wire.signer import Credentials

KEYS_EACH = 24
PART_BYTES = 5 * 1024 * 1024
SIZES = (0, 5, 4_096, 16_384, 16_385, 70_000, 300_000, 1_500_000, 9_000_000)
WEIGHTS = (1, 2, 8, 4, 4, 4, 4, 2, 1)
REFUSED = {409, 412, 503, 507}  # answers that promise that nothing happened, as do these codes
REFUSED_CODES = {"NoSuchKey", "NoSuchUpload", "InvalidRequest", "InvalidWriteOffset", "AccessDenied"}


class Unsettled(Exception):
    """The answer never came, or says nothing about the outcome."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who writes where, with which dice, into which ledger."""

    port: int
    credentials: Credentials
    bucket: str
    writer: int
    seed: int
    ledger: Path


class Writer:
    """See the module docstring."""

    def __init__(self, assignment: Assignment) -> None:
        self.at = assignment
        self.dice = random.Random(f"{assignment.seed}/{assignment.writer}")
        self.raw = RawClient("127.0.0.1", assignment.port, assignment.credentials)
        self.ledger = Ledger(assignment.ledger)
        self.etags: dict[str, str] = {}
        self.connection: Connection | None = None
        self.stopping = False
        self.operations = 0

    def run(self) -> None:
        """Work until SIGTERM."""
        signal.signal(signal.SIGTERM, self._stop)
        moves = self.moves()
        while not self.stopping:
            (move,) = self.dice.choices([move for move, _ in moves], [weight for _, weight in moves])
            try:
                move(f"w{self.at.writer}/k{self.dice.randrange(KEYS_EACH):02}")
                self.operations += 1
            except Unsettled:
                self._reconnect()
        self.ledger.close()

    # --- moves

    def moves(self) -> list[tuple[Callable[[str], None], int]]:
        """What this writer does, and how often."""
        moves = [(self.put, 10), (self.delete, 2), (self.conditional, 3), (self.copy, 2), (self.multipart, 1)]
        return [*moves, (self.claim, 2), (self.read, 3), (self.listing, 1), (self.abandon, 1), (self.vanish, 1)]

    def put(self, key: str) -> None:
        """Plain PUT of a random size."""
        body = self._body()
        self._change(key, md5(body), lambda: self._ask("PUT", key, body))

    def delete(self, key: str) -> None:
        """DELETE."""
        self._change(key, ABSENT, lambda: self._ask("DELETE", key))

    def conditional(self, key: str) -> None:
        """PUT if the key is what this writer believes, or (knowing of none) if it is absent."""
        body, etag = self._body(), self.etags.get(key)
        condition = {"if-match": f'"{etag}"'} if etag else {"if-none-match": "*"}
        self._change(key, md5(body), lambda: self._ask("PUT", key, body, condition))

    def copy(self, key: str) -> None:
        """Copy another own key here."""
        source = f"w{self.at.writer}/k{self.dice.randrange(KEYS_EACH):02}"
        held = self._ask("GET", source)
        if source == key or held.status != 200:
            return
        where = {"x-amz-copy-source": f"/{self.at.bucket}/{source}"}
        self._change(key, md5(held.body), lambda: self._ask("PUT", key, b"", where))

    def multipart(self, key: str) -> None:
        """Two parts and their completion."""
        pieces = [self.dice.randbytes(PART_BYTES), self.dice.randbytes(self.dice.choice((1, 20_000, 800_000)))]
        upload = self._begin(key)
        entries = ""
        for number, piece in enumerate(pieces, 1):
            part = self._expect(200, self._ask("PUT", f"{key}?partNumber={number}&uploadId={upload}", piece))
            entries += f"<Part><PartNumber>{number}</PartNumber><ETag>{part.headers['etag']}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()
        self._change(key, md5(b"".join(pieces)), lambda: self._ask("POST", f"{key}?uploadId={upload}", document))

    def claim(self, key: str) -> None:
        """Race the other writers for a shared key that may be written once."""
        shared = f"{ONCE}{self.dice.randrange(200):03}"
        body = f"{shared} of writer {self.at.writer} number {self.operations}".encode()
        self._change(shared, md5(body), lambda: self._ask("PUT", shared, body, {"if-none-match": "*"}))

    def read(self, key: str) -> None:
        """What is read is whole, always."""
        answer = self._ask("GET", key)
        if answer.status == 200 and "-" not in answer.headers["etag"]:
            assert answer.headers["etag"] == f'"{md5(answer.body)}"', f"{key} is torn"

    def listing(self, key: str) -> None:
        """A listing answers."""
        self._expect(200, self._ask("GET", f"?list-type=2&prefix=w{self.at.writer}/"))

    def abandon(self, key: str) -> None:
        """Begin an upload, send a part, abort or forget it."""
        upload = self._begin(key)
        self._ask("PUT", f"{key}?partNumber=1&uploadId={upload}", self._body())
        if self.dice.random() < 0.5:
            self._ask("DELETE", f"{key}?uploadId={upload}")

    def vanish(self, key: str) -> None:
        """Go away in the middle of a PUT: nothing happened."""
        target = f"/{self.at.bucket}/{key}"
        connection = self._connected()
        connection.send_head("PUT", target, self.raw.head("PUT", target, {"content-length": "3000000"}))
        connection.send_tolerant(b"x" * self.dice.choice((0, 10, 100_000, 2_999_999)))
        self._reconnect()

    # --- within

    def _change(self, key: str, state: str, ask: Callable[[], Answer]) -> None:
        self.ledger.intend(key, state)
        known = self.etags.pop(key, None)
        answer = ask()
        if answer.status in (200, 204) and not answer.code:
            self.ledger.settle(key, happened=True)
            if answer.status == 200 and "etag" in answer.headers:
                self.etags[key] = answer.headers["etag"].strip('"')
        elif answer.status in REFUSED or answer.code in REFUSED_CODES:
            self.ledger.settle(key, happened=False)
            if known is not None and answer.status != 412:
                self.etags[key] = known
        else:
            raise Unsettled(f"{answer.status} {answer.code}")

    def _begin(self, key: str) -> str:
        answer = self._expect(200, self._ask("POST", f"{key}?uploads"))
        found = re.search(rb"<UploadId>([^<]+)</UploadId>", answer.body)
        assert found is not None
        return found[1].decode()

    def _expect(self, status: int, answer: Answer) -> Answer:
        if answer.status != status:
            raise Unsettled(f"{answer.status} {answer.code}")
        return answer

    def _ask(self, method: str, key: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        return self._ask_of(self.at.bucket, method, key, body, headers)

    def _ask_of(
        self, bucket: str, method: str, key: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        target = f"/{bucket}/{key}" if not key.startswith("?") else f"/{bucket}{key}"
        try:
            answer = self.raw.on(self._connected(), method, target, body, headers)
        except (Closed, OSError, ValueError, IndexError) as error:
            raise Unsettled from error
        assert answer.status != 500, f"{method} {target}: {answer.body!r}"
        if answer.headers.get("connection", "").lower() == "close":
            self._reconnect()
        return answer

    def _connected(self) -> Connection:
        while self.connection is None:
            try:
                self.connection = self.raw.connect(30)
            except OSError:
                if self.stopping:
                    raise Unsettled from None
                time.sleep(0.02)
        return self.connection

    def _reconnect(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _body(self) -> bytes:
        (size,) = self.dice.choices(SIZES, WEIGHTS)
        if size and self.dice.random() < 0.2:
            return bytes([self.dice.randrange(4)]) * size  # the same bytes as others: deduplication is under fire too
        return self.dice.randbytes(size)

    def _stop(self, *_: object) -> None:
        self.stopping = True


def md5(data: bytes) -> str:
    """Hex MD5."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
