"""Quotas and rates by themselves: what is admitted, what is refused and when to come back, on a clock that is told."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.shared_tally import SharedTally
from app.core.cluster import Account, ClusterState, Limits
from app.core.cluster.limits import Scope
from app.core.cluster.state import assembled
from app.core.errors import S3Error
from app.core.types import Bucket, Usage
from app.services.call import SYSTEM, Call, Caller, Stages
from app.services.limits.quotas import Quotas
from app.services.limits.rates import Charge, Rates

ALICE = Account("111111111111", "a" * 64, "alice", "", 0)
BUCKET = Bucket(b"B" * 16, "bucket", ALICE.canonical_id, 1)


def state_of(**limits: Limits) -> ClusterState:
    """`account`, `bucket`, `all`: of alice, of her bucket, of everybody."""
    keys = {"account": Scope("account", "alice"), "bucket": Scope("bucket", "bucket"), "all": Scope("all")}
    made = assembled(1, [ALICE], (), {})
    return replace(made, limits={keys[name].key: given for name, given in limits.items()})


class Worker:
    """One worker of a node, whose clock is told."""

    def __init__(self, path: Path, state: ClusterState) -> None:
        self.now_s = 0.0
        self.refused: list[tuple[str, str]] = []
        self.tally = SharedTally(path)
        told = lambda kind, what: self.refused.append((kind, what))  # noqa: E731 -- said in place
        self.rates = Rates(lambda: state, self.tally, lambda: self.now_s, told)

    def asks(self, size: int = 0, account: str = ALICE.account_id, bucket: str = "bucket") -> bool:
        """Whether it is admitted."""
        return not self.waits(size, account, bucket)

    def waits(self, size: int = 0, account: str = ALICE.account_id, bucket: str = "bucket") -> str:
        """Retry-After; "" for a request that is admitted."""
        try:
            self.rates.admit(account, bucket, size)
        except S3Error as error:
            return error.headers["Retry-After"]
        return ""


def test_nothing_is_counted_where_nothing_is_limited(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "rates", state_of())
    assert worker.rates.admit(ALICE.account_id, "bucket", 5) is None
    worker = Worker(tmp_path / "rates", state_of(account=Limits(bytes=1)))
    assert worker.rates.admit(ALICE.account_id, "bucket", 5) is None


def test_workers_share_a_rate_and_each_second_gives_as_much_again(tmp_path: Path) -> None:
    state = state_of(account=Limits(requests_per_s=100))
    workers = [Worker(tmp_path / "rates", state) for _ in range(1)]
    admitted = 0
    for step in range(4_000):  # 1,000 requests a second for four seconds
        worker = workers[step % len(workers)]
        worker.now_s = step / 1_000
        admitted += worker.asks()
    assert 400 <= admitted <= 451  # and half a second's worth at the beginning
    assert set(workers[0].refused) == {("account", "requests")}


def test_what_another_column_counts_is_taken_from_the_same_rate(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "rates", state_of(bucket=Limits(requests_per_s=10)))
    assert worker.asks()
    at = worker.tally.cell("bucket/bucket")
    worker.tally._words[1] = 2  # as another process would
    worker.tally._column = 1
    worker.tally.add(at, 20, 0)
    assert worker.waits() == "2"
    worker.now_s = 1.9
    assert worker.asks()


def test_a_request_is_refused_by_whichever_scope_is_full(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "rates", state_of(all=Limits(requests_per_s=2), bucket=Limits(requests_per_s=100)))
    assert worker.asks(account="")
    assert not worker.asks(bucket="", account="")
    assert worker.refused == [("all", "requests")]


def test_bytes_are_a_debt_that_the_next_pays_by_waiting(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "rates", state_of(account=Limits(bytes_per_s=1_000)))
    charge = worker.rates.admit(ALICE.account_id, "bucket", 10_000)
    assert isinstance(charge, Charge)
    assert worker.waits() == "10"
    charge.moves(3_000)  # the client was gone by then
    assert worker.waits() == "3"
    worker.now_s = 2.6
    assert worker.asks()


def test_nobody_is_sent_away_for_more_than_a_minute(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "rates", state_of(account=Limits(bytes_per_s=1)))
    worker.asks(1 << 40)
    assert worker.waits() == "60"


def test_gateways_share_what_may_be_taken(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "rates", state_of(account=Limits(requests_per_s=100)))
    SharedTally(tmp_path / "rates", counts=False).tell_gateways(2)
    assert sum(worker.asks() for _ in range(200)) == 25


def test_the_column_of_a_worker_that_died_is_another_ones(tmp_path: Path) -> None:
    tally = SharedTally(tmp_path / "rates")
    cell = tally.cell("account/alice")
    child = os.fork()
    if child == 0:
        taken = SharedTally(tmp_path / "rates")
        taken.add(taken.cell("account/alice"), 3, 30)
        os._exit(taken._column)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    tally.add(cell, 1, 10)
    assert tally.total(cell) == (4, 40)
    tally.close()
    assert SharedTally(tmp_path / "rates")._column == 0


def test_a_worker_counts_alone_where_the_disk_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allocate, asked = os.posix_fallocate, []

    def full_disk(fd: int, offset: int, length: int) -> None:
        asked.append(fd)
        if len(asked) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allocate(fd, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", full_disk)
    tally = SharedTally(tmp_path / "rates")
    tally.add(tally.cell("account/alice"), 3, 30)
    assert (tally.alone, tally.total(tally.cell("account/alice"))) == (True, (3, 30))
    assert not SharedTally(tmp_path / "rates").alone


class Holds:
    """A store that counts."""

    def __init__(self, usage: Usage) -> None:
        self.usage = usage
        self.asked = 0

    def bucket_usage(self, _: bytes) -> Usage:
        self.asked += 1
        return self.usage

    def owner_usage(self, _: str) -> Usage:
        return self.bucket_usage(b"")


def call_at(now_ms: int, caller: Caller = Caller(ALICE.account_id, ALICE.canonical_id, "", "AK")) -> Call:  # noqa: B008 -- a value
    return Call(caller, "id", now_ms, Stages())


def test_a_worker_adds_what_it_wrote_to_what_it_read_within_the_last_second() -> None:
    store = Holds(Usage(5, 500))
    quotas = Quotas(store, lambda: state_of(bucket=Limits(bytes=1_000)), lambda *_: None)
    quotas.take(call_at(0), BUCKET, 300, 1)
    with pytest.raises(S3Error, match="QuotaExceeded"):
        quotas.check(call_at(999), BUCKET, 201, 1)
    quotas.check(call_at(999), BUCKET, 200, 1)
    assert store.asked == 1
    quotas.check(call_at(1_000), BUCKET, 500, 1)
    assert store.asked == 2


def test_the_account_of_the_bucket_is_bound_whoever_writes() -> None:
    refused: list[tuple[str, str]] = []
    state = state_of(account=Limits(objects=6))
    quotas = Quotas(Holds(Usage(6, 0)), lambda: state, lambda *told: refused.append(told))
    with pytest.raises(S3Error, match="QuotaExceeded"):
        quotas.check(call_at(0, Caller("222222222222", "b" * 64, "", "BK")), BUCKET, 0, 1)
    assert refused == [("account", "objects")]
    quotas.check(call_at(0), BUCKET, 10, 0)  # an append makes no object


def test_what_the_system_writes_is_not_bounded() -> None:
    quotas = Quotas(Holds(Usage(9, 9)), lambda: state_of(bucket=Limits(bytes=1)), lambda *_: None)
    quotas.take(call_at(0, SYSTEM), BUCKET, 300, 1)


def test_a_bucket_made_anew_is_looked_at_anew() -> None:
    store = Holds(Usage(5, 500))
    quotas = Quotas(store, lambda: state_of(bucket=Limits(bytes=1_000)), lambda *_: None)
    quotas.take(call_at(0), BUCKET, 500, 1)
    store.usage = Usage(0, 0)
    quotas.check(call_at(1), replace(BUCKET, bucket_id=b"C" * 16), 1_000, 1)
