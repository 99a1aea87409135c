"""The metadata stores every suite of this folder that asks for `store` is run on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.adapters.sql.mysql.store import MysqlStore
from app.adapters.sql.store import SqliteStore
from app.core.types import Versioning
from app.ports.metadata import MetadataStore
from migrations.run import migrate
from tests import mariadb
from tests.contract.metadata import bucket
from tests.contract.stacks import switch


def sqlite_store(directory: Path) -> MetadataStore:
    path = directory / "zapfs.db"
    migrate(path)
    return SqliteStore(path)


def mariadb_store(_: Path) -> MetadataStore:
    mariadb.shared().wipe()
    return MysqlStore(mariadb.shared().url(), 16)


ON_MARIADB = pytest.param(mariadb_store, id="mariadb")
"""In one worker of pytest-xdist, so that one server serves them all."""


@pytest.fixture(params=[pytest.param(sqlite_store, id="sqlite"), ON_MARIADB])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MetadataStore]:
    make: Callable[[Path], MetadataStore] = request.param
    store = make(tmp_path)
    store.bucket_create(bucket())
    yield store
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one bucket and nobody at it, for tests of several processes."""
    path = tmp_path / "zapfs.db"
    migrate(path)
    store = SqliteStore(path)
    store.bucket_create(bucket())
    store.close()
    return path


@pytest.fixture
def enabled(store: MetadataStore) -> MetadataStore:
    """`store`, its bucket with versioning enabled."""
    switch(store, Versioning.ENABLED)
    return store
