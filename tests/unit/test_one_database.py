"""The gateways of a cluster share one database, and no gateway serves from another."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.cluster.snapshot import Codec
from app.adapters.sql.store import SqliteStore
from app.core.cluster import ClusterState, Command, Outcome, apply
from app.core.cluster.layout_commands import BindDatabase, FoundCluster
from app.core.errors import Conflict, Unavailable
from app.services.background.one_database import OneDatabase, foreign
from app.services.call import Sources
from migrations.run import migrate

SOURCES = Sources(lambda: 1_800_000_000_000, lambda: os.urandom(16))


class Managers:
    """Commands applied at once, in memory."""

    def __init__(self) -> None:
        self._state = ClusterState()
        self.submit(FoundCluster("1", "c" * 32, 16))

    def state(self) -> ClusterState:
        return self._state

    def submit(self, command: Command) -> Outcome:
        self._state, outcome = apply(self._state, command)
        return outcome

    def close(self) -> None: ...


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[SqliteStore]]:
    made = []
    for name in ("one.db", "other.db"):
        migrate(tmp_path / name)
        made.append(SqliteStore(tmp_path / name))
    yield made
    for store in made:
        store.close()


def test_the_first_gateway_names_the_database_and_the_next_finds_it(stores: list[SqliteStore]) -> None:
    managers = Managers()
    first, second = (OneDatabase(stores[0], managers, name, SOURCES) for name in ("gateway-1", "gateway-2"))
    with pytest.raises(Unavailable):
        first.require()
    first.step()
    second.step()
    first.require()
    second.require()
    assert first.reason() == second.reason() == ""
    assert len(managers.state().database_id) == 32


def test_a_gateway_on_another_database_neither_collects_nor_serves(stores: list[SqliteStore]) -> None:
    managers = Managers()
    OneDatabase(stores[0], managers, "gateway-1", SOURCES).step()
    stray = OneDatabase(stores[1], managers, "gateway-2", SOURCES)
    with pytest.raises(Conflict, match="lie in database"):
        stray.step()
    with pytest.raises(Unavailable):
        stray.require()
    assert "a database without an id" in foreign(stores[1], managers.state())
    assert foreign(stores[0], managers.state()) == ""


def test_two_that_began_on_two_databases_end_with_one(stores: list[SqliteStore]) -> None:
    managers = Managers()
    names = [OneDatabase(store, managers, name, SOURCES)._made() for store, name in zip(stores, "ab", strict=True)]
    assert managers.submit(BindDatabase("2", names[0])) == Outcome()
    refused = managers.submit(BindDatabase("3", names[1]))
    assert (refused.error, names[0] in refused.message) == ("InvalidInput", True)
    assert names[1] in foreign(stores[1], managers.state())


def test_the_name_of_the_database_survives_a_snapshot(stores: list[SqliteStore]) -> None:
    managers = Managers()
    OneDatabase(stores[0], managers, "gateway-1", SOURCES).step()
    assert Codec().decode(Codec().encode(managers.state())).database_id == managers.state().database_id
