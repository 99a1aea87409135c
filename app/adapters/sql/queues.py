"""SQL of the background work: durable queues, notes, leases. Statements only; transactions are the caller's."""

from collections.abc import Sequence

from app.adapters.sql.session import LOCKED, Session
from app.core.errors import Missing
from app.core.types import Task


def put(db: Session, queue: str, tasks: Sequence[Task]) -> None:
    """A task of an id that waits already replaces it."""
    db.executemany(
        "REPLACE INTO task (queue, task_id, due_ms, body) VALUES (?, ?, ?, ?)", [(queue, *task) for task in tasks]
    )


def due(db: Session, queue: str, now_ms: int, limit: int) -> list[Task]:
    """Longest waiting first."""
    rows = db.execute(
        "SELECT task_id, due_ms, body FROM task WHERE queue = ? AND due_ms <= ? ORDER BY due_ms, task_id LIMIT ?",
        (queue, now_ms, limit),
    ).fetchall()
    return [Task(*row) for row in rows]


def done(db: Session, queue: str, task_ids: Sequence[bytes]) -> None:
    """Forget them; those that are gone already are nobody's mistake."""
    db.executemany("DELETE FROM task WHERE queue = ? AND task_id = ?", [(queue, task_id) for task_id in task_ids])


def count(db: Session, queue: str) -> int:
    """Due or not."""
    ((waiting,),) = db.execute("SELECT count(*) FROM task WHERE queue = ?", (queue,)).fetchall()
    return int(waiting)


def note_get(db: Session, name: str) -> bytes:
    """Missing when there is none."""
    row = db.execute("SELECT document FROM note WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise Missing(f"no note {name}")
    return bytes(row[0])


def note_put(db: Session, name: str, document: bytes | None) -> None:
    """None forgets it."""
    if document is None:
        db.execute("DELETE FROM note WHERE name = ?", (name,))
    else:
        db.execute("REPLACE INTO note (name, document) VALUES (?, ?)", (name, document))


def notes_scan(db: Session, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
    """By name, names > `after` that start with `prefix`."""
    return db.execute(
        "SELECT name, document FROM note WHERE name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?",
        (after, prefix, prefix + "\U0010ffff", limit),
    ).fetchall()


def lease_take(db: Session, name: str, holder: str, now_ms: int, ttl_ms: int) -> bool:
    """The lease is free, over, or the holder's own. Its row is made first, so that there is one to lock."""
    db.execute("INSERT INTO lease (name, holder, expires_ms) VALUES (?, '', 0) ON CONFLICT DO NOTHING", (name,))
    ((other, expires_ms),) = db.execute(
        f"SELECT holder, expires_ms FROM lease WHERE name = ?{LOCKED}", (name,)
    ).fetchall()
    if other != holder and expires_ms > now_ms:
        return False
    db.execute("UPDATE lease SET holder = ?, expires_ms = ? WHERE name = ?", (holder, now_ms + ttl_ms, name))
    return True
