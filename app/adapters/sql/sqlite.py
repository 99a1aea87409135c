"""SQLite connections: how they are opened, and what their errors mean.

Knows pragmas and error codes. Must not know tables.
"""

import os
import sqlite3
from typing import Final

from app.core.errors import Conflict, Corrupt, Full, StoreError, Unavailable
from app.core.limits import (
    KIB,
    SQL_BUSY_SECONDS_MAX,
    SQL_CACHE_BYTES,
    SQL_STATEMENTS_MAX,
)
from app.core.types import BucketId

_PRIMARY: Final = 0xFF  # extended result codes keep the primary one in the low byte


class SqliteSession(sqlite3.Connection):
    """A connection as statements see it (session.Session): its transactions are alone with the database."""

    usage_slot = 0  # there is one writer

    def hold(self, bucket_id: BucketId, *keys: bytes) -> None:
        """BEGIN IMMEDIATE held everything."""


def connect(path: str | os.PathLike[str], *, reader: bool = False) -> SqliteSession:
    """A connection to an existing, migrated database, in autocommit mode.

    Commits are durable when COMMIT returns (WAL, synchronous=FULL). No commit pays for a checkpoint: that is
    `checkpoint.Checkpointer`'s. The connection may cross threads, one at a time. Raises StoreError.
    """
    try:
        connection = sqlite3.connect(
            path,
            timeout=SQL_BUSY_SECONDS_MAX,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=SQL_STATEMENTS_MAX,
            factory=SqliteSession,
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"cache_size=-{SQL_CACHE_BYTES // KIB}",
            "temp_store=MEMORY",
            "wal_autocheckpoint=0",
            f"query_only={int(reader)}",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        raise store_error(error) from error
    return connection


def store_error(error: sqlite3.Error) -> StoreError:
    """What a driver's error means to a caller. Programming mistakes are re-raised: they are bugs, not outcomes."""
    code = getattr(error, "sqlite_errorcode", None)
    text = f"{getattr(error, 'sqlite_errorname', 'sqlite3')}: {error}"
    if code is None or code & _PRIMARY in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE):
        raise error
    if code & _PRIMARY == sqlite3.SQLITE_FULL:
        return Full(text)
    if code & _PRIMARY == sqlite3.SQLITE_CONSTRAINT:
        return Conflict(text)
    if code & _PRIMARY in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt(text)
    return Unavailable(text)
