"""MariaDB that goes away, refuses, or lets two transactions run into each other; and one that would lose commits."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.server
import gevent.socket as green
import pytest

from app.adapters.sql import queues
from app.adapters.sql.mysql import pool as pools
from app.adapters.sql.mysql import server
from app.adapters.sql.mysql.address import address_of
from app.adapters.sql.mysql.store import MysqlStore, Unsupported
from app.core.errors import Missing, Unavailable
from migrations import on_mysql
from migrations.run import MigrationError
from tests import mariadb
from tests.contract.metadata import BUCKET, bucket, inline


@pytest.fixture
def store() -> Iterator[MysqlStore]:
    mariadb.shared().wipe()
    opened = MysqlStore(mariadb.shared().url(), 8)
    opened.bucket_create(bucket())
    yield opened
    opened.close()


class Line:
    """A wire to the server that is cut when a word of the client's passes: before the server hears it, or after."""

    def __init__(self, path: Path, behind: str) -> None:
        self.word, self.heard, self.cuts = b"", False, 0
        self._behind = behind
        listener = green.socket(green.AF_UNIX, green.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(16)
        self._server = gevent.server.StreamServer(listener, self._serve)
        self._server.start()
        self.url = f"mysql://root@localhost/zapfs?socket={path}"

    def cut_at(self, word: bytes, *, heard: bool) -> None:
        self.word, self.heard = word, heard

    def _serve(self, client: Any, _: object) -> None:
        behind = green.socket(green.AF_UNIX, green.SOCK_STREAM)
        behind.connect(self._behind)
        back = gevent.spawn(self._copy, behind, client)
        while data := client.recv(1 << 20):
            if self.word and self.word in data:
                self.word, self.cuts = b"", self.cuts + 1
                back.kill()
                if self.heard:
                    behind.sendall(data)
                    behind.recv(1)  # it has begun to answer: the first statement of the trip is through
                    self._until_idle()
                break
            behind.sendall(data)
        client.close()
        behind.close()

    @staticmethod
    def _copy(source: Any, target: Any) -> None:
        while data := source.recv(1 << 20):
            target.sendall(data)

    @staticmethod
    def _until_idle() -> None:
        """Until no other connection runs anything: what was sent is done."""
        observer = mariadb.shared().connect()
        busy = (
            "SELECT 1 FROM information_schema.processlist "
            "WHERE command = 'Query' AND id <> connection_id() AND user = 'root'"
        )
        while observer.cursor().execute(busy):
            gevent.sleep(0.005)
        server.drop(observer)

    def close(self) -> None:
        self._server.stop(timeout=0)


@pytest.fixture
def line(store: MysqlStore, tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "line", address_of(mariadb.shared().url()).socket)
    yield made
    made.close()


def lock_waits(observer: server.Connection) -> int:
    cursor = observer.cursor()
    cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
    return int(cursor.fetchall()[0][1])


def test_a_connection_lost_before_the_commit_is_not_noticed(store: MysqlStore, line: Line) -> None:
    through = MysqlStore(line.url, 2)
    for word in (b"key_lock", b"START TRANSACTION"):
        line.cut_at(word, heard=True)
        made = through.commit(inline(b"k"))
        assert store.current(BUCKET, b"k") == made
    assert line.cuts == 2
    line.cut_at(b"obj_head", heard=False)
    assert through.current(BUCKET, b"k") == made
    assert line.cuts == 3
    through.close()


@pytest.mark.parametrize("heard", [True, False])
def test_a_connection_lost_in_the_commit_is_told_and_not_tried_again(
    store: MysqlStore, line: Line, heard: bool
) -> None:
    through = MysqlStore(line.url, 2)
    line.cut_at(b"COMMIT", heard=heard)
    with pytest.raises(Unavailable, match="unknown"):
        through.commit(inline(b"k"))
    if heard:
        assert store.current(BUCKET, b"k").seq == 1
    else:
        with pytest.raises(Missing):
            store.current(BUCKET, b"k")
    assert through.commit(inline(b"k")).seq == (2 if heard else 1)
    through.close()


def test_connections_the_server_ended_are_replaced_before_they_are_used(store: MysqlStore) -> None:
    gevent.joinall([gevent.spawn(store.commit, inline(b"%d" % number)) for number in range(20)], raise_error=True)
    observer = mariadb.shared().connect()
    cursor = observer.cursor()
    cursor.execute("SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = 'zapfs'")
    ended = [number for (number,) in cursor.fetchall()]
    for number in ended:
        cursor.execute(f"KILL {number}")
    while cursor.execute("SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = 'zapfs'"):
        gevent.sleep(0.01)
    server.drop(observer)
    assert len(ended) > 1
    store.intent_open(b"i" * 16, 5)
    assert store.gc_counts().intents == 1


def test_transactions_that_run_into_each_other_all_come_through(store: MysqlStore) -> None:
    store.tasks_put("q", [])

    def both_ways(db: Any, forward: bool) -> None:
        names = [b"a", b"b"] if forward else [b"b", b"a"]
        for name in names:
            db.execute("UPDATE task SET due_ms = due_ms + 1 WHERE queue = 'q' AND task_id = ?", (name,)).fetchall()

    store._database.change(lambda db: queues.put(db, "q", [queues.Task(b"a", 0, b""), queues.Task(b"b", 0, b"")]))
    jobs = [gevent.spawn(store._database.change, both_ways, number % 2 == 0) for number in range(60)]
    gevent.joinall(jobs, raise_error=True)
    assert [task.due_ms for task in store.tasks_due("q", 1_000, 10)] == [60, 60]
    observer = mariadb.shared().connect()
    cursor = observer.cursor()
    cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    assert int(cursor.fetchall()[0][1]) > 0
    server.drop(observer)


def test_who_waits_too_long_for_a_connection_is_told(store: MysqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "SQL_POOL_SECONDS_MAX", 0.05)
    small = MysqlStore(mariadb.shared().url(), 1)
    blocker = mariadb.shared().connect()
    cursor = blocker.cursor()
    cursor.execute("START TRANSACTION")
    cursor.execute("SELECT 1 FROM bucket WHERE name = 'bucket' FOR UPDATE")
    waiting = gevent.spawn(small.commit, inline(b"k"))
    gevent.sleep(0)
    with pytest.raises(Unavailable, match="no connection"):
        small.current(BUCKET, b"k")
    cursor.execute("ROLLBACK")
    assert waiting.get(timeout=10).key == b"k"
    server.drop(blocker)
    small.close()


def test_a_greenlet_killed_in_its_transaction_leaves_nothing_behind(store: MysqlStore) -> None:
    blocker = mariadb.shared().connect()
    cursor = blocker.cursor()
    cursor.execute("START TRANSACTION")
    cursor.execute("SELECT 1 FROM bucket WHERE name = 'bucket' FOR UPDATE")
    jobs = [gevent.spawn(store.commit, inline(b"k")) for _ in range(8)]
    observer = mariadb.shared().connect()
    with gevent.Timeout(10):
        while lock_waits(observer) < 2:
            gevent.sleep(0.01)
    server.drop(observer)
    gevent.killall(jobs)
    cursor.execute("ROLLBACK")
    server.drop(blocker)
    assert store.commit(inline(b"k")).seq == 1


@pytest.fixture(scope="module")
def mortal() -> Iterator[mariadb.Mariadb]:
    """A server of this file's own, to be killed."""
    made = mariadb.Mariadb()
    made.start()
    made.make()
    yield made
    made.end()


def test_what_was_acknowledged_survives_the_server_and_the_pool_goes_on(mortal: mariadb.Mariadb) -> None:
    store = MysqlStore(mortal.url(), 8)
    store.bucket_create(bucket())
    acknowledged: list[bytes] = []
    refused: list[Unavailable] = []

    def client(number: int) -> None:
        turn = 0
        while not stop:
            key = b"%d-%d" % (number, turn)
            try:
                store.commit(inline(key, key))
                acknowledged.append(key)
            except Unavailable as error:
                refused.append(error)
                gevent.sleep(0.02)
            turn += 1

    stop: list[bool] = []
    jobs = [gevent.spawn(client, number) for number in range(8)]
    for _ in range(2):
        so_far = len(acknowledged)
        while len(acknowledged) < so_far + 100:
            gevent.sleep(0.01)
        mortal.kill(signal.SIGKILL)
        failed = len(refused)
        while len(refused) == failed:
            gevent.sleep(0.01)
        mortal.start()
    so_far = len(acknowledged)
    while len(acknowledged) < so_far + 100:
        gevent.sleep(0.01)
    stop.append(True)
    gevent.joinall(jobs, raise_error=True)
    for key in acknowledged:
        page = store.current_with_content(BUCKET, key)[1]
        assert page is not None
        assert page.inline == key
    store.close()


@pytest.mark.parametrize(
    ("variable", "value", "good", "told"),
    [
        ("innodb_flush_log_at_trx_commit", "2", "1", "innodb_flush_log_at_trx_commit must be 1"),
        ("read_only", "1", "0", "read_only must be OFF"),
        ("max_allowed_packet", "1048576", "16777216", "max_allowed_packet must be 16 MiB"),
    ],
)
def test_a_server_that_cannot_keep_the_promise_is_refused(
    mortal: mariadb.Mariadb, variable: str, value: str, good: str, told: str
) -> None:
    connection = mortal.connect()
    connection.cursor().execute(f"SET GLOBAL {variable} = {value}")
    with pytest.raises(Unsupported, match=told):
        MysqlStore(mortal.url(), 1)
    connection.cursor().execute(f"SET GLOBAL {variable} = {good}")
    server.drop(connection)
    MysqlStore(mortal.url(), 1).close()


def test_nobody_who_answers_is_told_at_once_and_without_the_password(tmp_path: Path) -> None:
    for url in (
        f"mysql://user:hunter2@localhost/zapfs?socket={tmp_path / 'nothing'}",
        "mysql://user:hunter2@127.0.0.1:1/zapfs",
        mariadb.shared().url().replace("root@", "user:hunter2@"),
    ):
        with pytest.raises(Unavailable) as told:
            MysqlStore(url, 1)
        assert "hunter2" not in str(told.value)
        assert "\n" not in str(told.value)


class TestMigrations:
    @pytest.fixture
    def cursor(self, mortal: mariadb.Mariadb) -> Iterator[Any]:
        connection = mortal.connect("mysql")
        connection.cursor().execute("DROP DATABASE IF EXISTS young")
        connection.cursor().execute("CREATE DATABASE young")
        server.drop(connection)
        connection = mortal.connect("young")
        yield connection.cursor()
        server.drop(connection)

    def test_an_empty_database_is_refused_until_it_was_migrated_and_again_changes_nothing(self, cursor: Any) -> None:
        with pytest.raises(MigrationError, match="run zapfs migrate"):
            on_mysql.require_current(cursor)
        assert on_mysql.migrate(cursor) == on_mysql.migrate(cursor) == len(on_mysql.load("mysql"))
        on_mysql.require_current(cursor)

    def test_several_that_migrate_at_once_take_turns(self, mortal: mariadb.Mariadb, cursor: Any) -> None:
        connections = [mortal.connect("young") for _ in range(4)]
        jobs = [gevent.spawn(on_mysql.migrate, one.cursor()) for one in connections]
        gevent.joinall(jobs, raise_error=True)
        on_mysql.require_current(cursor)
        for one in connections:
            server.drop(one)

    def test_a_migration_cut_short_is_finished_by_the_next(self, cursor: Any) -> None:
        on_mysql.migrate(cursor)
        cursor.execute("UPDATE schema_migration SET finished = 0 WHERE number = 3")
        cursor.execute("DROP TABLE bucket_usage")
        with pytest.raises(MigrationError, match="run zapfs migrate"):
            on_mysql.require_current(cursor)
        on_mysql.migrate(cursor)
        cursor.execute("SELECT count(*) FROM bucket_usage")
        on_mysql.require_current(cursor)

    def test_an_edited_or_newer_history_is_refused(self, cursor: Any) -> None:
        on_mysql.migrate(cursor)
        cursor.execute("INSERT INTO schema_migration VALUES (99, 'later', 'x', 1)")
        with pytest.raises(MigrationError, match="newer program"):
            on_mysql.require_current(cursor)
        cursor.execute("DELETE FROM schema_migration WHERE number = 99")
        cursor.execute("UPDATE schema_migration SET checksum = 'x' WHERE number = 1")
        with pytest.raises(MigrationError, match="another text"):
            on_mysql.migrate(cursor)
