"""One JSON line per record on standard error, written beside the work and never waited for.

Knows the fields a record may have; there is no way to write another, so nothing secret gets in by being passed along.
Lines stay below PIPE_BUF and are written only when the pipe takes them whole: lines of several processes never mix, and
a reader that stopped costs lines (counted and reported), never requests.
"""

import json
import logging
import os
import select
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from app.core.limits import LOG_BUFFER_LINES_MAX, LOG_LINE_BYTES_MAX

LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
FIELDS: Final = frozenset(
    {
        "request_id",
        "operation",
        "method",
        "bucket",
        "key",
        "status",
        "code",
        "reason",
        "caller",
        "access_key_id",
        "remote",
        "bytes_in",
        "bytes_out",
        "seconds",
        "stages",
        "task",
        "role",
        "pid",
        "worker",
        "account",
        "count",
        "trace",
        "logger",
    }
)
"""Everything a record may say beside time, level and event."""

_quoted: Final = json.encoder.encode_basestring_ascii
_encode: Final = json.JSONEncoder(separators=(",", ":"), default=repr, check_circular=False).encode
_STDERR: Final = 2
_REASON_CHARS_MAX: Final = 400
_TEXT_CHARS_MAX: Final = 1_200  # one text field; the whole line is cut at LOG_LINE_BYTES_MAX


class Request(Protocol):
    """What is told of an answered request. `request_id`, `operation`, `code` and `remote` are made by the server."""

    @property
    def request_id(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def bucket(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def code(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def access_key_id(self) -> str: ...
    @property
    def remote(self) -> str: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def bytes_out(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def stages(self) -> Mapping[str, float]: ...


class Log:
    """A buffer of lines and the descriptor they go to. `flush` is to be called every LOG_FLUSH_SECONDS.

    `now_ms` gives milliseconds since the epoch, UTC.
    """

    def __init__(self, level: str, now_ms: Callable[[], int], fd: int = _STDERR) -> None:
        self._threshold = LEVELS[level]
        self._now_ms = now_ms
        self._fd = fd
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def wants(self, level: str) -> bool:
        """Whether a record of this level would be written; spares its making on the hot path."""
        return LEVELS[level] >= self._threshold

    def write(self, level: str, event: str, **fields: object) -> None:
        """Queue one record. A field outside FIELDS is a bug (ValueError); None and "" are left out."""
        if LEVELS[level] < self._threshold:
            return
        if not fields.keys() <= FIELDS:
            raise ValueError(f"no such log fields: {sorted(fields.keys() - FIELDS)}")
        if len(self._lines) >= LOG_BUFFER_LINES_MAX:
            self._dropped += 1
            return
        self._lines.append(_line(self._now_ms(), level, event, fields))

    def request(self, level: str, record: Request) -> None:
        """As `write`, for the one record every request leaves: its form is fixed, so it costs a third."""
        if LEVELS[level] < self._threshold:
            return
        if len(self._lines) >= LOG_BUFFER_LINES_MAX:
            self._dropped += 1
            return
        line = (
            f'{{"time":{self._now_ms() / 1000},"level":"{level}","event":"request","request_id":"{record.request_id}",'
            f'"operation":"{record.operation}","method":{_quoted(record.method)},"bucket":{_quoted(record.bucket)},'
            f'"status":{record.status},"code":"{record.code}","reason":{_quoted(record.reason[:_REASON_CHARS_MAX])},'
            f'"access_key_id":{_quoted(record.access_key_id)},"remote":"{record.remote}","bytes_in":{record.bytes_in},'
            f'"bytes_out":{record.bytes_out},"seconds":{record.seconds:.6f},"stages":{_plain(record.stages)}}}\n'
        )
        if len(line) > LOG_LINE_BYTES_MAX:
            self.write(level, "request", request_id=record.request_id, operation=record.operation, status=record.status)
        else:
            self._lines.append(line.encode("ascii"))

    def failure(self, event: str, error: BaseException, **fields: object) -> None:
        """Queue an error record with the end of the traceback. The message of a bug may quote anything but a secret;
        secrets are never part of an exception's text (see app/core/auth)."""
        trace = "".join(traceback.format_exception(error, limit=-8))
        self.write(
            "error", event, reason=f"{type(error).__name__}: {error}", trace=trace[-3 * _TEXT_CHARS_MAX :], **fields
        )

    def flush(self) -> None:
        """Write what the descriptor takes now without waiting."""
        if self._dropped and len(self._lines) < LOG_BUFFER_LINES_MAX:
            dropped, self._dropped = self._dropped, 0
            self.write("error", "log lines dropped: standard error is not being read", count=dropped)
        while self._lines and self._writable():
            batch = self._batch()
            try:
                os.write(self._fd, batch)
            except OSError:
                return  # nobody reads any more; there is nowhere to say so

    def _writable(self) -> bool:
        # A pipe polls writable when PIPE_BUF bytes fit, and a write of at most that many is atomic: pipe(7).
        return any(event & select.POLLOUT for _, event in self._poll.poll(0))

    def _batch(self) -> bytes:
        lines = [self._lines.popleft()]
        size = len(lines[0])
        while self._lines and size + len(self._lines[0]) <= LOG_LINE_BYTES_MAX:
            size += len(self._lines[0])
            lines.append(self._lines.popleft())
        return b"".join(lines)


def _line(now_ms: int, level: str, event: str, fields: Mapping[str, object]) -> bytes:
    """One record of at most LOG_LINE_BYTES_MAX bytes."""
    line = _rendered(now_ms, level, event, fields)
    if len(line) > LOG_LINE_BYTES_MAX:
        # A character may have become twelve bytes. Every text is cut to its end, where a traceback says the most.
        room = (LOG_LINE_BYTES_MAX - 40 * (len(fields) + 2)) // (12 * (len(fields) + 1))
        cut = {name: value[-room:] if isinstance(value, str) else value for name, value in fields.items()}
        line = _rendered(now_ms, level, event[:room], cut)
        if len(line) > LOG_LINE_BYTES_MAX:
            line = _rendered(now_ms, level, event[:room], {})
    return line.encode("ascii")


def _rendered(now_ms: int, level: str, event: str, fields: Mapping[str, object]) -> str:
    """Put together by hand: it is done once for every request."""
    parts = [f'{{"time":{now_ms / 1000},"level":"{level}","event":{_quoted(event[:_TEXT_CHARS_MAX])}']
    for name, value in fields.items():
        kind = type(value)
        if kind is str:
            if value:
                parts.append(f',"{name}":{_quoted(value[-3 * _TEXT_CHARS_MAX :])}')  # type: ignore[index]
        elif kind is int:
            parts.append(f',"{name}":{value}')
        elif kind is float:
            parts.append(f',"{name}":{value:.6f}')
        elif value is not None:
            parts.append(f',"{name}":{_plain(value)}')
    return "".join(parts) + "}\n"


def _plain(value: object) -> str:
    """Stages: a mapping of names to seconds; anything else as it prints."""
    if isinstance(value, dict):
        try:
            return "{" + ",".join([f"{_quoted(name)}:{seconds:.6f}" for name, seconds in value.items()]) + "}"
        except (TypeError, ValueError):
            return _encode(value)
    return _encode(value)


class JsonFormatter(logging.Formatter):
    """The same form for the records of libraries (gunicorn, werkzeug), which use the logging module."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON line without its end."""
        fields: dict[str, object] = {"logger": record.name, "pid": record.process}
        if record.exc_info and record.exc_info[1] is not None:
            trace = "".join(traceback.format_exception(record.exc_info[1], limit=-8))
            fields["trace"] = trace[-3 * _TEXT_CHARS_MAX :]
        now_ms = int(record.created * 1000)
        return _line(now_ms, record.levelname.lower(), record.getMessage(), fields).decode().rstrip("\n")


def library_logging(level: str) -> dict[str, object]:
    """A logging configuration (logging.config.dictConfig) for what libraries say; never chattier than warning."""
    quiet = level if LEVELS[level] >= LEVELS["warning"] else "warning"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "root": {"level": quiet.upper(), "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": quiet.upper(), "handlers": ["stderr"], "propagate": False},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }
