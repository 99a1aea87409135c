"""What every worker process has, whatever its role: clock and ids, offload, the log, its periodic work, its end.

Knows how these are tied to the process. Must not know stores or faces.
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import gevent

from app.core import limits
from app.core.errors import Full, S3Error, StoreError, Unavailable
from app.core.ids import make_id
from app.runtime.offload import Offload
from app.runtime.tasks import Periodic
from app.runtime.telemetry import metrics
from app.runtime.telemetry.log import Log
from app.services.call import Sources
from roles.handover import Handover


def now_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def new_id() -> bytes:
    """16 bytes, time-ordered, unique."""
    return make_id(now_ms(), os.urandom(10))


SOURCES: Final = Sources(now_ms, new_id)


class Running:
    """One worker process between its fork and its end."""

    def __init__(self, told: Handover, threads: int) -> None:
        self.told = told
        self.log = Log(told.settings.log_level, now_ms)
        self.offload = Offload(threads)
        self._periodic: list[Periodic] = []
        self._at_end: list[Callable[[], object]] = []
        hub = gevent.get_hub()
        # An outcome is for who waits for the greenlet; gevent would print it besides, as a traceback between our lines.
        hub.NOT_ERROR = (*hub.NOT_ERROR, StoreError, S3Error)
        metrics.reserve(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        self.every("log", limits.LOG_FLUSH_SECONDS, self.log.flush)
        self.every("metrics", limits.METRICS_FLUSH_SECONDS, metrics.flush)
        self.log.write("info", "worker started", role=told.role, pid=os.getpid())

    def every(self, name: str, interval_s: float, step: Callable[[], object]) -> Periodic:
        """Start periodic work; a turn that fails is logged, counted and tried again."""
        periodic = Periodic(name, interval_s, step, self._task_failed)
        periodic.start()
        self._periodic.append(periodic)
        return periodic

    def at_end(self, close: Callable[[], object]) -> None:
        """Have something closed at the end of the process, last opened first."""
        self._at_end.append(close)

    def close(self) -> None:
        """Stop periodic work, close what was opened, write what was said. Every step is tried."""
        for step in [periodic.stop for periodic in self._periodic] + self._at_end[::-1] + [self.offload.close]:
            try:
                step()
            except Exception as error:  # noqa: BLE001 -- the end of a process: the next step must still be tried
                self._tell("closing is not complete", "closing failed", error)
        metrics.flush()
        self.log.write("info", "worker ended", role=self.told.role, pid=os.getpid())
        self.log.flush()

    def _task_failed(self, name: str, error: BaseException) -> None:
        metrics.task_failed(name)
        self._tell("task waits", "task failed", error, task=name)

    def _tell(self, waits: str, failed: str, error: BaseException, **more: object) -> None:
        if isinstance(error, Unavailable | Full):  # a store that is away for a while: nothing of ours is wrong
            self.log.write("warning", waits, reason=f"{type(error).__name__}: {error}", **more)
        else:
            self.log.failure(failed, error, **more)


StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[Any]]


class Application:
    """A WSGI application that can be closed; what builders return."""

    __slots__ = ("_call", "_running")

    def __init__(self, call: Wsgi, running: Running) -> None:
        self._call = call
        self._running = running

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[Any]:
        return self._call(environ, start_response)

    def close(self) -> None:
        """End of the worker; requests are done."""
        self._running.close()
