"""Opens the two stores of a data directory, the same way for every process that needs them.

Knows which adapters stand behind the ports on one machine. Must not know who uses them.
"""

from pathlib import Path

from app.adapters.chunks.disk import Device
from app.adapters.chunks.store import SegmentStore
from app.adapters.sql.mysql import server
from app.adapters.sql.mysql.address import address_of
from app.adapters.sql.mysql.store import MysqlStore
from app.adapters.sql.store import SqliteStore, SqlStore
from app.config import Settings
from app.runtime.offload import Offload
from migrations import on_mysql
from migrations.run import migrate
from roles.data_dir import DataDir


def device(settings: Settings) -> Device:
    """The one device of a data directory."""
    return Device(DataDir(settings.data_dir).device, reserve_bytes=settings.disk_reserve_bytes)


def host_devices(settings: Settings) -> list[Device]:
    """The devices of a file host, in the order they were named."""
    return [Device(Path(path), reserve_bytes=settings.disk_reserve_bytes) for path in settings.device]


def migrate_metadata(settings: Settings) -> None:
    """Before a start: bring the SQLite database up to date. One that others share is only looked at, for those who run
    it decide when its schema changes (`zapfs migrate`). Raises MigrationError, StoreError, sqlite3.Error."""
    if not settings.metadata_url:
        migrate(DataDir(settings.data_dir).database)
        return
    with server.cursor(address_of(settings.metadata_url)) as cursor:
        on_mysql.require_current(cursor)


def migrate_database(settings: Settings) -> int:
    """Bring the database up to date, whichever it is; the number of its last migration. Raises as above."""
    if not settings.metadata_url:
        return migrate(DataDir(settings.data_dir).database)
    with server.cursor(address_of(settings.metadata_url)) as cursor:
        return on_mysql.migrate(cursor)


def open_metadata(settings: Settings) -> SqlStore:
    """The migrated database: the one of `metadata_url`, or the data directory's own. Raises StoreError."""
    if settings.metadata_url:
        return MysqlStore(settings.metadata_url, settings.metadata_connections)
    return SqliteStore(DataDir(settings.data_dir).database)


def open_chunks(settings: Settings, offload: Offload) -> SegmentStore:
    """The recovered device. Raises StoreError."""
    return SegmentStore(device(settings), offload)
