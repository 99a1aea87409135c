"""`zapfs fsck`: reads everything back, on a stopped data directory or beside a running server, and says what is wrong.

Knows how the stores are opened outside a server. Must not know what is checked (services/check.py).
"""

import sqlite3

from app.adapters.chunks.recovery import recover
from app.adapters.chunks.store import SegmentStore
from app.adapters.sql.store import SqliteStore
from app.cli.command import complain, say
from app.config import Settings
from app.core.errors import StoreError
from app.runtime.offload import Offload
from app.services.check import Check, CheckReport
from roles.data_dir import DataDir, Refusal, checking
from roles.running import SOURCES

_THREADS = 2


def run(settings: Settings) -> int:
    """0 when every object reads back whole, 1 when one does not or the check could not be made."""
    directory = DataDir(settings.data_dir)
    try:
        with checking(directory.root) as alone:
            if alone:
                recover(directory.chunks)  # an unclean stop may have left the index behind the segments
            report = _check(directory, settings)
    except (Refusal, StoreError) as error:
        complain(str(error))
        return 1
    except (OSError, sqlite3.Error) as error:
        complain(f"{directory.root}: {error}")
        return 1
    return _say(report)


def _check(directory: DataDir, settings: Settings) -> CheckReport:
    offload = Offload(_THREADS)
    store = SqliteStore(directory.database)
    try:
        chunks = SegmentStore(directory.chunks, offload, settings.disk_reserve_bytes)
        try:
            return Check(store, chunks, SOURCES, complain).run()
        finally:
            chunks.close()
    finally:
        store.close()
        offload.close()


def _say(report: CheckReport) -> int:
    for finding in report.findings:
        say(f"{finding.kind:12} {finding.what}: {finding.why}")
    if report.findings_dropped:
        say(f"and {report.findings_dropped} more")
    say(
        f"{report.objects} objects of {report.object_bytes} bytes, "
        f"{report.chunks} chunks of {report.chunk_bytes} bytes; "
        f"unreadable objects: {report.unreadable}, orphaned blobs: {report.orphaned}"
    )
    return 1 if report.unreadable else 0
