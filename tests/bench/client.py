"""The load generator of one process: a few connections, each with one request in flight, on one epoll loop.

Requests are written and signed before the clock starts, so that what is measured is the server and not this client.
Knows HTTP just well enough to check every answer: status, length, and of a sample the MD5. Must not know S3.
"""

import hashlib
import select
import socket
import struct
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

MIB = 1024 * 1024
STAMP_EVERY_BYTES = MIB  # content that never repeats within a chunk leaves nothing to deduplicate
SAMPLE_EVERY = 64  # answers between two whose MD5 is checked, where bodies are small
SAMPLE_BYTES_MAX = 64 * 1024
STEP_SECONDS_MAX = 30.0  # no answer at all for this long ends the run as broken


class WrongAnswer(Exception):
    """The server answered something else than it must."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one process does: `heads` in turn (request heads, complete and signed) over `connections` connections.

    `body_bytes` > 0 makes each a PUT with a fresh body of that size. Every answer must have one of `statuses` and be of
    `answer_bytes` (-1 = any); `digests[i]` is the hex MD5 of what `heads[i]` reads. No request begins after `seconds`,
    nor, with `once`, when every head was used. With `etag_is_md5` each connection's last body is checked by its ETag.
    """

    host: str
    port: int
    heads: Sequence[bytes]
    connections: int
    seconds: float
    statuses: tuple[int, ...] = (200,)
    body_bytes: int = 0
    answer_bytes: int = -1
    digests: Sequence[str] = ()
    once: bool = False
    seed: int = 0
    etag_is_md5: bool = False


@dataclass(slots=True)
class Tally:
    """What came of it: seconds of every answer, and when the last one came."""

    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    begun_s: float = 0.0
    ended_s: float = 0.0
    sampled: int = 0


class Lane:
    """One connection and the request in flight on it."""

    def __init__(self, load: Load, number: int) -> None:
        self.load = load
        self.sock = socket.create_connection((load.host, load.port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.input = memoryview(bytearray(max(MIB, 64 * 1024)))
        self.body = bytearray(self._pattern(number)) if load.body_bytes else bytearray()
        self.output: list[memoryview] = []
        self.index = 0
        self.begun = 0.0
        self.serial = number << 40
        self.checked = 0
        self.last_head = b""
        self._await_head()

    def _pattern(self, number: int) -> bytes:
        seed = hashlib.sha256(f"{self.load.seed}/{number}".encode()).digest()
        return hashlib.shake_128(seed).digest(min(self.load.body_bytes, MIB)) * -(-self.load.body_bytes // MIB)

    def _await_head(self) -> None:
        self.filled = 0
        self.left = -1
        self.digest: hashlib._Hash | None = None

    def begin(self, index: int, now: float) -> bool:
        """Send the next request; False when the socket takes no more now."""
        self.index, self.begun = index, now
        self.output = [memoryview(self.load.heads[index])]
        if self.body:
            self.serial += 1
            for at in range(0, self.load.body_bytes - 7, STAMP_EVERY_BYTES):
                struct.pack_into("<Q", self.body, at, self.serial + at)
            self.output.append(memoryview(self.body)[: self.load.body_bytes])
        return self.push()

    def push(self) -> bool:
        """Send as much as the socket takes. True when all is sent."""
        while self.output:
            try:
                sent = self.sock.sendmsg(self.output)
            except BlockingIOError:
                return False
            while self.output and sent >= len(self.output[0]):
                sent -= len(self.output.pop(0))
            if sent:
                self.output[0] = self.output[0][sent:]
        return True

    def pull(self, sample: bool) -> bool:
        """Receive what is there. True when the answer is complete and right. Raises WrongAnswer."""
        while True:
            try:
                got = self.sock.recv_into(self.input[self.filled :] if self.left < 0 else self.input)
            except BlockingIOError:
                return False
            if not got:
                raise WrongAnswer("the server closed the connection")
            if self.left < 0:
                self.filled += got
                if not self._head_read(sample):
                    continue
            else:
                self._body_read(self.input[:got])
            if self.left == 0:
                self._check_digest()
                self._await_head()
                return True
            if got < 65_536 and self.left > 0:
                return False

    def _head_read(self, sample: bool) -> bool:
        data = bytes(self.input[: min(self.filled, 16_384)])
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = data[:end].lower()
        status = int(head[9:12])
        at = head.find(b"\r\ncontent-length:")
        length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if self.load.heads[self.index].startswith(b"HEAD") or status == 204:
            expected, length = length, 0
        else:
            expected = length
        if status not in self.load.statuses or self.load.answer_bytes not in (-1, expected):
            raise WrongAnswer(f"{status}, {expected} bytes: {data[: end + 500]!r}")
        self.last_head = head
        if sample:
            self.digest = hashlib.md5(usedforsecurity=False)
        self.left = length
        self._body_read(self.input[end + 4 : self.filled])
        return True

    def _body_read(self, view: memoryview) -> None:
        if self.digest is not None:
            self.digest.update(view)
        self.left -= len(view)
        if self.left < 0:
            raise WrongAnswer("more bytes than Content-Length says")

    def _check_digest(self) -> None:
        if self.digest is not None:
            self.checked += 1
            if self.digest.hexdigest() != self.load.digests[self.index]:
                raise WrongAnswer(f"wrong bytes for {self.load.heads[self.index][:80]!r}")

    def check_last_body(self) -> None:
        """The ETag of the last PUT is the MD5 of what was sent. Raises WrongAnswer."""
        digest = hashlib.md5(memoryview(self.body)[: self.load.body_bytes], usedforsecurity=False).hexdigest()
        self.checked += 1
        if digest.encode() not in self.last_head:
            raise WrongAnswer(f"the ETag is not the MD5 of the body: {self.last_head!r}")


class Run:
    """One process's share of a measurement. Connects at once; `go` measures."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.tally = Tally()
        self.turn = 0
        self.active: set[int] = set()
        self.poll = select.epoll()
        lanes = (Lane(load, number) for number in range(load.connections))
        self.lanes = {lane.sock.fileno(): lane for lane in lanes}
        for fd in self.lanes:
            self.poll.register(fd, select.EPOLLIN)
        self.sampling = bool(load.digests) and 0 < load.answer_bytes <= SAMPLE_BYTES_MAX

    def go(self) -> Tally:
        """Drive the load to its end; every answer was right when this returns. Raises WrongAnswer, OSError."""
        now = self.tally.begun_s = time.monotonic()
        self.stop_s = now + self.load.seconds
        for fd in self.lanes:
            self._next(fd, now)
        while self.active:
            events = self.poll.poll(STEP_SECONDS_MAX)
            if not events:
                raise WrongAnswer(f"no answer for {STEP_SECONDS_MAX} s")
            for fd, event in events:
                self._serve(fd, event)
        self._close()
        return self.tally

    def _next(self, fd: int, now: float) -> None:
        if now >= self.stop_s or (self.load.once and self.turn >= len(self.load.heads)):
            self.active.discard(fd)
            self.tally.ended_s = now
            return
        self.active.add(fd)
        if not self.lanes[fd].begin(self.turn % len(self.load.heads), now):
            self.poll.modify(fd, select.EPOLLIN | select.EPOLLOUT)
        self.turn += 1

    def _serve(self, fd: int, event: int) -> None:
        lane = self.lanes[fd]
        if event & select.EPOLLOUT and lane.push():
            self.poll.modify(fd, select.EPOLLIN)
        if event & ~select.EPOLLOUT and lane.pull(self.sampling and self.turn % SAMPLE_EVERY == 0):
            now = time.monotonic()
            self.tally.latencies.append(now - lane.begun)
            self._next(fd, now)

    def _close(self) -> None:
        for lane in self.lanes.values():
            if self.load.etag_is_md5 and lane.last_head:
                lane.check_last_body()
            self.tally.sampled += lane.checked
            lane.sock.close()
        self.poll.close()
