"""Several processes on the stacks and the configuration of one bucket."""

import multiprocessing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gevent

from app.adapters.sql.store import SqliteStore
from app.core.errors import S3Error
from app.core.types import NULL_PLACE, NULL_VERSION, Bucket, Versioning, VersionPlace
from app.ports.metadata import Commit
from tests.contract.metadata import BUCKET, inline, marker, new_id
from tests.contract.processes import PROCESSES, absent, in_processes


def race_versioned(index: int, path: Path, rounds: int, writers: int, barrier: Any) -> None:
    """In each round every writer of every process tries to put the same key, all let go at once."""
    store = SqliteStore(path)
    won = 0

    def create(number: int) -> bool:
        ask = inline(b"round-%d" % number, b"%d" % index)
        try:
            store.commit(Commit(ask.version._replace(version_id=new_id()), ask.content, absent))
        except S3Error:
            return False
        return True

    for number in range(rounds):
        barrier.wait(60)
        jobs = [gevent.spawn(create, number) for _ in range(writers)]
        gevent.joinall(jobs, raise_error=True)
        won += sum(job.value for job in jobs)
    store.close()
    (path.parent / f"won-{index}").write_text(str(won))


def test_of_thirty_two_conditional_writers_of_a_versioned_bucket_one_wins_each_round(path: Path) -> None:
    rounds = 50
    store = SqliteStore(path)
    store.bucket_amend(BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED))
    store.close()
    barrier = multiprocessing.get_context("spawn").Barrier(PROCESSES)
    assert in_processes(race_versioned, path, rounds, 32 // PROCESSES, barrier) == [0] * PROCESSES
    assert sum(int(name.read_text()) for name in path.parent.glob("won-*")) == rounds
    store = SqliteStore(path)
    assert len(store.versions_scan(BUCKET, b"", None, None, 1_000)) == rounds
    store.close()


def pile(index: int, path: Path, turns: int) -> None:
    """Puts, deletes and removals on three keys that every process works on; the null versions stay."""
    store = SqliteStore(path)

    def client(number: int) -> None:
        for turn in range(turns):
            key = b"%d" % ((turn + number) % 3)
            ask = inline(key)
            store.commit(ask._replace(version=ask.version._replace(version_id=new_id())))
            if turn % 3 == 0:
                store.delete_current(BUCKET, key, marker(key))
            if turn % 4 == 0:
                newest = store.versions_scan(BUCKET, key, None, None, 5)
                for one in [one for one in newest if one.version_id != NULL_VERSION][turn % 2 :: 2]:
                    store.delete_version(BUCKET, one.key, VersionPlace(one.seq, one.version_id))

    gevent.joinall([gevent.spawn(client, one) for one in range(4)], raise_error=True)
    store.close()


def test_stacks_that_several_processes_change_at_once_stay_whole(path: Path) -> None:
    store = SqliteStore(path)
    for key in (b"0", b"1", b"2"):
        store.commit(inline(key))
    store.bucket_amend(BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED))
    assert in_processes(pile, path, 60) == [0] * PROCESSES
    for key in (b"0", b"1", b"2"):
        stack = store.versions_scan(BUCKET, key, None, key + b"\x00", 10_000)
        assert len({one.seq for one in stack}) == len(stack)
        heads = store.currents_scan(BUCKET, key, True, key + b"\x00", 2)
        assert heads == [one for one in stack[:1] if not one.delete_marker]
        nulls = [one for one in stack if one.version_id == NULL_VERSION]
        assert nulls == [store.version(BUCKET, key, NULL_PLACE)]
    store.close()


def with_document(kind: str, one: Bucket) -> Bucket:
    return replace(one, configs={**one.configs, kind: b"x"})


def configure_by_turns(index: int, path: Path, turns: int) -> None:
    """Each process adds documents of its own, one at a time, and reads them back at once."""
    store = SqliteStore(path)
    for turn in range(turns):
        kind = f"kind-{index}-{turn}"
        store.bucket_amend(BUCKET, partial(with_document, kind))
        assert kind in store.bucket_get("bucket").configs
    store.close()


def test_changes_of_one_bucket_by_several_processes_lose_none(path: Path) -> None:
    assert in_processes(configure_by_turns, path, 20) == [0] * PROCESSES
    store = SqliteStore(path)
    assert len(store.bucket_get("bucket").configs) == 20 * PROCESSES
    store.close()
