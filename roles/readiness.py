"""Whether a server can serve: its data plane answers and its metadata store takes a durable write.

Knows how that is asked. Must not know who asks.
"""

import http.client
from collections.abc import Callable
from time import monotonic

from app.core import limits
from app.core.errors import StoreError
from app.ports.metadata import MetadataStore
from roles.handover import Handover
from roles.running import now_ms


class Readiness:
    """`besides`: one more reason, "" when there is none."""

    def __init__(self, told: Handover, store: MetadataStore, besides: Callable[[], str] = str) -> None:
        host = told.settings.s3_bind.host
        self._s3 = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), told.s3_port  # noqa: S104 -- recognised only
        self._store = store
        self._holder = told.settings.node_id or "manager"
        self._besides = besides
        self._asked = -limits.READY_CACHE_SECONDS
        self._reason = ""

    def reason(self) -> str:
        """Why not; "" when it can. An answer holds for READY_CACHE_SECONDS."""
        if monotonic() - self._asked >= limits.READY_CACHE_SECONDS:
            self._reason = self._besides() or self._unwritable() or self._unreachable()
            self._asked = monotonic()
        return self._reason

    def _unwritable(self) -> str:
        try:
            self._store.lease_take(f"ready/{self._holder}", self._holder, now_ms(), 1_000)
        except StoreError as error:
            return f"the metadata store takes no writes: {type(error).__name__}"
        return ""

    def _unreachable(self) -> str:
        connection = http.client.HTTPConnection(*self._s3, timeout=limits.PROBE_SECONDS_MAX)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"the S3 workers do not answer: {type(error).__name__}"
        finally:
            connection.close()
        return f"the S3 workers answer {status}" if status >= 500 else ""
