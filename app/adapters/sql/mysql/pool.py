"""Connections of one process: how many, which is free, whether it still lives.

Knows when a connection is fit for use. Must not know statements. Made after the fork, like everything of a worker.
"""

import select
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import pymysql
from gevent import monkey
from gevent.lock import BoundedSemaphore

from app.adapters.sql.mysql import server
from app.adapters.sql.mysql.server import Connection
from app.core.errors import Unavailable
from app.core.limits import SQL_IDLE_SECONDS_MAX, SQL_POOL_SECONDS_MAX

_poll: Final[Callable[[], Any]] = monkey.get_original("select", "poll")  # asked without waiting


class Pool:
    """At most `size` connections; the one used last is used next, so that the others may grow old and be checked."""

    def __init__(self, connect: Callable[[], Connection], size: int) -> None:
        self._connect = connect
        self._free: list[tuple[Connection, float]] = []
        self._turns = BoundedSemaphore(size)

    def take(self) -> Connection:
        """A connection that is alive as far as can be told. Unavailable when none is free in time or can be made."""
        if not self._turns.acquire(timeout=SQL_POOL_SECONDS_MAX):
            raise Unavailable("no connection to the database was free in time")
        try:
            while self._free:
                connection, since = self._free.pop()
                if _alive(connection, monotonic() - since):
                    return connection
                server.drop(connection)
            return self._connect()
        except BaseException:
            self._turns.release()
            raise

    def give(self, connection: Connection, *, sound: bool) -> None:
        """Back; one that is not sound (in the middle of anything) is dropped."""
        if sound:
            self._free.append((connection, monotonic()))
        else:
            server.drop(connection)
        self._turns.release()

    def close(self) -> None:
        """Drop what there is, when nobody uses any."""
        while self._free:
            server.drop(self._free.pop()[0])


def _alive(connection: Connection, idle_s: float) -> bool:
    """A server that went away left an end of file to read, where there must be nothing; one that vanished without a
    word (a firewall, a pulled cable) is found by asking, where it had the time."""
    poll = _poll()
    poll.register(connection._sock.fileno(), select.POLLIN)  # type: ignore[attr-defined]
    if poll.poll(0):
        return False
    if idle_s < SQL_IDLE_SECONDS_MAX:
        return True
    try:
        connection.ping(reconnect=False)
    except (pymysql.MySQLError, OSError):
        return False
    return True
