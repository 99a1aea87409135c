"""Statements on their way to the server: those whose answer nobody asked for yet wait, and travel with the next.

Knows what is sent when. Must not know tables or what errors mean. A trip costs its client 100 us and more whatever it
carries, so a commit that overwrites nothing is two of them: one that locks and reads, one that writes and commits.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from zlib import crc32

from app.adapters.sql.mysql.dialect import said
from app.adapters.sql.mysql.server import Connection
from app.adapters.sql.session import Values
from app.core.limits import SQL_KEY_SLOTS, SQL_TRIP_CHARS_MAX, SQL_USAGE_SLOTS
from app.core.types import BucketId

_SLOT: Final = "INSERT INTO key_lock (shard, slot) VALUES (0, ?) ON CONFLICT DO NOTHING"


class Answer:
    """One statement's answer; asking for it sends whatever waits."""

    __slots__ = ("_rowcount", "_rows", "_trips")

    def __init__(self, trips: "Trips") -> None:
        self._trips: Trips | None = trips
        self._rows: deque[Any] = deque()
        self._rowcount = -1

    @property
    def rowcount(self) -> int:
        """Rows changed."""
        self._arrive()
        return self._rowcount

    def fetchone(self) -> Any:
        """The next row, or None."""
        self._arrive()
        return self._rows.popleft() if self._rows else None

    def fetchall(self) -> list[Any]:
        """The rows left."""
        self._arrive()
        rows = list(self._rows)
        self._rows.clear()
        return rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def arrived(self, rows: Iterable[Any], rowcount: int) -> None:
        """It is there."""
        self._rows.extend(rows)
        self._rowcount = rowcount
        self._trips = None

    def _arrive(self) -> None:
        if self._trips is not None:
            self._trips.send()


class Trips:
    """session.Session on a connection: one transaction, or reads that commit by themselves."""

    def __init__(self, connection: Connection) -> None:
        self._cursor = connection.cursor()
        self.usage_slot = connection.thread_id() % SQL_USAGE_SLOTS  # type: ignore[no-untyped-call]
        self._texts: list[str] = []
        self._answers: list[Answer] = []
        self._chars = 0
        self._changing = False
        self._begun = False  # the server may have a transaction of ours
        self.committing = False  # COMMIT was sent, and whether it happened is the server's to tell

    def execute(self, statement: str, values: Values = (), /) -> Answer:
        """Waits for company; see Answer."""
        return self._add(said(statement, values))

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        """The statement once for each row."""
        for row in rows:
            self._add(said(statement, row))

    def hold(self, bucket_id: BucketId, *keys: bytes) -> None:
        """A key without a version has no row to lock; what is locked is one of SQL_KEY_SLOTS rows, by the key's hash,
        in ascending order. Two keys of one slot only wait for each other."""
        for slot in sorted({crc32(key, crc32(bucket_id)) % SQL_KEY_SLOTS for key in keys}):
            self.execute(_SLOT, (slot,))

    def begin(self) -> None:
        """A transaction."""
        self._changing = True
        self._add("START TRANSACTION")

    def commit(self) -> None:
        """With all that waits. Durable on return."""
        if not self._begun and len(self._texts) == 1:
            return  # nothing but START TRANSACTION
        self._add("COMMIT")
        self.committing = True
        self.send()
        self._begun = self.committing = False

    def rollback(self) -> None:
        """What waits is never sent."""
        self._texts, self._answers, self._chars = [], [], 0
        if self._begun:
            self._add("ROLLBACK")
            self.send()
            self._begun = self.committing = False

    def send(self) -> None:
        """One trip. Raises the first error; what comes after the statement that failed was not run."""
        if not self._texts:
            return
        text, answers = ";".join(self._texts), self._answers
        self._texts, self._answers, self._chars = [], [], 0
        self._begun = self._changing
        cursor = self._cursor
        cursor.execute(text)
        for answer in answers:
            answer.arrived(cursor.fetchall(), cursor.rowcount)
            cursor.nextset()

    def _add(self, text: str) -> Answer:
        if self._texts and self._chars + len(text) > SQL_TRIP_CHARS_MAX:
            self.send()
        answer = Answer(self)
        self._texts.append(text)
        self._answers.append(answer)
        self._chars += len(text)
        return answer
