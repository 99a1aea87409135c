"""Builds what acts in the background: the lifecycle sweep and the delivery of notifications, in the manager.

Knows which of them runs where and how often. Must not know what they do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import gevent

from app.adapters import webhooks
from app.config import Settings
from app.core import limits
from app.core.s3.access_log import Entry
from app.core.s3.lifecycle import Clock
from app.core.types import Bucket
from app.faces.http.exchange import Record
from app.faces.http.s3.acting import Acting
from app.ports.chunks import ChunkStore
from app.ports.metadata import MetadataStore
from app.runtime.buffers import BufferPool
from app.services.background import notifications
from app.services.background.access_logs import AccessLogs
from app.services.background.expiring import Expiring
from app.services.background.gc import Gc
from app.services.background.inventory import Inventories
from app.services.background.lifecycle import Lifecycle, LifecycleSettings
from app.services.background.lifecycle_status import LifecycleStatus
from app.services.background.notifications import Deliveries, DeliverySettings, Target
from app.services.background.rewriting import Rewriting
from app.services.background.transitions import Transitions
from app.services.buckets.acting_configs import ActingConfigs
from app.services.content.blobs import Blobs
from app.services.content.profiles import NO_PROFILES, Profiles
from app.services.content.reading import Reading
from app.services.content.sealing import Sealing
from app.services.gate.directory import Directory
from app.services.gate.guard import Guard
from app.services.gate.ownership import Ownership
from app.services.objects.drafts import Drafts
from app.services.objects.objects import Objects
from roles.running import SOURCES, Running, now_ms

_DELIVERY_SECONDS: Final = 0.5
_DEBUG_TURNS: Final = 4  # sweeps of a debug day


@dataclass(frozen=True, slots=True)
class Backgrounds:
    """What the admin face tells of, and the metrics count."""

    lifecycle: LifecycleStatus
    sweep: Lifecycle
    deliveries: Deliveries

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        """Name -> (help, value)."""
        counts = self.deliveries.counts
        return {
            "zapfs_lifecycle_acted": ("Versions and uploads rules acted on.", self.sweep.outcomes.get("acted", 0)),
            "zapfs_lifecycle_kept": ("Actions of rules a lock or a change kept.", self.sweep.outcomes.get("kept", 0)),
            "zapfs_lifecycle_failed": ("Actions of rules that failed.", self.sweep.outcomes.get("failed", 0)),
            "zapfs_notifications_waiting": ("Event records not delivered yet.", self.deliveries.waiting()),
            "zapfs_notifications_delivered": ("Event records targets took since the start.", counts.delivered),
            "zapfs_notifications_failed": ("Deliveries that failed and are tried again.", counts.failed),
            "zapfs_notifications_dropped": ("Event records given up.", counts.dropped),
        }


def holder(settings: Settings) -> str:
    """Who this node is in leases: the same after a restart, as the lock of its data directory keeps it the only one."""
    return settings.node_id or "manager"


class Ground(NamedTuple):
    """What the manager's share, or a keeper's, stands on."""

    store: MetadataStore
    chunks: ChunkStore
    directory: Directory
    sealing: Sealing
    profiles: Profiles = NO_PROFILES


def start(running: Running, ground: Ground) -> Backgrounds:
    """Start the manager's share."""
    settings, store = running.told.settings, ground.store
    lifecycle = _lifecycle(running, ground)
    every_s = float(settings.lifecycle_interval_s)
    if settings.lifecycle_day_s:
        every_s = min(every_s, settings.lifecycle_day_s / _DEBUG_TURNS)
    running.every("lifecycle", every_s, lifecycle.run)
    deliveries = Deliveries(
        store,
        SOURCES,
        DeliverySettings(targets(settings), settings.region, settings.notification_days * 86_400_000),
        webhooks.post,
        lambda reason: running.log.write("warning", "event dropped", reason=reason),
    )
    running.every("notifications", _DELIVERY_SECONDS, lambda: deliveries.run(holder(settings)))
    inventories = Inventories(
        store,
        _objects(running, ground),
        SOURCES,
        holder(settings),
        Clock(settings.lifecycle_day_s * 1000),
        lambda reason: running.log.write("warning", "inventory failed", reason=reason),
    )
    running.every("inventory", every_s, inventories.run)
    return Backgrounds(LifecycleStatus(store, lifecycle), lifecycle, deliveries)


def collection_gauges(gc: Gc) -> Mapping[str, tuple[str, float]]:
    """Name -> (help, value): what waits to be collected, and what is stored."""
    status: Any = gc.status()
    return {
        "zapfs_gc_waiting_intents": ("Attempts not committed yet.", status.waiting.intents),
        "zapfs_gc_waiting_contents": ("Released contents not collected yet.", status.waiting.outbox),
        "zapfs_gc_waiting_blobs": ("Freed blobs in their grace.", status.waiting.blobs_waiting),
        "zapfs_chunks": ("Live chunks.", status.waiting.chunks),
        "zapfs_chunk_references": ("References to chunks.", status.waiting.chunk_references),
        "zapfs_chunk_bytes_live": ("Bytes of blobs stored.", status.chunks.bytes_live),
        "zapfs_chunk_bytes_allocated": ("Bytes of disk the chunk store holds.", status.chunks.bytes_allocated),
        "zapfs_disk_free_bytes": ("Bytes that may still be written.", status.chunks.bytes_free),
    }


def acting(settings: Settings, store: MetadataStore, guard: Guard, directory: Directory) -> Acting:
    """What the handlers of acting configurations stand on, in a worker."""
    return Acting(ActingConfigs(store, guard), settings.storage_classes, targets(settings).keys(), directory)


def access_logs(running: Running, store: MetadataStore, objects: Objects, directory: Directory) -> AccessLogs:
    """Start the writing of access logs, in a worker; what is gathered is written at its end too."""
    settings = running.told.settings

    def dropped(reason: str) -> None:
        running.log.write("warning", "access log lost", reason=reason)

    logs = AccessLogs(store, objects, directory, SOURCES, settings.region, dropped)
    running.every("access-logs", settings.access_log_roll_s, logs.roll)
    running.at_end(logs.roll)
    return logs


def entry(bucket: Bucket, record: Record) -> Entry:
    """What an access log says of an answered request."""
    details = record.details()
    return Entry(
        now_ms(),
        bucket.owner,
        bucket.name,
        record.remote,
        details.requester or details.canonical_id,
        record.request_id,
        record.operation,
        record.method,
        details.key,
        details.target,
        record.status,
        record.code,
        record.bytes_out,
        int(record.seconds * 1000),
        details.referer,
        details.user_agent,
        details.version_id,
        details.host_id,
        details.signature_version,
        details.auth_type,
        details.host,
    )


def targets(settings: Settings) -> dict[str, Target]:
    """By ARN. A token file that cannot be read stops the start."""
    found = {}
    for text in settings.notification_targets:
        arn, url, *files = text.split(" ")
        found[arn] = Target(url, Path(files[0]).read_text().strip() if files else "")
    return found


def _objects(running: Running, ground: Ground) -> Objects:
    """What the manager writes objects by: inventories' files, one at a time."""
    settings, store = running.told.settings, ground.store
    guard = Guard(store, ground.directory)
    ownership = Ownership(ground.directory)
    drafts = Drafts(guard, ownership, ground.sealing, settings.storage_classes, ground.profiles)
    blobs = Blobs(store, ground.chunks, BufferPool(4 * limits.CHUNK_BYTES_MAX), running.offload, SOURCES)
    return Objects(store, blobs, Reading(store, ground.chunks, SOURCES), guard, drafts, settings.inline_bytes)


def _lifecycle(running: Running, ground: Ground) -> Lifecycle:
    settings, store = running.told.settings, ground.store
    rewrite = None  # every class of a single machine is kept alike: there are no profiles
    if ground.profiles is not NO_PROFILES:
        grace_ms = settings.gc_grace_s * 1000
        rewrite = Rewriting(store, ground.chunks, ground.profiles, running.offload, SOURCES, grace_ms).rewrite
    transitions = Transitions(store, {*settings.storage_classes, "STANDARD"}, rewrite)
    expiring = Expiring(store, SOURCES, transitions, notifications.of_system)
    clock = Clock(settings.lifecycle_day_s * 1000)
    pace = LifecycleSettings(holder(settings), clock, settings.transition_bytes_min, _pause)
    return Lifecycle(store, SOURCES, expiring, pace)


def _pause(rows: int) -> None:
    """Let other work of the process go on, and bound the rate at which rows are read."""
    gevent.sleep(rows / limits.SWEEP_ROWS_PER_SECOND)
