"""What lies on a running cluster's devices and what its rows refer to, read behind its back.

Knows the devices' indices and two columns of the database. Must not change either.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import lmdb
import pymysql

from app.adapters.chunks.disk import Device
from app.adapters.sql.mysql.address import address_of
from app.cli.cluster_plan import FILE_HOST, GATEWAY
from app.core.errors import Corrupt, Missing
from app.core.layout.blob_ids import blob_of
from app.core.limits import INDEX_MAP_BYTES
from tests.chaos.cluster.under_test import ClusterUnderTest
from tests.chunk_room import opened


@dataclass(frozen=True, slots=True)
class Stored:
    """`fragments`: blob -> how many fragments of it lie on devices. `live`: blobs of chunks. `waiting`: freed blobs
    that have not been removed yet, and when they may be, by the clock of who freed them."""

    fragments: Counter[bytes]
    live: frozenset[bytes]
    waiting: Mapping[bytes, int]

    def missing(self) -> set[bytes]:
        """Blobs that rows refer to and no device has."""
        return set(self.live) - set(self.fragments)

    def unknown(self) -> set[bytes]:
        """Blobs that no row knows: of attempts that were cut off, until the orphan sweep is old enough to take them."""
        return set(self.fragments) - self.live - self.waiting.keys()


def stored(cluster: ClusterUnderTest) -> Stored:
    """As it is now; rows are read first, so that what is written meanwhile shows as unknown, never as missing."""
    live, waiting = rows(cluster)
    fragments: Counter[bytes] = Counter()
    for name in cluster.names(FILE_HOST):
        for device in cluster.devices(name):
            fragments.update(blob_of(each) for each in on_device(device))
    return Stored(fragments, live, waiting)


def sound(device: Path) -> set[bytes]:
    """Ids of the fragments of a stopped cluster's device of which every byte is right."""
    found = set()
    with opened(Device(device)) as store:
        for name in list(store.names()):
            with suppress(Corrupt, Missing):
                store.verify(name.blob_id)
                found.add(name.blob_id)
    return found


def on_device(device: Path) -> list[bytes]:
    """Ids of the fragments a device has."""
    environment = lmdb.open(str(device / "index"), map_size=INDEX_MAP_BYTES, max_dbs=2, readonly=True, max_spare_txns=0)
    try:
        blobs = environment.open_db(b"blobs", create=False)
        with environment.begin(db=blobs) as txn:
            return [bytes(key) for key in txn.cursor().iternext(keys=True, values=False)]
    finally:
        environment.close()


def rows(cluster: ClusterUnderTest) -> tuple[frozenset[bytes], Mapping[bytes, int]]:
    """Blobs of chunks, and blobs that wait for their removal with the milliseconds of it."""
    live = "SELECT blob_id FROM chunk WHERE blob_id IS NOT NULL"
    waiting = "SELECT blob_id, not_before_ms FROM blob_gc"
    gateway = cluster.member(cluster.names(GATEWAY)[0])
    url = gateway.settings.get("metadata_url")
    if url is None:
        path = Path(gateway.settings["data_dir"]) / "metadata" / "zapfs.db"
        file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return frozenset(row[0] for row in file.execute(live)), dict(file.execute(waiting))
        finally:
            file.close()
    at = address_of(url)
    server = pymysql.connect(
        host=at.host, port=at.port, user=at.user, password=at.password, database=at.database, autocommit=True
    )
    try:
        with server.cursor() as cursor:
            cursor.execute(live)
            living = frozenset(bytes(row[0]) for row in cursor.fetchall())
            cursor.execute(waiting)
            return living, {bytes(row[0]): row[1] for row in cursor.fetchall()}
    finally:
        server.close()
