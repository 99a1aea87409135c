"""Backup, restore and the master key at an administering process: which bricks they stand on, and where backups go.

Knows the settings of backups. Of several managers the leader makes those on schedule; a directory is each manager's
own, a bucket is everybody's.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from app.adapters.backup_targets import BucketAddress, BucketTarget, DirectoryTarget
from app.adapters.cluster.sealing import Sealer
from app.config import Settings
from app.core.errors import Unavailable
from app.core.limits import BACKUP_LOOK_SECONDS
from app.faces.http.admin import backup, master_key
from app.faces.http.admin.endpoints import Endpoint
from app.ports.backup_target import BackupTarget
from app.ports.cluster import ManagerSeats
from app.services.control.snapshots import Plan, Snapshots
from app.services.identity.commanding import Desk
from roles import sealed_state
from roles.data_dir import DataDir
from roles.running import Running, now_ms

_AGE: Final = "zapfs_backup_age_seconds"
_FAILURES: Final = "zapfs_backup_failures_total"


class Backing(NamedTuple):
    """`gauges`: name -> (help, value), of targets that are set."""

    endpoints: list[Endpoint]
    gauges: Callable[[], dict[str, tuple[str, float]]]


def begin(
    running: Running,
    desk: Desk,
    sealer: Sealer,
    leads: Callable[[], bool] = lambda: True,
    owns: Callable[[str], bool] = lambda _: False,
) -> Backing:
    """The endpoints, and the schedule from now on. `leads`: whether scheduled backups are this process's to make.
    `owns`: as of Backups."""
    settings = running.told.settings
    key = sealed_state.keys_of(desk, sealer, DataDir(settings.data_dir))
    backups = sealed_state.backups_of(desk, sealer, key, owns)

    def made() -> tuple[int, bytes]:
        version = desk.cluster.state().version
        document: bytes = running.offload.call(backups.make)
        return version, document

    plan = Plan(settings.backup_interval_s, settings.backup_keep, settings.backup_keep_days)
    kept = [Snapshots(target, made, plan, now_ms, leads) for target in targets(settings)]
    for number, one in enumerate(kept):
        running.every(f"backup {number}", min(BACKUP_LOOK_SECONDS, settings.backup_interval_s), one.step).poke()

    def gauges() -> dict[str, tuple[str, float]]:
        if not kept:
            return {}
        told = [one.gauges() for one in kept]
        oldest = min(last for last, _ in told)
        age = (now_ms() - oldest) / 1000 if oldest else float("inf")
        return {
            _AGE: ("Since the newest backup of the target that is furthest behind.", age),
            _FAILURES: ("Tries of scheduled backups that failed.", sum(failed for _, failed in told)),
        }

    told = backup.endpoints(backups, lambda: [one.status() for one in kept], settings.backup_interval_s)
    return Backing([*told, *master_key.endpoints(key)], gauges)


def targets(settings: Settings) -> list[BackupTarget]:
    """Where backups are kept by themselves."""
    found: list[BackupTarget] = []
    if settings.backup_dir is not None:
        found.append(DirectoryTarget(settings.backup_dir))
    if settings.backup_bucket:
        address = BucketAddress(
            settings.backup_bucket, settings.region, settings.backup_access_key, settings.backup_secret_key
        )
        found.append(BucketTarget(address, now_ms))
    return found


def leading(seats: ManagerSeats, node_id: str) -> Callable[[], bool]:
    """Whether a manager leads, asked anew each time; one that cannot tell does not."""

    def leads() -> bool:
        with suppress(Unavailable):
            return seats.managers().leader == node_id
        return False

    return leads
