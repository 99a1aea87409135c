"""Group commit: operations of many greenlets, one transaction, one fsync.

Knows batches, the lock between processes and who runs where. Must not know tables.

One greenlet leads. It takes the lock between processes (a native thread waits for it when it is held), runs the
waiting operations in the hub's own thread, one transaction for all, and hands COMMIT (the fsync) to the native thread.
Statements run in the hub because a native thread that runs Python statements fights the hub for the interpreter at
every one of them (docs/design/metadata.md has the figures); an operation of thousands of statements goes aside.
"""

import fcntl
import os
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event

from app.adapters.sql.sqlite import SqliteSession, store_error
from app.core.errors import StoreError, Unavailable
from app.core.limits import COMMIT_BATCH_MAX, COMMIT_QUEUE_MAX
from app.runtime.offload import Offload

P = ParamSpec("P")
T = TypeVar("T")


class _Ticket:
    """One operation on its way through a batch."""

    __slots__ = ("args", "aside", "done", "error", "operation", "result")

    def __init__(self, operation: Callable[..., Any], args: tuple[Any, ...], aside: bool) -> None:
        self.operation = operation
        self.aside = aside
        self.args = args
        self.result: Any = None
        self.error: BaseException | None = None
        self.done: Any = AsyncResult()


class GroupCommit:
    """The one writer of a process. Used by greenlets of the thread that built it."""

    def __init__(self, connection: SqliteSession, lock_path: str, committed: Callable[[int], None]) -> None:
        """`committed(operations)` is told after each batch that changed something."""
        self._db = connection
        self._lock_fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._committed = committed
        self._native = Offload(1)
        self._queue: deque[_Ticket] = deque()
        self._wake = Event()
        self._closing = False
        self._leader = gevent.spawn(self._lead)

    def run(self, operation: Callable[Concatenate[SqliteSession, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`operation(connection, *args)` inside the next batch; returns or raises once that is durable.

        An operation that raises is undone alone. Unavailable when the queue is full or the store is closing; Full and
        Unavailable when the batch could not be made durable, and then nothing of it happened.
        """
        return cast("T", self._queued(_Ticket(operation, args, aside=False)))

    def run_aside(self, operation: Callable[Concatenate[SqliteSession, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for an operation of thousands of statements: it runs in the native thread."""
        return cast("T", self._queued(_Ticket(operation, args, aside=True)))

    def close(self) -> None:
        """Commit what waits, then end."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        self._leader.join()
        self._native.close()
        self._db.close()
        os.close(self._lock_fd)

    def _queued(self, ticket: _Ticket) -> Any:
        if self._closing:
            raise Unavailable("the metadata store is closed")
        if len(self._queue) >= COMMIT_QUEUE_MAX:
            raise Unavailable("too many commits are waiting")
        self._queue.append(ticket)
        self._wake.set()
        ticket.done.get()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def _lead(self) -> None:
        while self._queue or not self._closing:
            if self._queue:
                self._batch()
            else:
                self._wake.clear()
                self._wake.wait()

    def _batch(self) -> None:
        """One transaction. Tickets are taken after the lock, so that those who came meanwhile ride along."""
        tickets: list[_Ticket] = []
        changed = False
        try:
            self._lock()
            tickets = self._next()
            changed = self._transact(tickets)
        except Exception as error:  # noqa: BLE001 - the border between greenlets; a leader that ends ends all writing
            tickets = tickets or self._next()  # no lock, and trying on at once would never let go of the hub
            self._fail(tickets, error)
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
        for ticket in tickets:
            ticket.done.set(None)
        if changed:
            self._committed(len(tickets))

    def _next(self) -> list[_Ticket]:
        return [self._queue.popleft() for _ in range(min(len(self._queue), COMMIT_BATCH_MAX))]

    def _transact(self, tickets: list[_Ticket]) -> bool:
        """Run and commit the tickets; True when anything changed. Raises when nothing of it happened.

        A savepoint per operation costs a fifth of the statements' time, and nearly every refusal comes before the
        first write. So the batch first runs without; only when an operation fails after writing it is run again, from
        the start, with them. Operations and checks are pure, so running them twice is running them once.
        """
        db = self._db
        before = db.total_changes
        db.execute("BEGIN IMMEDIATE")
        if not all(self._apply(ticket) for ticket in tickets):
            if db.in_transaction:
                db.execute("ROLLBACK")
            before = db.total_changes
            db.execute("BEGIN IMMEDIATE")
            for ticket in tickets:
                self._apply_guarded(ticket)
        changed = db.total_changes != before
        if changed:
            self._native.call(self._commit)
        else:
            self._commit()
        return changed

    def _lock(self) -> None:
        """The lock between processes; SQLite's own would be polled, with seconds of tail latency."""
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._native.call(fcntl.flock, self._lock_fd, fcntl.LOCK_EX)

    def _apply(self, ticket: _Ticket) -> bool:
        """Run one operation; what it raises is its caller's. False when it failed and had written already."""
        before = self._db.total_changes
        try:
            ticket.result = self._operate(ticket)
        except sqlite3.Error:
            return False
        except Exception as error:  # noqa: BLE001 - the border between greenlets: it goes to the caller, whatever it is
            ticket.error = error
            return self._db.total_changes == before
        return True

    def _apply_guarded(self, ticket: _Ticket) -> None:
        """The same inside a savepoint; raises only when SQLite gave the whole transaction up."""
        db = self._db
        ticket.result, ticket.error = None, None
        db.execute("SAVEPOINT operation")
        try:
            ticket.result = self._operate(ticket)
        except Exception as error:
            if not db.in_transaction:
                raise
            ticket.error = _outcome(error) if isinstance(error, sqlite3.Error) else error
            db.execute("ROLLBACK TO operation")
        db.execute("RELEASE operation")

    def _operate(self, ticket: _Ticket) -> Any:
        if ticket.aside:
            return self._native.call(ticket.operation, self._db, *ticket.args)
        return ticket.operation(self._db, *ticket.args)

    def _commit(self) -> None:
        """What is durable needs the lock no more, and another process may be waiting for it."""
        self._db.execute("COMMIT")
        fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _fail(self, tickets: list[_Ticket], error: Exception) -> None:
        """Nothing of the batch happened: every caller hears why, also those whose own operation had refused."""
        if self._db.in_transaction:
            with suppress(sqlite3.Error):  # what cannot be rolled back is never committed either: BEGIN will refuse
                self._db.execute("ROLLBACK")
        for ticket in tickets:
            ticket.error = _outcome(error)


def _outcome(error: Exception) -> BaseException:
    """A fresh exception per caller: greenlets must not share one traceback. Bugs are passed on as they are."""
    if isinstance(error, OSError):
        return Unavailable(f"commit lock: {error}")
    if not isinstance(error, sqlite3.Error):
        return error
    try:
        outcome: StoreError = store_error(error)
    except sqlite3.Error as bug:
        return bug
    return outcome
