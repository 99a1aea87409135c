"""One line of the audit log: who did what to what, when, from where, and how it ended.

Knows the form and its bound. Must not know sinks. No field holds a body, a header or a query, so no secret: what there
is to tell was made by the server, or is a name. Keys that are shown are ids.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from app.core.limits import AUDIT_LINE_BYTES_MAX, TRACE_TEXT_CHARS_MAX

_CHARS_MAX: Final = AUDIT_LINE_BYTES_MAX // 16
"""Of each text, where the line would be too long: a character may become six bytes, a pair of them twelve."""


class AuditEntry(NamedTuple):
    """`event`: admin, query (IAM and STS) or s3. `action`: "admin:CreateUser", "iam:CreateUser", "GetObject".

    `arn`, `account_id`, `access_key_id`: "" for nobody, and for somebody who was not believed. `code`: of the error, ""
    for success; `reason`: by whose word, where a decision was come to. `role`, `node`, `worker`: which process says it.
    """

    event: str
    at_ms: int
    request_id: str
    action: str
    resource: str
    arn: str
    account_id: str
    access_key_id: str
    remote: str
    status: int
    code: str
    reason: str = ""
    role: str = ""
    node: str = ""
    worker: int = 0


def audit_line(entry: AuditEntry) -> bytes:
    """JSON in ASCII with its newline, at most AUDIT_LINE_BYTES_MAX bytes: longer texts lose their ends."""
    line = _rendered(entry, TRACE_TEXT_CHARS_MAX)
    return line if len(line) <= AUDIT_LINE_BYTES_MAX else _rendered(entry, _CHARS_MAX // 12)


def dropped_line(at_ms: int, sink: str, count: int, node: str, worker: int) -> bytes:
    """What stands for lines that were dropped since the last such one."""
    told = {"time": _time(at_ms), "event": "dropped", "sink": sink, "count": count, "node": node, "worker": worker}
    return _encoded(told)


def _rendered(entry: AuditEntry, chars_max: int) -> bytes:
    values = {name: value[:chars_max] if isinstance(value, str) else value for name, value in entry._asdict().items()}
    del values["at_ms"]
    return _encoded({"time": _time(entry.at_ms), **values})


def _encoded(values: Mapping[str, object]) -> bytes:
    return (json.dumps(values, separators=(",", ":")) + "\n").encode("ascii")


def _time(at_ms: int) -> str:
    """RFC 3339, UTC, with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
