"""The store a model is held to: SQLite, or MariaDB where ZAPFS_MODEL_ON says so (tests/model/__main__.py sets it)."""

import os
from pathlib import Path

from app.adapters.sql.mysql.store import MysqlStore
from app.adapters.sql.store import SqliteStore, SqlStore
from migrations.run import migrate
from tests import mariadb


def opened(directory: Path) -> SqlStore:
    """Empty and migrated."""
    if os.environ.get("ZAPFS_MODEL_ON") == "mariadb":
        mariadb.shared().wipe()
        return MysqlStore(mariadb.shared().url(), 4)
    path = directory / "zapfs.db"
    migrate(path)
    return SqliteStore(path)


def count(store: SqlStore, table: str) -> int:
    """Rows of a table no port tells of."""
    ((rows,),) = store._database.read(lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchall())
    return rows
