"""Where operations run on MySQL: each change in a transaction of its own connection, tried again where that is safe.

Knows transactions and retries. Must not know statements. Changes of many greenlets are not put into one transaction as
on SQLite: the server's own group commit shares the fsync, and a batch would hold the rows of all for the slowest
(docs/design/metadata-schema.md).
"""

from collections.abc import Callable
from time import monotonic
from typing import Any, Concatenate, ParamSpec, TypeVar

import gevent
import pymysql
from gevent.event import Event

from app.adapters.sql.mysql import server
from app.adapters.sql.mysql.pool import Pool
from app.adapters.sql.mysql.trips import Trips
from app.core.errors import Unavailable
from app.core.limits import SQL_RETRY_SECONDS_MAX, SQL_TRIES_MAX

P = ParamSpec("P")
T = TypeVar("T")


class _AgainError(Exception):
    """Nothing of the transaction happened, and it may well work the next time."""


class MysqlDatabase:
    """See session.Database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._under_way = 0
        self._idle = Event()
        self._closing = False

    def change(self, operation: Callable[Concatenate[Trips, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See session.Database.change. Unavailable with "unknown" in it: the connection was lost while the server
        committed, and the change may have happened."""

        def changed(trips: Trips) -> T:
            trips.begin()
            outcome = operation(trips, *args, **kwargs)
            trips.commit()
            return outcome

        return self._tried(changed)

    change_aside = change  # a trip leaves the hub to others anyway

    def read(self, query: Callable[Concatenate[Trips, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See session.Database.read."""
        return self._tried(lambda trips: query(trips, *args, **kwargs))

    def close(self) -> None:
        """See session.Database.close."""
        self._closing = True
        while self._under_way:
            self._idle.clear()
            self._idle.wait()
        self._pool.close()

    def _tried(self, work: Callable[[Trips], T]) -> T:
        if self._closing:
            raise Unavailable("the metadata store is closed")
        self._under_way += 1
        try:
            return self._until_it_works(work)
        finally:
            self._under_way -= 1
            self._idle.set()

    def _until_it_works(self, work: Callable[[Trips], T]) -> T:
        """As often as allowed, each time whole and on a connection that is fit."""
        until = monotonic() + SQL_RETRY_SECONDS_MAX
        for turn in range(1, SQL_TRIES_MAX + 1):
            try:
                return self._once(work)
            except _AgainError as again:
                if turn == SQL_TRIES_MAX or monotonic() > until:
                    raise Unavailable(f"given up after {turn} tries: {again}") from again
            gevent.sleep(0.001 * turn)
        raise AssertionError

    def _once(self, work: Callable[[Trips], T]) -> T:
        """A connection that did not end where a transaction ends is dropped, also when the greenlet was killed."""
        connection = self._pool.take()
        trips = Trips(connection)
        sound = False
        try:
            outcome = work(trips)
            sound = True
        except (pymysql.MySQLError, OSError) as error:
            sound = not server.lost(error) and _undone(trips)
            raise _meaning(error, trips.committing) from error
        except Exception:
            sound = _undone(trips)
            raise
        finally:
            self._pool.give(connection, sound=sound)
        return outcome


def _undone(trips: Trips) -> bool:
    """False when the server did not say so: it undoes what it finds open as the connection ends."""
    try:
        trips.rollback()
    except (pymysql.MySQLError, OSError):
        return False
    return True


def _meaning(error: Exception, committing: bool) -> Exception:
    """What a caller is told. A commit whose answer never came is not tried again: it may have happened."""
    told: Any = server.outcome_of(error)
    if server.lost(error):
        return Unavailable(f"the outcome of the commit is unknown: {told}") if committing else _AgainError(told)
    return _AgainError(told) if server.to_try_again(error) else told
