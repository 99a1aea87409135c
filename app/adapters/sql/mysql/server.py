"""One connection to the server: opened, its session set, and whether the server keeps what it acknowledges.

Knows the driver, the server's variables and error numbers. Must not know tables.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, TypeAlias

import gevent.socket as green
import gevent.ssl as green_ssl
import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from app.adapters.sql.mysql.address import Address
from app.core.errors import Conflict, Corrupt, Full, StoreError, Unavailable
from app.core.limits import (
    MIB,
    SQL_ANSWER_SECONDS_MAX,
    SQL_CONNECT_SECONDS_MAX,
    SQL_LOCK_SECONDS_MAX,
    SQL_MIGRATION_SECONDS_MAX,
    SQL_PACKET_BYTES_MIN,
)

Connection: TypeAlias = "pymysql.Connection[Cursor]"

_SESSION: Final = (
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin;"
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;"
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 1, "
    f"innodb_lock_wait_timeout = {SQL_LOCK_SECONDS_MAX};"
    "SHOW SESSION VARIABLES WHERE Variable_name IN ('version', 'version_comment', 'innodb_flush_log_at_trx_commit', "
    "'log_bin', 'sync_binlog', 'binlog_format', 'wsrep_on', 'read_only', 'sql_mode', 'time_zone', "
    "'max_allowed_packet', 'character_set_client', 'collation_connection', 'tx_isolation', 'transaction_isolation')"
)
_WANTED: Final = {
    "sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
    "time_zone": "+00:00",
    "character_set_client": "utf8mb4",
    "collation_connection": "utf8mb4_bin",
    "tx_isolation": "READ-COMMITTED",
    "transaction_isolation": "READ-COMMITTED",
}
_MARIADB_MIN: Final = (10, 6)  # SKIP LOCKED
_MYSQL_MIN: Final = (8, 0)

# https://mariadb.com/kb/en/mariadb-error-code-reference/ and the client's own from 2000 on
_AGAIN: Final = frozenset({1020, 1205, 1213})  # undone by the server: changed meanwhile, lock not granted, deadlock
_LOST: Final = frozenset({1053, 1152, 1158, 1159, 1160, 1161, 1180, 1927, 2006, 2013, 2014, 2027, 2055})
_FULL: Final = frozenset({28, 1021, 1114})
_CORRUPT: Final = frozenset({126, 127, 1034, 1194, 1195, 1712, 1877})


class Unsupported(Unavailable):
    """The server cannot keep the promise of a metadata store; the text says which of its variables to change."""


def connect(address: Address, answer_s: int = SQL_ANSWER_SECONDS_MAX) -> Connection:
    """A connection in autocommit mode whose session is set and whose server was looked at. Blocks the greenlet only.

    With `address.ca` over TLS, the server's certificate and name verified; otherwise over TCP by TLS where the server
    offers it, unverified, which keeps out listeners and nobody else.

    Raises Unavailable when nobody answers or the user is refused, Unsupported where commits would not be durable.
    """
    try:
        sock = _reach(address)
        connection: Connection = pymysql.connect(
            host=address.host,
            user=address.user,
            password=address.password,
            database=address.database,
            charset="utf8mb4",
            autocommit=None,
            client_flag=CLIENT.MULTI_STATEMENTS,
            read_timeout=answer_s,
            write_timeout=answer_s,
            defer_connect=True,
            ssl_disabled=True,
        )
        _encrypt(connection, address)
        connection.connect(sock)
    except (pymysql.MySQLError, OSError) as error:
        raise Unavailable(f"{address}: {_text(error)}") from error
    try:
        _refuse(_set(connection))
    except (pymysql.MySQLError, OSError) as error:
        drop(connection)
        raise Unavailable(f"{address}: {_text(error)}") from error
    except Unsupported as error:
        drop(connection)
        raise Unsupported(f"{address}: {error}") from error
    return connection


def drop(connection: Connection) -> None:
    """Close without a word to the server, which undoes what was not committed."""
    connection._force_close()  # type: ignore[attr-defined] # the stubs leave it out


@contextmanager
def cursor(address: Address) -> Iterator[Cursor]:
    """For what runs once, a migration above all: a connection of its own, with time. Raises StoreError."""
    connection = connect(address, SQL_MIGRATION_SECONDS_MAX)
    try:
        yield connection.cursor()
    except (pymysql.MySQLError, OSError) as error:
        raise outcome_of(error) from error
    finally:
        drop(connection)


def lost(error: Exception) -> bool:
    """The connection is of no use any more, and what it was asked last may have happened."""
    return isinstance(error, OSError | pymysql.InterfaceError) or _code(error) in _LOST


def to_try_again(error: Exception) -> bool:
    """The server undid the transaction, or is about to be told to, because another stood in its way."""
    return _code(error) in _AGAIN


def outcome_of(error: Exception) -> StoreError:
    """What a driver's error means to a caller. Programming mistakes are re-raised: they are bugs, not outcomes."""
    code = _code(error)
    if code in _FULL:
        return Full(_text(error))
    if code in _CORRUPT:
        return Corrupt(_text(error))
    if isinstance(error, pymysql.IntegrityError):
        return Conflict(_text(error))
    if isinstance(error, pymysql.ProgrammingError | pymysql.DataError | pymysql.NotSupportedError):
        raise error
    return Unavailable(_text(error))


def _reach(address: Address) -> Any:
    """A socket of gevent's, whatever is patched in this process."""
    if address.socket:
        sock = green.socket(green.AF_UNIX, green.SOCK_STREAM)
        sock.settimeout(SQL_CONNECT_SECONDS_MAX)
        sock.connect(address.socket)
    else:
        sock = green.create_connection((address.host, address.port), timeout=SQL_CONNECT_SECONDS_MAX)
        sock.setsockopt(green.IPPROTO_TCP, green.TCP_NODELAY, 1)
        sock.setsockopt(green.SOL_SOCKET, green.SO_KEEPALIVE, 1)
    return sock


def _encrypt(connection: Connection, address: Address) -> None:
    """The driver would make a context for each connection, and 50 ms of loading certificates stop every greenlet."""
    if address.ca or not address.socket:
        driver: Any = connection
        driver.ctx, driver.ssl, driver._ssl_required = _context(address.ca), True, bool(address.ca)


@cache
def _context(ca: str) -> ssl.SSLContext:
    """Of gevent's, as the socket is. Raises OSError."""
    context: ssl.SSLContext = green_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        context.load_verify_locations(ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _set(connection: Connection) -> dict[str, str]:
    """Set the session; the variables as they are now."""
    cursor = connection.cursor()
    cursor.execute(_SESSION)
    rows: list[tuple[Any, ...]] = []
    while True:
        rows += cursor.fetchall()
        if not cursor.nextset():
            return {str(name): str(value) for name, value in rows}


def _refuse(server: dict[str, str]) -> None:
    """Raises Unsupported for the first thing that would lose or mix up what was acknowledged."""
    mariadb = "mariadb" in (server["version"] + server.get("version_comment", "")).lower()
    found = tuple(int(part) for part in server["version"].split("-")[0].split(".")[:2])
    least = _MARIADB_MIN if mariadb else _MYSQL_MIN
    if found < least:
        raise Unsupported(f"the server is {server['version']}; MariaDB 10.6, MySQL 8.0 or newer is needed")
    if server["innodb_flush_log_at_trx_commit"] != "1":
        raise Unsupported("innodb_flush_log_at_trx_commit must be 1, or a crash loses what was acknowledged")
    if server["log_bin"] == "ON" and server["sync_binlog"] != "1":
        raise Unsupported("sync_binlog must be 1 where log_bin is ON, or a crash loses what was acknowledged")
    if server["log_bin"] == "ON" and server["binlog_format"] == "STATEMENT":
        raise Unsupported("binlog_format must be ROW or MIXED: transactions are READ COMMITTED")
    if server.get("wsrep_on") == "ON":
        raise Unsupported("wsrep_on must be OFF: a cluster with several writers does not share row locks")
    if server["read_only"] not in ("OFF", "0"):
        raise Unsupported("read_only must be OFF: reads of a replica may be old")
    if int(server["max_allowed_packet"]) < SQL_PACKET_BYTES_MIN:
        raise Unsupported(f"max_allowed_packet must be {SQL_PACKET_BYTES_MIN // MIB} MiB or more")
    for name, wanted in _WANTED.items():
        if server.get(name, wanted) != wanted:
            raise Unsupported(f"the session's {name} is {server[name]} and does not let itself be set to {wanted}")


def _code(error: Exception) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _text(error: Exception) -> str:
    """Of a server's message the first line; the driver's own errors never hold the password."""
    words = str(error.args[1] if len(error.args) > 1 else error).strip().splitlines()
    return f"MySQL {_code(error)}: {words[0] if words else type(error).__name__}"
