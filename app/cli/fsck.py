"""`zapfs fsck`: reads everything back, on a stopped data directory or beside what runs, and says what is wrong.

Of a single machine, or, with a gateway's settings, of a whole cluster through that gateway's database.

Knows how the stores are opened outside a server. Must not know what is checked (services/background/check.py).
"""

import sqlite3
from contextlib import closing

from app.adapters.chunks.hosts import Hosts
from app.adapters.chunks.recovery import recover
from app.adapters.cluster.local import Follower
from app.cli.command import complain, say
from app.config import Settings
from app.core.errors import StoreError
from app.ports.chunks import ChunkStore
from app.runtime.offload import Offload
from app.services.background.check import Check, CheckReport
from app.services.placing.store import PlacedStore
from roles import devices, placed, stores
from roles.data_dir import DataDir, Refusal, checking
from roles.running import SOURCES

_THREADS = 2


def run(settings: Settings) -> int:
    """0 when every object reads back whole, 1 when one does not or the check could not be made."""
    try:
        with checking(settings.data_dir) as alone:
            if alone and not settings.cluster_secret:
                recover(stores.device(settings))  # an unclean stop may have left the index behind the segments
            report = _check(settings)
    except (Refusal, StoreError) as error:
        complain(str(error))
        return 1
    except (OSError, sqlite3.Error) as error:
        complain(f"{settings.data_dir}: {error}")
        return 1
    return _say(report)


def _check(settings: Settings) -> CheckReport:
    offload = Offload(_THREADS)
    store = stores.open_metadata(settings)
    try:
        opened: ChunkStore = (
            _placed(settings, offload) if settings.cluster_secret else stores.open_chunks(settings, offload)
        )
        with closing(opened) as chunks:
            return Check(store, chunks, SOURCES, complain).run()
    finally:
        store.close()
        offload.close()


def _placed(settings: Settings, offload: Offload) -> PlacedStore:
    """Chunks over the file hosts, where the gateway last knew them to be."""
    if not settings.node_id:
        raise Refusal("node_id is needed: the gateway's, whose settings these are; file hosts answer no stranger")
    state = Follower(DataDir(settings.data_dir).cluster).state()
    hosts = Hosts(lambda: state.placement, devices.identity(settings), offload)
    return placed.chunks_over(hosts, lambda: state.placement, devices.suspects(settings), offload)


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
