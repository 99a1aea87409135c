"""Several ways to the same thing: how many at a time, when one more, and when none."""

from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event

from app.core import cluster_limits
from app.core.errors import Missing, StoreError, Unavailable
from app.core.layout.profiles import replication
from app.services.placing.budget import Budget
from app.services.placing.lately import Hedges, Lately
from app.services.placing.racing import Patience, first
from tests.placed_room import placed


class Race:
    """Ways named by numbers, and what became of them."""

    def __init__(self, hedges: int = 9) -> None:
        self.begun: list[int] = []
        self.late: list[int] = []
        self.failed: dict[int, StoreError] = {}
        self.gate = Event()
        self._hedges = hedges

    def _may_hedge(self) -> bool:
        self._hedges -= 1
        return self._hedges >= 0

    def patience(self) -> Patience[int]:
        return Patience(0.01, self._may_hedge, self.late.append, self.failed.__setitem__)

    def ways(self, *numbers: int, outcome: str = "here") -> Iterator[tuple[int, Callable[[], str]]]:
        def go(number: int) -> str:
            self.begun.append(number)
            if outcome == "slow":
                self.gate.wait()
            if outcome == "fails":
                raise Unavailable("no")
            return f"{number}"

        return ((number, lambda number=number: go(number)) for number in numbers)


def test_only_as_many_ways_are_gone_as_are_needed() -> None:
    race = Race()
    assert first(2, race.ways(1, 2, 3), race.ways(4), race.patience()) == {1: "1", 2: "2"}
    assert race.begun == [1, 2]


def test_who_fails_is_noted_and_the_others_are_gone_then() -> None:
    race = Race()
    assert first(1, race.ways(1, 2, outcome="fails"), race.ways(3), race.patience()) == {3: "3"}
    assert sorted(race.failed) == [1, 2]
    assert first(1, race.ways(outcome="fails"), race.ways(5, outcome="fails"), race.patience()) == {}


def test_lateness_brings_the_next_way_but_no_search_elsewhere() -> None:
    race = Race()
    gevent.spawn_later(0.1, race.gate.set)
    assert first(1, race.ways(1, 2, outcome="slow"), race.ways(3), race.patience())
    assert race.begun == [1, 2]
    assert 1 in race.late


def test_without_a_hedge_left_one_waits() -> None:
    race = Race(hedges=0)
    gevent.spawn_later(0.1, race.gate.set)
    assert first(1, race.ways(1, 2, outcome="slow"), (), race.patience()) == {1: "1"}
    assert race.begun == [1]


def test_what_is_no_store_error_is_raised() -> None:
    def broken() -> str:
        raise TypeError("a bug")

    with pytest.raises(TypeError):
        first(1, [(1, broken)], (), Race().patience())


def test_reads_earn_hedges_and_a_burst_is_bounded() -> None:
    hedges = Hedges()
    assert sum(hedges.spend() for _ in range(1_000)) == cluster_limits.HEDGES_AT_ONCE_MAX
    for _ in range(95):
        hedges.earn()
    assert sum(hedges.spend() for _ in range(100)) == 9


def test_a_slow_device_is_remembered_for_a_while() -> None:
    now_s = 100.0
    lately = Lately(lambda: now_s)
    lately.mark(3)
    assert lately.slow(3)
    assert not lately.slow(4)
    now_s += cluster_limits.SLOW_SECONDS
    assert not lately.slow(3)


def test_one_slow_copy_is_no_reason_to_ask_the_whole_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_limits, "READ_HEDGE_S", 0.01)
    with placed(replication(1, "ONE", 1), 4) as room:
        data = room.put(1)
        room.devices[room.homes(1)[0]].gate.clear()
        reading = gevent.spawn(room.read, 1, 1000)
        gevent.sleep(0.1)
        room.devices[room.homes(1)[0]].gate.set()
        assert reading.get() == data
        assert not any(call[0] == "held" for device in room.devices.values() for call in device.calls)


def test_a_budget_is_given_in_order_and_not_for_ever() -> None:
    budget = Budget(10, wait_seconds_max=0.05)
    budget.take(8)
    assert not budget.try_take(3)
    large = gevent.spawn(budget.take, 10)
    gevent.sleep(0)
    assert not budget.try_take(1)  # nobody passes who waits
    budget.give(8)
    large.get()
    with pytest.raises(Unavailable):
        budget.take(1)
    budget.give(10)
    assert budget.try_take(10)


def test_a_missing_way_is_a_failure_like_another() -> None:
    def missing() -> str:
        raise Missing("absent")

    race = Race()
    assert first(1, [(1, missing)], (), race.patience()) == {}
    assert isinstance(race.failed[1], Missing)
