"""Builds the audit log of a process: which sinks it has, and what is told to them.

Knows settings and how an admin call, a query action and an S3 call become entries. Must not know how sinks are reached.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.adapters import webhooks
from app.adapters.audit_file import AuditFile
from app.core.audit import AuditEntry, audit_line
from app.core.errors import Unavailable
from app.core.limits import AUDIT_FLUSH_SECONDS, AUDIT_REST_SECONDS
from app.faces.http.admin.gate import Told
from app.faces.http.exchange import Record
from app.runtime.telemetry.audit import FILE, WEBHOOK, AuditQueue, lost_line
from app.runtime.telemetry.traces import arn_of
from app.services.background.notifications import Target
from roles.running import Running, now_ms

_LINES: Final = "application/x-ndjson"
_QUERY_UNREAD: Final = "CallIdentityService"
_OF_STORES: Final = {"Missing": 404, "Conflict": 409, "Full": 507, "Unavailable": 503, "Corrupt": 503}
"""What the face answers where a store refused; the gate is left before that is known."""


class Auditing:
    """One per process. `tell` and `observe` never wait; without a sink they do nothing."""

    def __init__(self, running: Running) -> None:
        settings = running.told.settings
        self._role, self._node, self._worker = running.told.role, settings.node_id, os.getpid()
        self._s3 = settings.audit_s3
        self._queues: list[AuditQueue] = []
        lost = lost_line(now_ms, self._node, self._worker)
        if settings.audit_file is not None:
            file = AuditFile(settings.audit_file)
            queue = AuditQueue(FILE, lambda lines: running.offload.call(file.write, lines), lost)
            running.at_end(file.close)
            self._begin(running, queue, "audit-file")
        if settings.audit_webhook:
            self._begin(running, AuditQueue(WEBHOOK, _Webhook(settings.audit_webhook).post, lost), "audit-webhook")

    def _begin(self, running: Running, queue: AuditQueue, task: str) -> None:
        self._queues.append(queue)
        running.every(task, AUDIT_FLUSH_SECONDS, _Resting(queue).flush)
        running.at_end(queue.give_up)

    def tell(self, told: Told) -> None:
        """An admin call is over, however it ended."""
        if self._queues:
            self._put(
                AuditEntry(
                    "admin",
                    told.at_ms,
                    told.request_id,
                    f"admin:{told.action}",
                    told.resource,
                    # Who was not believed has no account, and the ARN of nobody's root would say otherwise.
                    told.arn if told.account_id else "",
                    told.account_id,
                    told.access_key_id,
                    told.remote,
                    _OF_STORES.get(told.error, told.status),
                    told.error,
                )
            )

    def observe(self, record: Record) -> None:
        """A request of the S3 port is over: of the query API always, else where S3 calls are wanted."""
        if not self._queues:
            return
        query = ":" in record.operation or record.operation == _QUERY_UNREAD
        if not query and not self._s3:
            return
        caller, decision = record.caller, record.marks.decision
        self._put(
            AuditEntry(
                "query" if query else "s3",
                now_ms(),
                record.request_id,
                record.operation,
                record.marks.resource if query else _resource(record),
                arn_of(caller),
                caller.account_id,
                record.access_key_id,
                record.remote,
                record.status,
                record.code,
                "" if decision is None else decision.reason,
            )
        )

    def _put(self, entry: AuditEntry) -> None:
        line = audit_line(entry._replace(role=self._role, node=self._node, worker=self._worker))
        for queue in self._queues:
            queue.put(line)


class _Resting:
    """A queue whose sink is left in peace for a while when it took nothing: one try, and one warning, in so long."""

    def __init__(self, queue: AuditQueue) -> None:
        self._queue = queue
        self._until_ms = 0

    def flush(self) -> None:
        """Raises Unavailable."""
        if now_ms() < self._until_ms:
            return
        try:
            self._queue.flush()
        except Unavailable:
            self._until_ms = now_ms() + int(AUDIT_REST_SECONDS * 1000)
            raise


class _Webhook:
    """Where lines are posted. The token's file is read each time, so that a new token needs no restart."""

    def __init__(self, text: str) -> None:
        self._url, *files = text.split(" ")
        self._file = Path(files[0]) if files else None

    def post(self, lines: Sequence[bytes]) -> None:
        """Raises Unavailable."""
        try:
            token = self._file.read_text().strip() if self._file is not None else ""
        except OSError as error:
            raise Unavailable(f"{self._file}: {error.strerror}") from error
        webhooks.post(Target(self._url, token), b"".join(lines), _LINES)


def _resource(record: Record) -> str:
    """What an S3 call was about."""
    if not record.bucket:
        return ""
    key = record.key.decode("utf-8", "replace")
    return f"arn:aws:s3:::{record.bucket}/{key}" if key else f"arn:aws:s3:::{record.bucket}"
