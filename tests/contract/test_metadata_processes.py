"""Several processes on one metadata store, and a device that runs full under it."""

import errno
import fcntl
import multiprocessing
import os
import resource
import signal
import sqlite3
from pathlib import Path

import gevent
import pytest

from app.adapters.sql.store import SqliteStore
from app.core.errors import Full, S3Error, Unavailable
from app.core.limits import WAL_BYTES_MAX
from app.ports.metadata import Commit
from tests.contract.metadata import BUCKET, chunked, drain, entry, inline, marker
from tests.contract.processes import PROCESSES, absent, in_processes


def race_creators(index: int, path: Path) -> None:
    """Each process tries to create every key; it leaves a file per key it won."""
    store = SqliteStore(path)

    def create(number: int) -> None:
        ask = inline(b"%d" % number, b"%d" % index)
        try:
            store.commit(Commit(ask.version, ask.content, absent))
        except S3Error:
            return
        (path.parent / f"won-{number}-{index}").touch()

    for first in range(0, 100, 10):
        gevent.joinall([gevent.spawn(create, number) for number in range(first, first + 10)], raise_error=True)
    store.close()


def test_of_creators_racing_in_several_processes_exactly_one_wins_each_key(path: Path) -> None:
    assert in_processes(race_creators, path) == [0] * PROCESSES
    won = sorted(int(name.name.split("-")[1]) for name in path.parent.glob("won-*"))
    assert won == list(range(100))


def load(index: int, path: Path, count: int) -> None:
    """Commits, overwrites, deletes, reads, scans and sweeps without one error."""
    store = SqliteStore(path)

    def client(number: int) -> None:
        for turn in range(count):
            key = b"%d-%d" % (turn % 40, number)
            store.commit(inline(key, os.urandom(4096)))
            store.current_with_content(BUCKET, key) if turn % 2 else store.currents_scan(BUCKET, b"", True, None, 50)
            if turn % 5 == 0:
                store.commit(chunked(key, entry(f"{number}-{turn}")))
            if turn % 7 == 0:
                store.delete_current(BUCKET, b"%d-%d" % (turn % 40, number), marker(b"%d-%d" % (turn % 40, number)))
            if turn % 11 == 0:
                store.outbox_step(turn, 5, 50)

    gevent.joinall([gevent.spawn(client, index * 8 + one) for one in range(8)], raise_error=True)
    store.close()


def test_processes_under_mixed_load_see_no_error_and_the_log_stays_bounded(path: Path) -> None:
    keeper = sqlite3.connect(path)  # keeps the log from being removed when the last store closes
    keeper.execute("SELECT count(*) FROM bucket").fetchall()
    assert in_processes(load, path, 250) == [0] * PROCESSES
    assert path.with_name("zapfs.db-wal").stat().st_size < 2 * WAL_BYTES_MAX
    assert keeper.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    keeper.close()
    store = SqliteStore(path)
    drain(store)
    assert store.gc_counts().outbox == 0
    heads = store.currents_scan(BUCKET, b"", True, None, 5_000)
    assert heads == sorted(store.versions_walk(None, 5_000), key=lambda one: one.key)
    store.close()


def commit_until_killed(index: int, path: Path) -> None:
    store = SqliteStore(path)
    acknowledged = os.open(path.parent / f"acknowledged-{index}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def client(number: int) -> None:
        turn = 0
        while True:
            key = b"%d-%d-%d" % (index, number, turn)
            store.commit(inline(key, key))
            os.write(acknowledged, key + b"\n")
            turn += 1

    gevent.joinall([gevent.spawn(client, number) for number in range(4)], raise_error=True)


def test_what_was_acknowledged_survives_a_kill_and_others_go_on(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=commit_until_killed, args=(index, path)) for index in range(3)]
    for process in processes:
        process.start()
    gevent.sleep(2)
    for process in processes:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        gevent.sleep(0.2)
    store = SqliteStore(path)
    keys = [key for file in path.parent.glob("acknowledged-*") for key in file.read_bytes().split()]
    assert len(keys) > 100
    for key in keys:
        page = store.current_with_content(BUCKET, key)[1]
        assert page is not None
        assert page.inline == key
    store.close()


def run_into_the_limit(_: int, path: Path) -> None:
    """A file size limit stands in for a device that fails writes."""
    store = SqliteStore(path)
    store.commit(inline(b"before"))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    stored = [b"before"]

    def fill() -> None:
        for number in range(1_000):
            store.commit(inline(b"%d" % number, bytes(4096)))
            stored.append(b"%d" % number)

    with pytest.raises((Full, Unavailable)):
        fill()
    for key in stored:
        assert store.current_with_content(BUCKET, key)[1] is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.commit(inline(b"after"))
    assert len(store.currents_scan(BUCKET, b"", True, None, 5_000)) == len(stored) + 1
    store.close()


def test_writes_that_fail_are_refused_and_harm_nothing_and_work_again_later(path: Path) -> None:
    assert in_processes(run_into_the_limit, path, count=1) == [0]


def test_a_full_database_says_full_and_goes_on_when_there_is_room(path: Path) -> None:
    store = SqliteStore(path)
    ((pages,),) = store._database._writer._db.execute("PRAGMA page_count").fetchall()
    store._database._writer._db.execute(f"PRAGMA max_page_count={pages + 20}")
    jobs = [gevent.spawn(store.commit, inline(b"%03d" % number, bytes(8_000))) for number in range(40)]
    gevent.joinall(jobs)
    refused = [job for job in jobs if job.exception is not None]
    assert refused
    assert all(isinstance(job.exception, Full) for job in refused)
    store._database._writer._db.execute("PRAGMA max_page_count=1000000")
    store.commit(inline(b"after"))
    assert len(store.currents_scan(BUCKET, b"", True, None, 100)) == 41 - len(refused)
    store.close()


def test_a_lock_the_system_refuses_is_told_to_those_who_wait_and_the_next_try_works(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def refused(fd: int, how: int) -> None:
        if how & fcntl.LOCK_EX:
            raise OSError(errno.ENOLCK, "No locks available")
        flock(fd, how)

    store = SqliteStore(path)
    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(Unavailable):
        store.commit(inline(b"a"))
    monkeypatch.undo()
    assert store.commit(inline(b"a")).key == b"a"
    store.close()
