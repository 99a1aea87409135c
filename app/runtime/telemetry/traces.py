"""What is known of recent requests: a line each, in two files of a worker that take turns; and finding one again.

Knows the form of a line and the files' bounds. Must not know who may read one (app/services/gate/requests). A line has
no query, header or body of the request, so no secret; the key is the customer's and shown to few. Nothing is durable:
what a worker has not written when it is killed, at most a second's, is forgotten.
"""

import json
import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

from app.core.errors import Unavailable
from app.core.limits import (
    TRACE_FILE_BYTES,
    TRACE_FILES_MAX,
    TRACE_TEXT_CHARS_MAX,
    TRACE_UNWRITTEN_MAX,
)
from app.core.policy.evaluation import Decision
from app.runtime.telemetry.log import Request

_quoted: Final = json.encoder.encode_basestring_ascii
_FORMER: Final = ".1"
NAMES: Final = (
    "request_id",
    "time_ms",
    "operation",
    "method",
    "bucket",
    "key",
    "status",
    "code",
    "reason",
    "arn",
    "account_id",
    "access_key_id",
    "remote",
    "decision",
    "why",
    "bytes_in",
    "bytes_out",
    "seconds",
    "stages",
    "chunks",
    "node",
    "worker",
)
"""What a line says, in its order: names in each line would cost as much again."""


class Caller(Protocol):
    """services.call.Caller, without knowing of services."""

    @property
    def account_id(self) -> str: ...
    @property
    def principal(self) -> Any: ...


class Marks(Protocol):
    """services.call.Stages."""

    decision: Decision | None
    chunks: int


class Traced(Request, Protocol):
    """An answered request, with what its log line does not say."""

    @property
    def caller(self) -> Caller: ...
    @property
    def key(self) -> bytes: ...
    @property
    def marks(self) -> Marks: ...


class Traces:
    """Of one worker process. `flush` is to be called every second, and at its end."""

    def __init__(self, directory: Path, node: str) -> None:
        self._directory = directory
        self._path = directory / str(os.getpid())
        self._tail = f",{_quoted(node)},{os.getpid()}]\n"
        self._lines: deque[str] = deque(maxlen=TRACE_UNWRITTEN_MAX)
        self._last: Decision | None = None  # most requests are nobody's question: one and the same decision
        self._said = _decided(None)

    def add(self, record: Traced, now_ms: int) -> None:
        """Remember a request that is over. Costs a few microseconds and no call of the system."""
        caller, marks, told = record.caller, record.marks, record.stages
        if marks.decision is not self._last:
            self._last, self._said = marks.decision, _decided(marks.decision)
        stages = ",".join([f'"{name}":{seconds:.6f}' for name, seconds in told.items()]) if told else ""
        self._lines.append(
            f'["{record.request_id}",{now_ms},"{record.operation}",{_quoted(record.method)},{_quoted(record.bucket)},'
            f'{_quoted(record.key.decode("utf-8", "replace"))},{record.status},"{record.code}",'
            f'{_quoted(record.reason[:TRACE_TEXT_CHARS_MAX])},{_quoted(arn_of(caller))},"{caller.account_id}",'
            f'{_quoted(record.access_key_id)},"{record.remote}",{self._said},{record.bytes_in},'
            f"{record.bytes_out},{record.seconds:.6f},{{{stages}}},{marks.chunks}" + self._tail
        )

    def flush(self) -> None:
        """Write what is remembered. Raises Unavailable, then it is forgotten."""
        if not self._lines:
            return
        text = "".join(self._lines).encode("ascii")
        self._lines.clear()
        try:
            self._append(text)
        except OSError as error:
            raise Unavailable(f"{self._path}: {error.strerror}") from error

    def _append(self, text: bytes) -> None:
        self._directory.mkdir(exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            if self._path.stat().st_size + len(text) > TRACE_FILE_BYTES:
                self._path.replace(self._path.with_suffix(_FORMER))
        if not self._path.exists():
            _prune(self._directory)
        with self._path.open("ab") as file:
            file.write(text)


def arn_of(caller: Caller) -> str:
    """The principal's ARN; "" for nobody. Makes no principal: this is asked of every request."""
    principal = caller.principal
    if principal is not None:
        return str(principal.arn)
    return f"arn:aws:iam::{caller.account_id}:root" if caller.account_id else ""


@lru_cache(1_024)
def _decided(decision: Decision | None) -> str:
    if decision is None:
        return '"",""'
    return f'"{decision.effect.value}",{_quoted(decision.reason[:TRACE_TEXT_CHARS_MAX])}'


def find(directory: Path, request_id: str) -> Mapping[str, Any] | None:
    """What a worker of this node wrote of a request; None when it was not written yet, or is forgotten.

    `request_id`: as answered; whatever else is asked for is not found. Reads at most TRACE_FILES_MAX files.
    """
    wanted = f"\n[{_quoted(request_id)},".encode("ascii")
    for path in _newest_first(directory):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # they took turns, or it was pruned
        begin = content.rfind(wanted) + 1
        if (begin or content.startswith(wanted[1:])) and (end := content.find(b"\n", begin)) > 0:
            return dict(zip(NAMES, json.loads(content[begin:end]), strict=True))
    return None


def _newest_first(directory: Path) -> list[Path]:
    """The files there are. One that goes meanwhile counts as old."""
    found: list[tuple[int, Path]] = []
    with suppress(FileNotFoundError):
        for entry in os.scandir(directory):
            with suppress(FileNotFoundError):
                found.append((entry.stat().st_mtime_ns, Path(entry.path)))
    return [path for _, path in sorted(found, reverse=True)][: 2 * TRACE_FILES_MAX]


def _prune(directory: Path) -> None:
    """Room for a new file: what was written longest ago goes. A worker that is silent for so long begins anew."""
    for path in _newest_first(directory)[TRACE_FILES_MAX - 1 :]:
        path.unlink(missing_ok=True)
