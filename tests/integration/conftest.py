"""Servers for tests: one shared by the session (of each xdist worker), and one of a test's own."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server import Server

_bucket_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared server; it must still stop cleanly after everything tests did to it."""
    shared = Server(tmp_path_factory.mktemp("server") / "data", dev=True, arguments=["--s3-domain", "s3.test"])
    shared.start()
    try:
        yield shared
        assert shared.alive(), f"the server died under test:\n{shared.log_tail()}"
        shared.stop()
    finally:
        shared.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers nobody else uses, on `tmp_path`; all are ended after the test."""
    made: list[Server] = []

    def start(name: str = "data", **settings: Any) -> Server:
        made.append(Server(tmp_path / name, **({"dev": True} | settings)))
        return made[-1].start()

    yield start
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def s3(server: Server) -> Any:
    """A boto3 client with default settings on the shared server."""
    return server.client()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new, empty bucket of the shared server."""
    name = f"bucket-{next(_bucket_numbers)}"
    s3.create_bucket(Bucket=name)
    return name
