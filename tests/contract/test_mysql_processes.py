"""Several gateways on one MariaDB: what each acknowledged the others see at once, and of rivals one wins."""

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import pytest

from app.adapters.sql.mysql.store import MysqlStore
from app.core.errors import Conflict, Missing, S3Error
from app.core.types import NULL_PLACE, NULL_VERSION, Bucket, Versioning, VersionPlace
from app.ports.metadata import Commit, MetadataStore
from tests import mariadb
from tests.contract.metadata import BUCKET, bucket, chunked, drain, entry, inline, marker, new_id
from tests.contract.processes import absent, in_processes

GATEWAYS = 3
GREENLETS = 8


@pytest.fixture
def url() -> str:
    mariadb.shared().wipe()
    store = MysqlStore(mariadb.shared().url(), 1)
    store.bucket_create(bucket())
    store.close()
    return mariadb.shared().url()


@pytest.fixture
def store(url: str) -> Iterator[MetadataStore]:
    opened = MysqlStore(url, 4)
    yield opened
    opened.close()


def together(work: Any, *args: Any) -> None:
    assert in_processes(work, *args, count=GATEWAYS) == [0] * GATEWAYS


def race_creators(index: int, url: str, told: Path) -> None:
    """Each gateway tries to create every key and every bucket; it leaves a file for each it won."""
    store = MysqlStore(url, GREENLETS)

    def create(number: int) -> None:
        ask = inline(b"%d" % number, b"%d" % index)
        try:
            store.commit(Commit(ask.version, ask.content, absent))
            (told / f"key-{number}-{index}").touch()
        except S3Error:
            pass
        try:
            store.bucket_create(bucket(f"bucket-{number}", new_id(), f"owner-{index}"))
            (told / f"bucket-{number}-{index}").touch()
        except Conflict:
            pass

    for first in range(0, 80, GREENLETS):
        gevent.joinall([gevent.spawn(create, number) for number in range(first, first + GREENLETS)], raise_error=True)
    store.close()


def test_of_rival_creators_of_keys_and_buckets_exactly_one_wins_each(
    url: str, store: MetadataStore, tmp_path: Path
) -> None:
    together(race_creators, url, tmp_path)
    for kind in ("key", "bucket"):
        won = [tuple(map(int, name.name.split("-")[1:])) for name in tmp_path.glob(f"{kind}-*")]
        assert sorted(number for number, _ in won) == list(range(80))
    for number, index in (map(int, name.name.split("-")[1:]) for name in tmp_path.glob("bucket-*")):
        assert store.bucket_get(f"bucket-{number}").owner == f"owner-{index}"


def race_versioned(index: int, url: str, told: Path, rounds: int, barrier: Any) -> None:
    store = MysqlStore(url, GREENLETS)
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
        jobs = [gevent.spawn(create, number) for _ in range(GREENLETS)]
        gevent.joinall(jobs, raise_error=True)
        won += sum(job.value for job in jobs)
    store.close()
    (told / f"won-{index}").write_text(str(won))


def barrier() -> Any:
    return multiprocessing.get_context("spawn").Barrier(GATEWAYS)


def test_of_conditional_writers_of_a_key_that_is_not_there_one_wins_each_round(
    url: str, store: MetadataStore, tmp_path: Path
) -> None:
    store.bucket_amend(BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED))
    together(race_versioned, url, tmp_path, 20, barrier())
    assert sum(int(name.read_text()) for name in tmp_path.glob("won-*")) == 20
    assert len(store.versions_scan(BUCKET, b"", None, None, 1_000)) == 20


def delete_or_put(index: int, url: str, told: Path, rounds: int, barrier: Any) -> None:
    """One gateway deletes the bucket of each round, the others put into it and begin uploads."""
    store = MysqlStore(url, 4)
    for number in range(rounds):
        bucket_id = number.to_bytes(16, "big")
        barrier.wait(60)
        try:
            if index == 0:
                store.bucket_delete(bucket_id)
            else:
                store.commit(inline(b"%d" % index, bucket_id=bucket_id))
            outcome = "done"
        except (Missing, Conflict) as refused:
            outcome = type(refused).__name__
        (told / f"{number}-{index}").write_text(outcome)
    store.close()


def test_a_bucket_is_deleted_or_written_into_and_never_both(url: str, store: MetadataStore, tmp_path: Path) -> None:
    rounds = 40
    for number in range(rounds):
        store.bucket_create(bucket(f"round-{number}", number.to_bytes(16, "big")))
    together(delete_or_put, url, tmp_path, rounds, barrier())
    for number in range(rounds):
        deleted, *put = [(tmp_path / f"{number}-{index}").read_text() for index in range(GATEWAYS)]
        held = store.currents_scan(number.to_bytes(16, "big"), b"", True, None, 10)
        assert len(held) == put.count("done")
        assert (deleted == "done") == (held == [])
        assert set(put) <= {"done", "Missing"}


def pile(index: int, url: str, turns: int) -> None:
    """Puts, deletes and removals on three keys that every gateway works on; chunks are shared; sweeps run beside."""
    store = MysqlStore(url, 8)

    def client(number: int) -> None:
        for turn in range(turns):
            key = b"%d" % ((turn + number) % 3)
            ask = inline(key) if turn % 2 else chunked(key, *(entry(f"shared-{(turn + at) % 5}") for at in range(3)))
            store.commit(ask._replace(version=ask.version._replace(version_id=new_id())))
            if turn % 3 == 0:
                store.delete_current(BUCKET, key, marker(key))
            if turn % 4 == 0:
                for one in store.versions_scan(BUCKET, key, None, key + b"\x00", 5)[turn % 2 :: 2]:
                    if one.version_id != NULL_VERSION:
                        store.delete_version(BUCKET, one.key, VersionPlace(one.seq, one.version_id))
            if turn % 5 == 0:
                store.outbox_step(turn, 5, 20)

    gevent.joinall([gevent.spawn(client, one) for one in range(4)], raise_error=True)
    store.close()


def test_stacks_and_chunks_that_several_gateways_change_at_once_stay_whole(url: str, store: MetadataStore) -> None:
    for key in (b"0", b"1", b"2"):
        store.commit(inline(key))
    store.bucket_amend(BUCKET, lambda one: replace(one, versioning=Versioning.ENABLED))
    together(pile, url, 30)
    drain(store)
    live = {one.chunk_id: one for one in store.chunks_walk(b"", 100)}
    held: list[tuple[bytes, bytes]] = []
    for key in (b"0", b"1", b"2"):
        stack = store.versions_scan(BUCKET, key, None, key + b"\x00", 10_000)
        assert len({one.seq for one in stack}) == len(stack)
        assert store.currents_scan(BUCKET, key, True, key + b"\x00", 2) == [
            one for one in stack[:1] if not one.delete_marker
        ]
        assert [one for one in stack if one.version_id == NULL_VERSION] == [store.version(BUCKET, key, NULL_PLACE)]
        for one in stack:
            if not one.delete_marker:
                page = store.content_page(one.ref_id, 0)
                held += [(each.chunk_id, each.blob_id) for each in page.chunks]
                assert all(live[each.chunk_id].blob_id == each.blob_id for each in page.chunks)
    assert sum(one.references for one in live.values()) == len(held) == store.gc_counts().chunk_references
    assert {chunk_id for chunk_id, _ in held} == set(live)
    assert not {blob_id for _, blob_id in held} & set(store.blobs_due(2**60, 100_000))


def with_document(kind: str, one: Bucket) -> Bucket:
    return replace(one, configs={**one.configs, kind: b"x"})


def configure_by_turns(index: int, url: str, turns: int) -> None:
    store = MysqlStore(url, 2)
    for turn in range(turns):
        store.bucket_amend(BUCKET, partial(with_document, f"kind-{index}-{turn}"))
        assert f"kind-{index}-{turn}" in store.bucket_get("bucket").configs
    store.close()


def test_changes_of_one_bucket_by_several_gateways_lose_none(url: str, store: MetadataStore) -> None:
    together(configure_by_turns, url, 15)
    assert len(store.bucket_get("bucket").configs) == 15 * GATEWAYS


def test_what_one_gateway_acknowledged_the_next_reads(url: str, store: MetadataStore) -> None:
    other = MysqlStore(url, 2)
    for number in range(30):
        writer, reader = (store, other) if number % 2 else (other, store)
        made = writer.commit(inline(b"k", os.urandom(8)))
        assert reader.current(BUCKET, b"k") == made
        writer.bucket_amend(BUCKET, partial(with_document, f"{number}"))
        assert f"{number}" in reader.bucket_get("bucket").configs
    other.delete_current(BUCKET, b"k", marker(b"k"))
    other.bucket_delete(BUCKET)
    with pytest.raises(Missing):
        store.bucket_get("bucket")
    with pytest.raises(Missing):
        store.commit(inline(b"k"))
    other.close()


def hold_the_lease(index: int, url: str, told: Path, barrier: Any) -> None:
    store = MysqlStore(url, 2)
    for number in range(30):
        barrier.wait(60)
        if store.lease_take(f"lease-{number}", f"holder-{index}", 100, 50):
            (told / f"{number}-{index}").touch()
    store.close()


def test_a_lease_nobody_had_goes_to_one_gateway(url: str, tmp_path: Path) -> None:
    together(hold_the_lease, url, tmp_path, barrier())
    assert sorted(int(name.name.split("-")[0]) for name in tmp_path.iterdir()) == list(range(30))
