"""What a statement is run on, whichever database stands behind it, and how a statement asks for a lock.

Knows the few phrases both databases must hear differently. Must not know tables or drivers.

SQLite's transactions hold the database's one write lock (BEGIN IMMEDIATE), so what a transaction reads stays as it was
read. MySQL's hold rows: whatever a decision rests on is locked before it is read, in a statement of its own, because a
statement that waits for a lock answers from what it saw before the wait. The phrases below stand in comments that
MySQL and MariaDB execute (`/*! */`) and SQLite passes over.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from app.core.types import Bucket, BucketId

P = ParamSpec("P")
T = TypeVar("T")

Values = Sequence[Any] | Mapping[str, Any]

LOCKED: Final = " /*! FOR UPDATE */"
"""The row found is this transaction's until it ends. A row that is not there is nobody's: see `Session.hold`."""
SHARED: Final = " /*! LOCK IN SHARE MODE */"
"""The row found stays as it is until this transaction ends; others may read it likewise."""
FREE: Final = " /*! FOR UPDATE SKIP LOCKED */"
"""As LOCKED, of rows nobody else is at."""


class Result(Protocol):
    """What a statement answered. Asking is what waits: an answer nobody looks at costs no trip to a server."""

    @property
    def rowcount(self) -> int:
        """Rows changed."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rows left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows left, one by one."""


class Session(Protocol):
    """One transaction, or a connection that only reads."""

    def execute(self, statement: str, values: Values = ..., /) -> Result:
        """`?` or `:name` for values. Statements take effect in the order they were given."""

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        """The statement once for each row."""

    @property
    def usage_slot(self) -> int:
        """Where this transaction counts what buckets hold: others that run at one time count elsewhere."""

    def hold(self, bucket_id: BucketId, *keys: bytes) -> None:
        """Until the transaction ends nobody else changes the stacks of these keys, versions or none. Asked for once,
        before the first of them is read."""


class Database(Protocol):
    """Where operations run: functions of a session that neither begin nor commit (the modules beside this one)."""

    def change(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`operation(session, *args)` in a transaction; returns or raises once that is durable. What it raises undoes
        it; it may run more than once. StoreError when the transaction could not be made."""

    def change_aside(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for an operation of thousands of statements."""

    def read(self, query: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`query(session, *args)` without a transaction: each statement sees all that was committed before it."""

    def close(self) -> None:
        """Finish what was begun; later calls raise Unavailable."""


class Namespace(Protocol):
    """Whether buckets are remembered between requests."""

    def get(self, name: str, look_up: Callable[[str], Bucket]) -> Bucket:
        """The bucket as it is, also when another process changed it just now."""

    def lately(self, name: str, look_up: Callable[[str], Bucket]) -> Bucket:
        """The same, or as this process saw it at most BUCKETS_REMEMBERED_SECONDS ago."""

    def changed(self) -> None:
        """A change of this process is about to be acknowledged."""
