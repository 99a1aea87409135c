"""Backups of the control state: make one, see those that were kept, restore one. Knows paths and shapes only."""

from collections.abc import Callable, Sequence

from app.core.limits import BACKUP_BYTES_MAX
from app.faces.http.admin.endpoints import SYSTEM, Asked, Endpoint, Raw, Shape
from app.services.control.backups import Backups
from app.services.control.snapshots import TargetStatus

CONTENT_TYPE = "application/octet-stream"


class RestoredShape(Shape):
    """What there is after a restore."""

    cluster_id: str
    version: int
    accounts: int
    users: int
    access_keys: int
    kms_keys: int
    devices: int


class KeptShape(Shape):
    """One backup at a target."""

    name: str
    bytes: int
    made_ms: int


class TargetShape(Shape):
    """Where backups are kept by themselves. `last_ms`: when one succeeded last, 0 never. `reason`: why the newest try
    failed, "" when it did not."""

    target: str
    last_ms: int
    failures: int
    reason: str
    backups: list[KeptShape]


class TargetsShape(Shape):
    """Every target; none where no setting names one."""

    interval_s: int
    targets: list[TargetShape]


def endpoints(backups: Backups, targets: Callable[[], Sequence[TargetStatus]], interval_s: int) -> list[Endpoint]:
    """`targets`: how scheduled backups stand, of which one is made each `interval_s`."""

    def create_backup(_: Asked) -> Raw:
        return Raw(backups.make(), CONTENT_TYPE)

    def list_backups(_: Asked) -> TargetsShape:
        return TargetsShape(interval_s=interval_s, targets=[_shown(one) for one in targets()])

    def restore_backup(asked: Asked) -> RestoredShape:
        return RestoredShape(**backups.restore(asked.content)._asdict())

    return [
        Endpoint(
            "POST",
            "/backup",
            "CreateBackup",
            "An encrypted backup of the whole control state, which opens with the master key only.",
            create_backup,
            SYSTEM,
            returned=CONTENT_TYPE,
        ),
        Endpoint(
            "GET",
            "/backups",
            "ListBackups",
            "Backups that were kept on schedule, and how each target stands.",
            list_backups,
            SYSTEM,
            returned=TargetsShape,
        ),
        Endpoint(
            "POST",
            "/restore",
            "RestoreBackup",
            "Restore a backup (the body) into an empty control state. Every access key becomes the backup's.",
            restore_backup,
            SYSTEM,
            returned=RestoredShape,
            body_bytes_max=BACKUP_BYTES_MAX,
        ),
    ]


def _shown(one: TargetStatus) -> TargetShape:
    kept = [KeptShape(name=kept.name, bytes=kept.bytes, made_ms=kept.made_ms) for kept in one.kept]
    return TargetShape(target=one.target, last_ms=one.last_ms, failures=one.failures, reason=one.reason, backups=kept)
