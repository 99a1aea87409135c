"""Several gateways and one database: nobody's read is forgotten."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.adapters.sql.store import SqliteStore
from app.core import limits
from app.services.background.shared_reads import SharedReads
from app.services.call import Sources
from migrations.run import migrate

NOW = 1_800_000_000_000


class Board:
    def __init__(self) -> None:
        self.oldest = 2**62

    def publish(self, oldest_ms: int | None) -> None:
        self.oldest = 2**62 if oldest_ms is None else oldest_ms

    def oldest_ms(self) -> int:
        return self.oldest


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    clock = [NOW]
    migrate(tmp_path / "zapfs.db")
    store = SqliteStore(tmp_path / "zapfs.db")

    def make(name: str) -> Any:
        board = Board()
        shared = SharedReads(store, board, name, Sources(lambda: clock[0], lambda: b""))
        shared.clock = clock  # type: ignore[attr-defined]
        return shared

    yield make
    store.close()


def test_a_read_of_another_gateway_is_the_oldest(gateways: Callable[[str], Any]) -> None:
    one, other = gateways("gateway-1"), gateways("gateway-2")
    other.publish(NOW - 60_000)
    other.tell()
    assert one.oldest_ms() == NOW - 60_000


def test_reads_too_young_to_show_are_allowed_for(gateways: Callable[[str], Any]) -> None:
    one, other = gateways("gateway-1"), gateways("gateway-2")
    other.tell()
    assert one.oldest_ms() == NOW - limits.SHARED_READS_LAG_MS


def test_a_gateway_silent_for_long_reads_nothing_any_more(gateways: Callable[[str], Any]) -> None:
    one, other = gateways("gateway-1"), gateways("gateway-2")
    other.publish(NOW - 60_000)
    other.tell()
    one.clock[0] += limits.SHARED_READS_DEAD_MS - 1
    assert one.oldest_ms() == NOW - 60_000
    one.clock[0] += 1
    assert one.oldest_ms() == one.clock[0] - limits.SHARED_READS_LAG_MS
