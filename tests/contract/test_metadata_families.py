"""Which tables share a transaction: what stands between one database and many shards (docs/design/metadata-schema.md).

Every change the store can make is made once, and the tables its statements name are written down.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.adapters.sql.namespace import NamespaceCache
from app.adapters.sql.session import Session, Values
from app.adapters.sql.sqlite_database import SqliteDatabase
from app.adapters.sql.store import SqlStore
from app.core.types import NULL_PLACE, BlobClaim, Task, Version, Versioning
from app.ports.metadata import Appending, Completion
from migrations.run import load, migrate
from tests.contract.metadata import BUCKET, bucket, chunk, chunked, entry, inline, marker, new_id, part, upload, version

BUCKETS = {"bucket", "bucket_config", "bucket_usage", "obj_head", "obj_version", "obj_stack", "upload"}  # by bucket id
ATTEMPTS = {"content", "part", "intent", "release_outbox"}  # by the bucket's shard, carried along
OBJECTS = BUCKETS | ATTEMPTS
CHUNKS = {"chunk", "chunk_ref", "blob_gc"}  # by chunk id
BACKGROUND = {"task", "note", "lease"}  # unsharded, but for events: they go with their bucket
SHARE = {
    "commit": "settling publishes and refers in the version's transaction",
    "part_commit": "the same, of a part",
    "append": "the same, of what an object grows by",
    "pin": "the intent is looked at where references are gathered",
    "outbox_step": "the outbox row goes with the last reference",
    "references_scrub_step": "owners are looked for beside the references",
}
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN) ([a-z_]+)")


class Noted:
    """A session that writes down the tables it is asked about."""

    def __init__(self, session: Session, tables: set[str]) -> None:
        self._session, self._tables = session, tables

    def execute(self, statement: str, values: Values = (), /) -> Any:
        self._tables.update(_TABLE.findall(statement))
        return self._session.execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        for row in rows:
            self.execute(statement, row)

    @property
    def usage_slot(self) -> int:
        return self._session.usage_slot

    def hold(self, bucket_id: bytes, *keys: bytes) -> None:
        self._session.hold(bucket_id, *keys)


class NotedDatabase(SqliteDatabase):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.tables: set[str] = set()
        run = self.change

        def noted(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return run(lambda db: operation(Noted(db, self.tables), *args, **kwargs))

        self.change = self.change_aside = noted


@pytest.fixture
def database(tmp_path: Path) -> Iterator[NotedDatabase]:
    migrate(tmp_path / "zapfs.db")
    made = NotedDatabase(str(tmp_path / "zapfs.db"))
    yield made
    made.close()


def told(made: Version) -> list[Task]:
    return [Task(b"task", 1, made.key)]


def everything(store: SqlStore) -> Iterator[str]:
    """Makes every change there is; says the method's name after each."""
    store.bucket_create(bucket())
    yield "bucket_create"
    store.commit(inline(b"a")._replace(announce=told))
    store.commit(chunked(b"k", entry("x"), entry("y")))
    store.commit(chunked(b"k", entry("x")))
    store.commit(inline(b"moved")._replace(moved_from=(b"a", None)))
    yield "commit"
    grown = inline(b"grown")
    piece = part(b"", 1, entry("z"))
    store.append(Appending(BUCKET, b"grown", piece.part, piece.content, lambda _: grown.version, piece.uploaded))
    yield "append"
    store.version_amend(BUCKET, b"k", None, lambda one: replace(one.attributes, acl="x"), told)
    yield "version_amend"
    store.bucket_amend(BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED, configs={"cors": b"x"}))
    yield "bucket_amend"
    on_top = store.delete_current(BUCKET, b"k", marker(b"k")).marker
    yield "delete_current"
    store.delete_version(BUCKET, b"k", NULL_PLACE, None, told, noncurrent=True)
    assert on_top is not None
    yield "delete_version"
    store.config_put(BUCKET, "metrics", "one", b"x", 10)
    yield "config_put"
    store.config_delete(BUCKET, "metrics", "one")
    yield "config_delete"
    begun, other = upload(), upload()
    store.upload_create(begun)
    store.upload_create(other)
    yield "upload_create"
    sent = [part(begun.upload_id, number, entry(f"part-{number}")) for number in (1, 2)]
    for one in sent:
        store.part_commit(one)
    store.part_commit(part(begun.upload_id, 2))
    yield "part_commit"
    store.complete_upload(Completion(version(b"key", begun.upload_id, 1), [replace(sent[0].part, start=0)]))
    yield "complete_upload"
    store.upload_abort(other.upload_id)
    yield "upload_abort"
    attempt, given_up = new_id(), new_id()
    store.intent_open(attempt, 50)
    store.intent_open(given_up, 50)
    yield "intent_open"
    store.pin(attempt, [chunk("pinned")])
    yield "pin"
    store.publish(attempt, [(chunk("pinned"), new_id(), 1)])
    yield "publish"
    store.intent_abort(given_up)
    yield "intent_abort"
    store.intents_expire_step(100, 10)
    yield "intents_expire_step"
    while store.outbox_step(100, 5, 100):
        pass
    yield "outbox_step"
    store.blobs_queue_orphans([BlobClaim(new_id(), chunk("nobody's"), new_id())], 5)
    yield "blobs_queue_orphans"
    store.blobs_removed([new_id()])
    yield "blobs_removed"
    store.references_scrub_step(None, 10)
    yield "references_scrub_step"
    store.tasks_put("q", [Task(b"t", 1, b"")])
    yield "tasks_put"
    store.tasks_done("q", [b"t"])
    yield "tasks_done"
    store.note_put("n", b"")
    yield "note_put"
    store.lease_take("l", "me", 1, 1)
    yield "lease_take"
    store.bucket_create(bucket("empty", new_id()))
    store.bucket_delete(store.bucket_get("empty").bucket_id)
    yield "bucket_delete"


def test_no_transaction_touches_both_families_but_those_the_page_names(database: NotedDatabase, tmp_path: Path) -> None:
    store = SqlStore(database, NamespaceCache(str(tmp_path / "namespace")))
    both, touched = set(), {}
    for method in everything(store):
        touched[method] = set(database.tables)
        if database.tables & OBJECTS and database.tables & CHUNKS:
            both.add(method)
        database.tables.clear()
    assert both == set(SHARE)
    assert {table for tables in touched.values() for table in tables} == OBJECTS | CHUNKS | BACKGROUND
    page = (Path(__file__).parents[2] / "docs/design/metadata-schema.md").read_text()
    assert [method for method in SHARE if f"`{method}`" not in page] == []


def test_every_table_has_its_family_and_its_place_in_the_vschema() -> None:
    made = re.findall(r"CREATE TABLE (\w+)", "".join(one.sql for one in load("mysql")))
    assert set(made) == OBJECTS | CHUNKS | BACKGROUND | {"key_lock"}
    page = (Path(__file__).parents[2] / "docs/design/metadata-schema.md").read_text()
    assert [table for table in made if f'"{table}"' not in page] == []


def test_both_dialects_have_the_same_tables_and_columns() -> None:
    def columns(dialect: str) -> set[tuple[str, str]]:
        found, table = set(), ""
        for line in "\n".join(one.sql for one in load(dialect)).replace("`", "").splitlines():
            if match := re.match(r"CREATE TABLE (\w+)", line):
                table = match[1]
            elif match := re.match(r"ALTER TABLE (\w+) ADD COLUMN (\w+)", line):
                found.add((match[1], match[2]))
            elif match := re.match(r"    ([a-z_]+) [A-Z]", line):
                found.add((table, match[1]))
        return found

    assert {one for one in columns("mysql") if one[0] != "key_lock"} == columns("sqlite")
