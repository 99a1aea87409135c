"""Bring a MySQL or MariaDB database up to date: the same numbered files, their `mysql` sections.

Knows the table of applied files and the lock that makes migrating programs take turns. Must not know what the tables
mean, nor how a connection is made. A statement that changes the schema commits by itself there, so a file is not one
transaction: it is recorded as begun, and one that was cut short is run again, past what it made already.
"""

from typing import Any, Final, Protocol

from migrations.run import DIRECTORY, Migration, MigrationError, load

TURN_SECONDS_MAX: Final = 600  # another program's migration is waited for
_THERE_ALREADY: Final = frozenset({1050, 1060, 1061})  # a table, a column, an index of that name
_HISTORY: Final = (
    "CREATE TABLE IF NOT EXISTS schema_migration (number INT NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, "
    "checksum CHAR(64) NOT NULL, finished TINYINT NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
)


class Cursor(Protocol):
    """A cursor of the driver's, on a connection in autocommit mode."""

    def execute(self, query: str, args: Any = None) -> int: ...

    def fetchall(self) -> Any: ...


def migrate(cursor: Cursor) -> int:
    """Create or update the database; the number of the last applied migration.

    Any number of programs may call it at once: they take turns. MigrationError as in migrations.run; the driver's own
    errors are passed on.
    """
    migrations = load("mysql", DIRECTORY)
    cursor.execute("SELECT DATABASE()")
    ((database,),) = cursor.fetchall()
    turn = f"zapfs:{database}"[:64]
    cursor.execute("SELECT GET_LOCK(%s, %s)", (turn, TURN_SECONDS_MAX))
    if cursor.fetchall() != ((1,),):
        raise MigrationError("another program is migrating this database and does not end")
    try:
        cursor.execute(_HISTORY)
        done, begun = _applied(cursor, migrations)
        for migration in migrations[done:]:
            _apply(cursor, migration, again=migration.number in begun)
    finally:
        cursor.execute("DO RELEASE_LOCK(%s)", (turn,))
    return len(migrations)


def require_current(cursor: Cursor) -> None:
    """MigrationError unless the database is as this program wants it."""
    migrations = load("mysql", DIRECTORY)
    cursor.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
        ("schema_migration",),
    )
    done = _applied(cursor, migrations)[0] if cursor.fetchall() else 0
    if done < len(migrations):
        raise MigrationError(f"the database is at migration {done} of {len(migrations)}: run zapfs migrate")


def _applied(cursor: Cursor, migrations: list[Migration]) -> tuple[int, set[int]]:
    """How many of `migrations` the database has, after checking that they are these very ones; which were begun."""
    cursor.execute("SELECT number, name, checksum, finished FROM schema_migration ORDER BY number")
    rows = cursor.fetchall()
    if len(rows) > len(migrations):
        raise MigrationError(
            f"the database is at migration {rows[-1][0]} ({rows[-1][1]}), this program knows {len(migrations)}: "
            "run the newer program again"
        )
    for (number, name, checksum, _), migration in zip(rows, migrations, strict=False):
        if (number, checksum) != (migration.number, migration.checksum):
            raise MigrationError(
                f"migration {number} ({name}) was applied to this database with another text than the program's"
            )
    return sum(row[3] for row in rows), {row[0] for row in rows if not row[3]}


def _apply(cursor: Cursor, migration: Migration, *, again: bool) -> None:
    if not again:
        cursor.execute(
            "INSERT INTO schema_migration (number, name, checksum, finished) VALUES (%s, %s, %s, 0)",
            (migration.number, migration.name, migration.checksum),
        )
    for statement in statements(migration.sql):
        try:
            cursor.execute(statement)
        except Exception as error:
            if not (again and error.args and error.args[0] in _THERE_ALREADY):
                raise
    cursor.execute("UPDATE schema_migration SET finished = 1 WHERE number = %s", (migration.number,))


def statements(sql: str) -> list[str]:
    """Cut where a line ends with a semicolon; comments of whole lines go."""
    text = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    parts = [part.strip() for part in text.split(";\n")]
    last = parts.pop().removesuffix(";")
    return [part for part in [*parts, last] if part]
