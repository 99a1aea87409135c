"""Bring a database up to date: apply the numbered SQL files it has not seen, each in one transaction.

Knows the files, their checksums, the table of applied ones and the SQLite dialect. Must not know what the tables mean.
Forward only. A file holds one section per dialect (`-- dialect: sqlite`); the checksum covers the section alone, so
that a dialect can be added to old files without touching databases of another.
"""

import fcntl
import hashlib
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).parent
PAGE_BYTES: Final = 4096  # measured against 8 and 16 KiB: docs/design/metadata.md
BUSY_MS: Final = 60_000  # another process's migration is waited for

_FILE: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_SECTION: Final = re.compile(r"^-- dialect: (\w+)\s*$", re.MULTILINE)


class MigrationError(Exception):
    """The database and this code do not fit together; the text says how. Nothing was changed by the failed step."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file as one dialect sees it."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the dialect's section, hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load(dialect: str, directory: Path = DIRECTORY) -> list[Migration]:
    """Every migration in order. Raises MigrationError on a gap, a bad name or a file without the dialect."""
    found = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: a migration is named NNNN_name.sql")
        found.append(Migration(int(match[1]), match[2], _section(path, dialect)))
    if [one.number for one in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"migrations must be numbered 1, 2, 3, ...: {[one.number for one in found]}")
    return found


def migrate(path: str | os.PathLike[str], directory: Path = DIRECTORY) -> int:
    """Create or update the SQLite database at `path`; returns the number of the last applied migration.

    Durable on return. Safe when several processes call it at once: they take turns. Raises MigrationError when the
    database was written by newer code or an applied migration was edited, sqlite3.Error when it cannot be opened.
    """
    migrations = load("sqlite", directory)
    with _turn(path):
        connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_migration ("
                "number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)"
            )
            for migration in migrations[_applied(connection, migrations) :]:
                _apply(connection, migration)
        finally:
            connection.close()
    return len(migrations)


def _section(path: Path, dialect: str) -> str:
    parts = _SECTION.split(path.read_text(encoding="utf-8"))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if dialect not in sections:
        raise MigrationError(f"{path.name} says nothing for the dialect {dialect}")
    return sections[dialect].strip()


def _applied(connection: sqlite3.Connection, migrations: list[Migration]) -> int:
    """How many of `migrations` the database has, after checking that they are these very ones."""
    rows = connection.execute("SELECT number, name, checksum FROM schema_migration ORDER BY number").fetchall()
    if len(rows) > len(migrations):
        raise MigrationError(
            f"the database is at migration {rows[-1][0]} ({rows[-1][1]}), this program knows {len(migrations)}: "
            "run the newer program again"
        )
    for (number, name, checksum), migration in zip(rows, migrations, strict=False):
        if (number, checksum) != (migration.number, migration.checksum):
            raise MigrationError(
                f"migration {number} ({name}) was applied to this database with another text than the program's"
            )
    return len(rows)


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(migration.sql):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO schema_migration (number, name, checksum) VALUES (?, ?, ?)",
            (migration.number, migration.name, migration.checksum),
        )
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(sql: str) -> Iterator[str]:
    """Cut a script where a statement is complete; executescript would commit the transaction around it."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise MigrationError(f"a statement is not finished: {statement.strip()[:60]!r}")


@contextmanager
def _turn(path: str | os.PathLike[str]) -> Iterator[None]:
    """One process at a time: switching to WAL needs the file alone and does not wait for it."""
    lock = os.open(f"{os.fspath(path)}.migrate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
