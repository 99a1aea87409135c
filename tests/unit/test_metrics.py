"""Counting requests: what a scrape shows, over processes, after a flush. Each case runs in a process of its own, since
the library decides at its import where the numbers go."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.limits import METRICS_FILE_BYTES

ROOT = Path(__file__).parents[2]
COUNT = """
import os, sys
from app.runtime.telemetry import metrics
for seconds in (0.0004, 0.0005, 0.004, 300.0):
    metrics.request("GetObject", 206, 0, 100, seconds, {"read": 0.25})
metrics.request("PutObject", 507, 7, 0, 0.2, {})
if sys.argv[1] == "flush":
    metrics.flush()
os._exit(0)
"""
RESERVE = """
import os
from pathlib import Path
from app.runtime.telemetry import metrics
metrics.reserve(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
"""
SCRAPE = """
from app.runtime.telemetry import metrics
print(metrics.exposition(metrics.Gauges(lambda: {"zapfs_chunks": ("Live chunks.", 3)})).decode())
"""


@pytest.fixture
def run(tmp_path):
    def run(program: str, *arguments: str) -> str:
        environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout

    return run


def value(text: str, series: str) -> float:
    return float(re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)[1])


def test_requests_of_all_processes_are_summed_by_operation_and_class_of_status(run):
    for _ in range(3):
        run(COUNT, "flush")
    text = run(SCRAPE)
    assert value(text, 'zapfs_requests_total{operation="GetObject",status="2xx"}') == 12
    assert value(text, 'zapfs_requests_total{operation="PutObject",status="5xx"}') == 3
    assert value(text, 'zapfs_sent_bytes_total{operation="GetObject"}') == 1_200
    assert value(text, 'zapfs_received_bytes_total{operation="PutObject"}') == 21
    assert value(text, 'zapfs_stage_seconds_total{stage="read"}') == 3.0
    assert value(text, "zapfs_chunks") == 3


def test_the_histogram_is_cumulative_and_bounds_are_inclusive(run):
    run(COUNT, "flush")
    text = run(SCRAPE)

    def bucket(bound: str) -> float:
        return value(text, f'zapfs_request_seconds_bucket{{le="{bound}",operation="GetObject"}}')

    assert [bucket(bound) for bound in ("0.0005", "0.001", "0.005", "60.0", "+Inf")] == [2, 2, 3, 3, 4]
    assert value(text, 'zapfs_request_seconds_count{operation="GetObject"}') == 4


def test_what_was_not_flushed_is_not_shown(run):
    run(COUNT, "die")
    assert value(run(SCRAPE), 'zapfs_requests_total{operation="GetObject",status="2xx"}') == 0


def test_what_is_counted_has_its_room_on_the_disk_before_it_is_counted(run, tmp_path: Path) -> None:
    run(RESERVE + COUNT, "flush")
    files = list(tmp_path.iterdir())
    assert {file.name.partition("_")[0] for file in files} == {"counter", "histogram"}
    assert all(file.stat().st_blocks * 512 >= METRICS_FILE_BYTES for file in files)
    assert value(run(SCRAPE), 'zapfs_requests_total{operation="GetObject",status="2xx"}') == 4
