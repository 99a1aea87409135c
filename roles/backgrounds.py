"""Builds what acts in the background: the lifecycle sweep and the delivery of notifications, in the manager.

Knows which of them runs where and how often. Must not know what they do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gevent

from app.adapters import webhooks
from app.config import Settings
from app.core import limits
from app.core.s3.lifecycle import Clock
from app.faces.http.s3.acting import Acting
from app.ports.metadata import MetadataStore
from app.services import notifications
from app.services.acting_configs import ActingConfigs
from app.services.expiring import Expiring
from app.services.guard import Guard
from app.services.lifecycle import Lifecycle, LifecycleSettings
from app.services.lifecycle_status import LifecycleStatus
from app.services.notifications import Deliveries, DeliverySettings, Target
from app.services.transitions import LOCAL, Transitions
from roles.running import SOURCES, Running

_HOLDER: Final = "manager"  # the same after a restart: the lock of the data directory keeps it the only one
_DELIVERY_SECONDS: Final = 0.5
_DEBUG_TURNS: Final = 4  # sweeps of a debug day


@dataclass(frozen=True, slots=True)
class Backgrounds:
    """What the admin face tells of, and the metrics count."""

    lifecycle: LifecycleStatus
    deliveries: Deliveries

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        """Name -> (help, value)."""
        counts = self.deliveries.counts
        return {
            "zapfs_notifications_waiting": ("Event records not delivered yet.", self.deliveries.waiting()),
            "zapfs_notifications_delivered": ("Event records targets took since the start.", counts.delivered),
            "zapfs_notifications_failed": ("Deliveries that failed and are tried again.", counts.failed),
            "zapfs_notifications_dropped": ("Event records given up.", counts.dropped),
        }


def start(running: Running, store: MetadataStore) -> Backgrounds:
    """Start the manager's share."""
    settings = running.told.settings
    lifecycle = _lifecycle(settings, store)
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
    running.every("notifications", _DELIVERY_SECONDS, lambda: deliveries.run(_HOLDER))
    return Backgrounds(LifecycleStatus(store, lifecycle), deliveries)


def acting(settings: Settings, store: MetadataStore, guard: Guard) -> Acting:
    """What the handlers of acting configurations stand on, in a worker."""
    return Acting(ActingConfigs(store, guard), settings.storage_classes, targets(settings).keys())


def targets(settings: Settings) -> dict[str, Target]:
    """By ARN. A token file that cannot be read stops the start."""
    found = {}
    for text in settings.notification_targets:
        arn, url, *files = text.split(" ")
        found[arn] = Target(url, Path(files[0]).read_text().strip() if files else "")
    return found


def _lifecycle(settings: Settings, store: MetadataStore) -> Lifecycle:
    # Every class of this machine is kept alike: there is one profile.
    transitions = Transitions(store, dict.fromkeys((*settings.storage_classes, "STANDARD"), LOCAL))
    expiring = Expiring(store, SOURCES, transitions, notifications.of_system)
    clock = Clock(settings.lifecycle_day_s * 1000)
    return Lifecycle(store, SOURCES, expiring, LifecycleSettings(_HOLDER, clock, settings.transition_bytes_min, _pause))


def _pause(rows: int) -> None:
    """Let other work of the process go on, and bound the rate at which rows are read."""
    gevent.sleep(rows / limits.SWEEP_ROWS_PER_SECOND)
