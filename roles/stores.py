"""Opens the two stores of a data directory, the same way for every process that needs them.

Knows which adapters stand behind the ports on one machine. Must not know who uses them.
"""

from pathlib import Path

from app.adapters.chunks.disk import Device
from app.adapters.chunks.store import SegmentStore
from app.adapters.sql.store import SqliteStore
from app.config import Settings
from app.runtime.offload import Offload
from migrations.run import migrate
from roles.data_dir import DataDir


def device(settings: Settings) -> Device:
    """The one device of a data directory."""
    return Device(DataDir(settings.data_dir).device, reserve_bytes=settings.disk_reserve_bytes)


def host_devices(settings: Settings) -> list[Device]:
    """The devices of a file host, in the order they were named."""
    return [Device(Path(path), reserve_bytes=settings.disk_reserve_bytes) for path in settings.device]


def migrate_metadata(settings: Settings) -> None:
    """Bring the database up to date. Raises MigrationError, StoreError, sqlite3.Error."""
    migrate(DataDir(settings.data_dir).database)


def open_metadata(settings: Settings) -> SqliteStore:
    """The migrated database. Raises StoreError."""
    return SqliteStore(DataDir(settings.data_dir).database)


def open_chunks(settings: Settings, offload: Offload) -> SegmentStore:
    """The recovered device. Raises StoreError."""
    return SegmentStore(device(settings), offload)
