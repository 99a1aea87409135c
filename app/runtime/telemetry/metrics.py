"""Numbers for Prometheus, of every process of the server summed when they are asked for.

Knows the names and labels of the metrics; labels come from closed sets (operations, status classes, stages, tasks), so
their number is bounded. Must not know requests. Each process adds to memory-mapped files of its own below
PROMETHEUS_MULTIPROC_DIR (set by the front door before any import); a scrape reads them all.
"""

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.core.limits import METRICS_FILE_BYTES

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)

_own = CollectorRegistry()  # never scraped: a scrape reads the files of all processes
_requests = Counter(
    "zapfs_requests", "Requests answered, by operation and class of status.", ("operation", "status"), registry=_own
)
_received = Counter("zapfs_received_bytes", "Body bytes received.", ("operation",), registry=_own)
_sent = Counter("zapfs_sent_bytes", "Body bytes sent.", ("operation",), registry=_own)
_seconds = Histogram(
    "zapfs_request_seconds",
    "From the head of a request to its answer's end.",
    ("operation",),
    buckets=_SECONDS,
    registry=_own,
)
_stages = Counter("zapfs_stage_seconds", "Time requests spent by stage.", ("stage",), registry=_own)
_failures = Counter("zapfs_task_failures", "Turns of background tasks that failed.", ("task",), registry=_own)

_limited = Counter(
    "zapfs_limited",
    "Requests refused by quotas and rates, by scope and what was reached.",
    ("scope", "of"),
    registry=_own,
)
_audit_dropped = Counter(
    "zapfs_audit_dropped", "Lines of the audit log no sink took in time.", ("sink",), registry=_own
)


class _Series:
    """What requests of one operation and status class added up to since the last flush, and where it goes."""

    __slots__ = ("_received", "_requests", "_seconds", "_sent", "buckets", "received", "requests", "seconds", "sent")

    def __init__(self, operation: str, status: str) -> None:
        self._requests = _requests.labels(operation, status)
        self._received = _received.labels(operation)
        self._sent = _sent.labels(operation)
        self._seconds = _seconds.labels(operation)
        self._clear()

    def _clear(self) -> None:
        self.requests = self.received = self.sent = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(_SECONDS) + 1)

    def flush(self) -> None:
        """Add to the shared files. The histogram is filled by bucket, which has no public door in the library."""
        if not self.requests:
            return
        self._requests.inc(self.requests)
        self._received.inc(self.received)
        self._sent.inc(self.sent)
        self._seconds._sum.inc(self.seconds)
        for bucket, count in zip(self._seconds._buckets, self.buckets, strict=True):
            if count:
                bucket.inc(count)
        self._clear()


_series: dict[tuple[str, int], _Series] = {}
_stage_sums: dict[str, float] = {}


def request(
    operation: str, status: int, bytes_in: int, bytes_out: int, seconds: float, stages: Mapping[str, float]
) -> None:
    """Count one answered request; scrapes see it after the next `flush`.

    `operation` and the stages' names must come from the code, never from a client.
    """
    key = (operation, status // 100)
    series = _series.get(key)
    if series is None:
        series = _series[key] = _Series(operation, f"{status // 100}xx")
    series.requests += 1
    series.received += bytes_in
    series.sent += bytes_out
    series.seconds += seconds
    series.buckets[bisect_left(_SECONDS, seconds)] += 1
    for stage, spent in stages.items():
        _stage_sums[stage] = _stage_sums.get(stage, 0.0) + spent


def flush() -> None:
    """Make what was counted visible to scrapes; to be called about once a second and at the end of a process."""
    for series in _series.values():
        series.flush()
    for stage, spent in _stage_sums.items():
        _stages.labels(stage).inc(spent)
    _stage_sums.clear()


def task_failed(task: str) -> None:
    """Count one failed turn of a background task."""
    _failures.labels(task).inc()


def limited(scope: str, of: str) -> None:
    """Count one refusal. `scope`: account, bucket or all; `of`: bytes, objects or requests."""
    _limited.labels(scope, of).inc()


def audit_dropped(sink: str) -> None:
    """Count one line the audit log lost; `sink`: "file" or "webhook"."""
    _audit_dropped.labels(sink).inc()


def reserve(directory: Path) -> None:
    """Give this process's files their room on the disk now. To be called after the fork, before anything is counted.

    The library maps files that are holes; writing to one on a disk that has run full is a bus error, which ends the
    process. On a disk that is full already nothing can be reserved, and the process takes its chance.
    """
    for kind in ("counter", "histogram"):
        with suppress(OSError), (directory / f"{kind}_{os.getpid()}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, METRICS_FILE_BYTES)


def process_ended(pid: int) -> None:
    """Forget what only a living process can say. For gunicorn's child_exit hook."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


class Gauges(Collector):
    """Values read at the moment of a scrape, by one process for all. `read` gives name -> (help, value)."""

    def __init__(self, read: Callable[[], Mapping[str, tuple[str, float]]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """One gauge per value."""
        for name, (text, value) in self._read().items():
            yield GaugeMetricFamily(name, text, value)


def exposition(gauges: Gauges) -> bytes:
    """The text a scraper reads: counters of all processes, and the gauges. Source: exposition formats."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(gauges)
    return generate_latest(registry)
