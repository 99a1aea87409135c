"""Clients that change and read a handful of keys and many keys, over every gateway, and record all of it.

Knows requests, and what each answer promises (`judged`). A client has one request in flight; when an answer does not
come in time, its outcome is unknown and the client goes on with another connection.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import unescape

from tests.chaos.cluster.history import ABSENT, TORN, History, Kind, Operation, Outcome
from tests.chaos.cluster.values import Etags, bytes_of, parts_of, value_of
from tests.wire.connection import Answer, Closed, Connection, RawClient
from tests.wire.signer import Credentials

HOT_KEYS = 4
MANY_KEYS = 60
SIZES = (60, 4_000, 20_000, 300_000, 1_500_000, 9_000_000)
WEIGHTS = (3, 3, 4, 4, 2, 0.5)
ANSWER_SECONDS_MAX = 20.0
CONTENT = re.compile(rb"<Key>([^<]+)</Key>.*?<ETag>([^<]+)</ETag>", re.DOTALL)
UPLOAD = re.compile(rb"<UploadId>([^<]+)</UploadId>")
NOTHING_HAPPENED = {409, 507}


@dataclass(frozen=True, slots=True)
class Ask:
    """One operation on one key before it is asked."""

    key: str
    kind: Kind
    value: str = ABSENT
    expected: str = ABSENT


def judged(ask: Ask, answer: Answer | None) -> Outcome:
    """What an answer promises of a change. A 503 may follow a commit whose answer was lost: it promises nothing."""
    if answer is None or answer.code == "InternalError":
        return Outcome.UNKNOWN
    if answer.status in (200, 204) and not answer.code:
        return Outcome.OK
    conditional = ask.kind in (Kind.CREATE, Kind.REPLACE)
    if conditional and (answer.status == 412 or answer.code in ("PreconditionFailed", "NoSuchKey")):
        return Outcome.REFUSED
    return Outcome.FAILED if answer.status in NOTHING_HAPPENED else Outcome.UNKNOWN


def _told(answer: Answer | None) -> str:
    return "no answer" if answer is None else f"{answer.status} {answer.code}".strip()


@dataclass(slots=True)
class Scene:
    """What all clients share. `gateways`: (host, port) of each."""

    gateways: Sequence[tuple[str, int]]
    credentials: Credentials
    bucket: str
    history: History = field(default_factory=History)
    etags: Etags = field(default_factory=Etags)
    known: dict[str, str] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    wrong: list[str] = field(default_factory=list)

    def all_keys(self) -> list[str]:
        """Every key anybody touches."""
        hot = [f"hot/{number}" for number in range(HOT_KEYS)]
        return hot + [f"many/{number:03}" for number in range(MANY_KEYS)]


class Client:
    """One client; `run` until the scene stops."""

    def __init__(self, scene: Scene, name: str, seed: int) -> None:
        self.scene = scene
        self.name = name
        self.dice = random.Random(f"{seed}/{name}")
        self.count = 0
        self.statuses: dict[int, int] = {}
        self._connections: dict[tuple[str, int], Connection] = {}

    def run(self) -> None:
        """Until told to stop; what breaks here is a fault of the suite, and said."""
        moves = self._moves()
        try:
            while not self.scene.stop.is_set():
                (move,) = self.dice.choices([one for one, _ in moves], [weight for _, weight in moves])
                move(self._key())
        except Exception as error:  # noqa: BLE001 -- a thread's end must not go unseen
            self.scene.wrong.append(f"client {self.name}: {error!r}")
        finally:
            for connection in self._connections.values():
                connection.close()

    # --- moves

    def _moves(self) -> list[tuple[Callable[[str], None], int]]:
        reads = [(self.read, 10), (self.read_range, 3), (self.listing, 1)]
        changes = [(self.put, 8), (self.delete, 2), (self.create, 2), (self.replace, 2), (self.multipart, 1)]
        return [*reads, *changes]

    def put(self, key: str) -> None:
        """Plain PUT."""
        self._write(Ask(key, Kind.WRITE, self._value()), {})

    def create(self, key: str) -> None:
        """PUT if absent."""
        self._write(Ask(key, Kind.CREATE, self._value()), {"if-none-match": "*"})

    def replace(self, key: str) -> None:
        """PUT if it is still what somebody saw last."""
        etag = self.scene.known.get(key)
        if etag:
            self._write(Ask(key, Kind.REPLACE, self._value(), self.scene.etags.value(etag)), {"if-match": etag})

    def delete(self, key: str) -> None:
        """DELETE."""
        self._change(Ask(key, Kind.DELETE), lambda: self._call("DELETE", f"/{self.scene.bucket}/{key}"))

    def read(self, key: str) -> None:
        """GET, every byte compared."""
        called = time.monotonic()
        answer = self._call("GET", f"/{self.scene.bucket}/{key}")
        seen = self._seen(answer)
        if answer is not None and answer.status == 200:
            seen = value_of(answer.body)
            if seen != self.scene.etags.value(answer.headers["etag"]):
                seen = TORN
            self.scene.known[key] = answer.headers["etag"]
        self._saw(key, seen, called, _told(answer))

    def read_range(self, key: str) -> None:
        """GET of some bytes."""
        first = self.dice.choice((0, 1, 70_000, 1_000_000, 8_388_600))
        called = time.monotonic()
        answer = self._call("GET", f"/{self.scene.bucket}/{key}", headers={"range": f"bytes={first}-{first + 70_000}"})
        seen = self._seen(answer)
        if answer is not None and answer.status == 206:
            seen = self.scene.etags.value(answer.headers["etag"])
            if seen != TORN and bytes_of(seen)[first : first + 70_001] != answer.body:
                seen = TORN
        self._saw(key, seen, called, f"range {_told(answer)}")

    def listing(self, _: str) -> None:
        """LIST of the hot keys: a read of each."""
        called = time.monotonic()
        answer = self._call("GET", f"/{self.scene.bucket}?list-type=2&prefix=hot/")
        if answer is None or answer.status != 200:
            return
        found = {key.decode(): unescape(etag.decode()) for key, etag in CONTENT.findall(answer.body)}
        for number in range(HOT_KEYS):
            etag = found.get(f"hot/{number}")
            self._saw(f"hot/{number}", ABSENT if etag is None else self.scene.etags.value(etag), called, "list")

    def multipart(self, key: str) -> None:
        """An upload of two parts and its completion."""
        value = f"{self.name}.{self._next()}.{5 * 1024 * 1024 + self.dice.choice((1, 20_000, 800_000))}"
        self.scene.etags.note(value, parts=True)
        begun = self._call("POST", f"/{self.scene.bucket}/{key}?uploads")
        found = UPLOAD.search(begun.body) if begun is not None else None
        if found is None:
            return
        upload, entries = found[1].decode(), ""
        for number, part in enumerate(parts_of(value), 1):
            answer = self._call("PUT", f"/{self.scene.bucket}/{key}?partNumber={number}&uploadId={upload}", part)
            if answer is None or answer.status != 200:
                return
            entries += f"<Part><PartNumber>{number}</PartNumber><ETag>{answer.headers['etag']}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()
        target = f"/{self.scene.bucket}/{key}?uploadId={upload}"
        self._change(Ask(key, Kind.WRITE, value), lambda: self._call("POST", target, document), "multipart")

    # --- within

    def _write(self, ask: Ask, headers: dict[str, str]) -> None:
        self.scene.etags.note(ask.value)
        body = bytes_of(ask.value)
        self._change(ask, lambda: self._call("PUT", f"/{self.scene.bucket}/{ask.key}", body, headers))

    def _change(self, ask: Ask, call: Callable[[], Answer | None], note: str = "") -> None:
        called = time.monotonic()
        answer = call()
        outcome = judged(ask, answer)
        self.scene.history.add(
            Operation(
                ask.key,
                ask.kind,
                ask.value,
                outcome,
                called,
                time.monotonic(),
                ask.expected,
                self.name,
                f"{note} {_told(answer)}".strip(),
            )
        )

    def _seen(self, answer: Answer | None) -> str | None:
        """What a read without bytes saw; None when it saw nothing that counts."""
        if answer is None or answer.status not in (404, 416):
            return None
        return ABSENT if answer.code == "NoSuchKey" else None

    def _saw(self, key: str, seen: str | None, called: float, note: str = "") -> None:
        """Record a read; one that saw nothing has failed."""
        outcome = Outcome.FAILED if seen is None else Outcome.OK
        now = time.monotonic()
        self.scene.history.add(
            Operation(key, Kind.READ, seen or ABSENT, outcome, called, now, client=self.name, note=note)
        )

    def _key(self) -> str:
        hot = self.dice.random() < 0.5
        return f"hot/{self.dice.randrange(HOT_KEYS)}" if hot else f"many/{self.dice.randrange(MANY_KEYS):03}"

    def _value(self) -> str:
        (size,) = self.dice.choices(SIZES, WEIGHTS)
        return f"{self.name}.{self._next()}.{size}"

    def _next(self) -> int:
        self.count += 1
        return self.count

    def _call(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer | None:
        """Ask any gateway; None when no answer came."""
        where = self.dice.choice(self.scene.gateways)
        raw = RawClient(*where, self.scene.credentials)
        try:
            connection = self._connections.pop(where, None) or raw.connect(ANSWER_SECONDS_MAX)
        except OSError:
            time.sleep(0.05)
            return None
        try:
            answer = raw.on(connection, method, target, body, headers)
        except (Closed, OSError, ValueError, IndexError):
            connection.close()
            return None
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        if answer.headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            self._connections[where] = connection
        return answer


@dataclass(slots=True)
class Workload:
    """Clients in threads of their own, between `start` and `stop`."""

    scene: Scene
    clients: list[Client]
    threads: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def of(cls, scene: Scene, count: int, seed: int) -> "Workload":
        """`count` clients with dice of their own."""
        return cls(scene, [Client(scene, f"c{number}", seed) for number in range(count)])

    def start(self) -> None:
        """Begin."""
        self.threads = [threading.Thread(target=client.run, name=client.name, daemon=True) for client in self.clients]
        for thread in self.threads:
            thread.start()

    def stop(self) -> dict[int, int]:
        """End after the requests in flight; how often each status was answered."""
        self.scene.stop.set()
        for thread in self.threads:
            thread.join(4 * ANSWER_SECONDS_MAX)
            assert not thread.is_alive(), f"client {thread.name} does not end"
        assert not self.scene.wrong, self.scene.wrong
        statuses: dict[int, int] = {}
        for client in self.clients:
            for status, count in client.statuses.items():
                statuses[status] = statuses.get(status, 0) + count
        return dict(sorted(statuses.items()))
