"""Where operations run on SQLite: changes through group commit, reads inline on one connection of the process.

Must not know statements nor transactions (group_commit).
"""

import sqlite3
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from app.adapters.sql.checkpoint import Checkpointer
from app.adapters.sql.group_commit import GroupCommit
from app.adapters.sql.sqlite import SqliteSession, connect, store_error
from app.core.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class SqliteDatabase:
    """See session.Database. `path`: a migrated database."""

    def __init__(self, path: str) -> None:
        commit_lock = f"{path}.commit"
        self._reader: SqliteSession | None = connect(path, reader=True)
        self._checkpointer = Checkpointer(path, commit_lock)
        self._writer = GroupCommit(connect(path), commit_lock, self._checkpointer.committed)
        self.change = self._writer.run
        self.change_aside = self._writer.run_aside

    def read(self, query: Callable[Concatenate[SqliteSession, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Inline: a page takes microseconds."""
        if self._reader is None:
            raise Unavailable("the metadata store is closed")
        try:
            return query(self._reader, *args, **kwargs)
        except sqlite3.Error as error:
            raise store_error(error) from error

    def close(self) -> None:
        """The last connection to close checkpoints the log and removes it."""
        self._writer.close()
        if self._reader is not None:
            self._checkpointer.close()
            self._reader.close()
            self._reader = None
