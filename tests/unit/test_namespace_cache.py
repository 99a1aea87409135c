"""Remembered buckets: what one process changes, no other finds unchanged."""

from pathlib import Path

import pytest

from app.adapters.sql import namespace
from app.adapters.sql.namespace import NamespaceCache
from app.core.errors import Missing
from app.core.types import Bucket


class Table:
    """The namespace two caches look into, counting looks."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.looks = 0

    def look_up(self, name: str) -> Bucket:
        self.looks += 1
        if name not in self.buckets:
            raise Missing(name)
        return self.buckets[name]


def bucket(number: int) -> Bucket:
    return Bucket(bytes([number]) * 16, "name", "owner", number)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[NamespaceCache, NamespaceCache]:
    return NamespaceCache(str(tmp_path / "mark")), NamespaceCache(str(tmp_path / "mark"))


def test_a_bucket_is_looked_up_once(pair: tuple[NamespaceCache, NamespaceCache]) -> None:
    table = Table()
    table.buckets["name"] = bucket(1)
    assert [pair[0].get("name", table.look_up) for _ in range(3)] == [bucket(1)] * 3
    assert table.looks == 1


def test_a_change_by_another_process_is_seen_at_once(pair: tuple[NamespaceCache, NamespaceCache]) -> None:
    here, there = pair
    table = Table()
    table.buckets["name"] = bucket(1)
    here.get("name", table.look_up)
    table.buckets["name"] = bucket(2)
    there.changed()
    assert here.get("name", table.look_up) == bucket(2)
    del table.buckets["name"]
    there.changed()
    with pytest.raises(Missing):
        here.get("name", table.look_up)


def test_absence_is_not_remembered(pair: tuple[NamespaceCache, NamespaceCache]) -> None:
    table = Table()
    with pytest.raises(Missing):
        pair[0].get("name", table.look_up)
    table.buckets["name"] = bucket(1)
    assert pair[0].get("name", table.look_up) == bucket(1)


def test_a_change_nobody_told_of_is_seen_after_the_bound(
    pair: tuple[NamespaceCache, NamespaceCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(namespace, "monotonic", lambda: now)
    table = Table()
    table.buckets["name"] = bucket(1)
    pair[0].changed()
    pair[0].get("name", table.look_up)
    del table.buckets["name"]
    now += 1.1
    with pytest.raises(Missing):
        pair[0].get("name", table.look_up)


def test_what_is_remembered_is_bounded(
    pair: tuple[NamespaceCache, NamespaceCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "BUCKETS_REMEMBERED_MAX", 1)
    table = Table()
    table.buckets = {"name": bucket(1), "other": bucket(2)}
    for _ in range(3):
        assert pair[0].get("name", table.look_up) == bucket(1)
        assert pair[0].get("other", table.look_up) == bucket(2)
    assert table.looks == 4
