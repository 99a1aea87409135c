"""Raw sockets and real gunicorns, for tests of what is on the wire."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMPATIENT = "tests.integration.echo_app.ImpatientWorker"
PATIENT = "app.runtime.http1.worker.LeanWorker"
STOCK = "gevent"


@dataclass
class Answer:
    """One parsed answer. `whole`: its framing was complete."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    whole: bool = True


@dataclass
class Heard:
    """Everything that came back on a connection: the answers in order, and how it ended."""

    answers: list[Answer] = field(default_factory=list)
    closed: bool = False
    reset: bool = False

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


class Gunicorn:
    """A gunicorn of its own serving the echo application under one worker class."""

    def __init__(
        self, directory: Path, worker_class: str, *arguments: str, environ: dict[str, str] | None = None
    ) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "gunicorn.conf.py").write_text("")
        self.span = directory / "span"
        self.span.write_bytes(os.urandom(3_000_001))
        self.log = directory / "log"
        command = [sys.executable, "-m", "gunicorn", "-c", str(directory / "gunicorn.conf.py"), "-k", worker_class]
        command += ["-b", "127.0.0.1:0", "-w", "1", "--graceful-timeout", "5", "--log-level", "debug", *arguments]
        command += ["tests.integration.echo_app:app"]
        settings = {"ECHO_SPAN_FILE": str(self.span), "ECHO_MARKS": str(directory), **(environ or {})}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=log, stderr=log)
        self.port = self._await_port()

    def _await_port(self) -> int:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            match = re.search(r"Listening at: http://127.0.0.1:(\d+)", self.log.read_text())
            if match and "Booting worker" in self.log.read_text():
                return int(match[1])
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"gunicorn did not start:\n{self.log.read_text()}")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        if self.process.poll() is None:
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def connect(self, timeout_s: float = 5.0, *, receive_buffer: int = 0) -> socket.socket:
        client = socket.socket()
        client.settimeout(timeout_s)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.connect(("127.0.0.1", self.port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def ask(self, raw: bytes, *, methods: tuple[str, ...] = (), answers: int | None = None) -> Heard:
        """Send `raw`, hear `answers` answers (None: until the server closes), then close."""
        with self.connect() as client:
            with contextlib.suppress(ConnectionError):  # The server may have refused and closed half way.
                client.sendall(raw)
            return hear(client, methods=methods, answers=answers)


def hear(client: socket.socket, *, methods: tuple[str, ...] = (), answers: int | None = None) -> Heard:
    """Read until `answers` whole answers are there, or to the end of the stream. TimeoutError when neither comes."""
    data, heard = b"", Heard()
    while True:
        heard.answers = parse(data, methods, closed=heard.closed)
        if heard.closed or (answers is not None and sum(answer.whole for answer in heard.answers) >= answers):
            return heard
        try:
            fresh = client.recv(262_144)
        except ConnectionResetError:
            heard.closed = heard.reset = True
            continue
        heard.closed = not fresh
        data += fresh


def parse(data: bytes, methods: tuple[str, ...] = (), *, closed: bool = False) -> list[Answer]:
    """The answers in `data`, the last perhaps not whole. `methods` of the requests tell which have no body."""
    answers: list[Answer] = []
    while data:
        head, blank, rest = data.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.") and head.count(b" ") >= 2 else 0
        lines = head.decode("latin-1").split("\r\n")[1:]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        answer = Answer(status, headers, whole=bool(blank))
        if status == 100:
            data = rest
            answers.append(answer)
            continue
        method = methods[len(answers)] if len(answers) < len(methods) else "GET"
        data = _take_body(answer, method, rest, closed=closed)
        answers.append(answer)
    return answers


def _take_body(answer: Answer, method: str, rest: bytes, *, closed: bool) -> bytes:
    """Fill in the body; what follows it is returned."""
    if method == "HEAD" or answer.status in (204, 304):
        return rest
    if "chunked" in answer.headers.get("transfer-encoding", ""):
        return _take_chunks(answer, rest)
    if "content-length" in answer.headers:
        length = int(answer.headers["content-length"])
        answer.body, answer.whole = rest[:length], answer.whole and len(rest) >= length
        return rest[length:]
    answer.body, answer.whole = rest, closed
    return b""


def _take_chunks(answer: Answer, rest: bytes) -> bytes:
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            answer.whole = False
            return b""
        size = int(line, 16)
        if len(rest) < size + 2:
            answer.body += rest[:size]
            answer.whole = False
            return b""
        answer.body += rest[:size]
        rest = rest[size + 2 :]
        if size == 0:
            return rest


def request(target: str = "/echo", method: str = "GET", headers: bytes = b"", body: bytes = b"") -> bytes:
    """A plain HTTP/1.1 request; `headers` as whole lines with their CRLF."""
    return f"{method} {target} HTTP/1.1\r\nHost: h\r\n".encode() + headers + b"\r\n" + body
