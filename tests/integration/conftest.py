"""Servers for tests: one shared by the session (of each xdist worker), and one of a test's own."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from tests.integration.server import Server

_bucket_numbers = itertools.count(1)
_room_numbers = itertools.count(1)


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


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose buckets may be opened to the public, and are sites under site.test."""
    arguments = ["--website-domain", "site.test", "--block-public-access", "false"]
    with Server(tmp_path_factory.mktemp("public") / "data", dev=True, arguments=arguments) as server:
        yield server


@pytest.fixture(scope="module")
def client(public: Server) -> Any:
    return public.client()


@pytest.fixture(scope="module")
def signer(public: Server) -> Any:
    """A client that signs forms by version 4; by default they are still signed by version 2."""
    return public.client(config=Config(signature_version="s3v4"))


@pytest.fixture
def room(client: Any) -> str:
    """A new bucket everybody may read."""
    name = f"room-{next(_room_numbers)}"
    client.create_bucket(Bucket=name)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}
    listing = statement | {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{name}"}
    policy = {"Version": "2012-10-17", "Statement": [statement, listing]}
    client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return name
