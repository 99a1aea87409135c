"""What redundancy and a shared database cost: the same shots at one machine and at a cluster of six file hosts.

Knows how a cluster is started and its profiles set. Everything shares the cores and the disk of one machine, so a ratio
tells what the work costs, never what several machines would do.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from app.cli.cluster import Cluster
from app.cli.cluster_plan import GATEWAY, MANAGER, Shape, Wishes, claim, planned
from tests.bench.client import MIB
from tests.bench.crew import Score, Shot, measure, names_of
from tests.integration.server import Server, pids_of_group
from tests.wire.connection import RawClient
from tests.wire.signer import Credentials, Signer

SHAPE = Shape(managers=1, gateways=1, hosts=6, devices=2, workers=2)
SAID = (
    "One manager, one gateway of two workers, six file hosts of two workers and two devices, all on this machine and "
    "its one disk; *one machine* is `zapfs server` with two workers, in the same run. Objects of 4 KiB lie in their "
    "rows: they show the database. *moved*: bytes written to devices, or read from them, a second."
)
PROFILES = {"3 copies": {"copies": 3}, "erasure 4+2": {"data": 4, "parity": 2}}
MOVED = {"one machine": 1.0, "3 copies": 3.0, "erasure 4+2": 1.5}
"""Physical bytes written for each byte stored."""
SHOTS = ((MIB, 8), (64 * MIB, 4))
SMALL = (4096, 32)
OBJECTS = {4096: 128, MIB: 32, 64 * MIB: 4}
_FOLLOWED_SECONDS = 5.0
_SETTLE_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """One shot at one store. `plain`: the same at one machine; None for that itself."""

    store: str
    operation: str
    size: int
    connections: int
    score: Score
    plain: Score | None

    @property
    def ratio(self) -> float | None:
        """Of one machine's rate."""
        return None if self.plain is None else self.score.rate / self.plain.rate


@dataclass(frozen=True, slots=True)
class Target:
    """Where shots go: a port, its keys, and whose CPU is counted."""

    port: int
    keys: Credentials
    pids: list[int]

    def raw(self) -> RawClient:
        """A client of hand-made requests."""
        return RawClient("127.0.0.1", self.port, self.keys)

    def shot(self, method: str, connections: int, seconds: float) -> Shot:
        return Shot(self.port, method, connections, seconds, signer=Signer(self.keys))


def rows(root: Path, seconds: float, keys: Credentials, database: bool) -> list[Row]:
    """Every row. Small objects lie in their rows, so they show the database and not the profile."""
    found: list[Row] = []
    quiet = {"ZAPFS_LOG_LEVEL": "warning"}
    with Server(root / "plain", workers=SHAPE.workers, credentials=keys, environment=quiet) as server:
        plain = Target(server.s3_port, keys, server.pids())
        found += _measured("one machine", plain, seconds, (SMALL, *SHOTS), ())
    with _cluster(root / "cluster", database) as (cluster, target):
        _settle(cluster)
        stored = "MariaDB" if database else "SQLite"
        found += _measured(f"gateway on {stored}", target, seconds, (SMALL,), found)
        for name, profile in PROFILES.items():
            cluster.admin().ask("PUT", "/v1/cluster/profiles/STANDARD", dict(profile))
            _settle(cluster)
            found += _measured(name, target, seconds, SHOTS, found)
    return found


def table(found: list[Row]) -> str:
    """The rows as Markdown."""
    head = (
        "| store | operation | size | conc. | ops/s | MiB/s | p99 ms | CPU µs/op | of one machine | bytes moved MiB/s |"
    )
    lines = [head, "|" + "---|" * 10]
    for row in found:
        moved = MOVED.get(row.store)
        carried = row.score.mib_s(row.size)
        physical = f"{carried * (moved if row.operation == 'PUT' else 1.0):,.0f}" if moved and row.size > 4096 else ""
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        size = f"{row.size // 1024} KiB" if row.size < MIB else f"{row.size // MIB} MiB"
        lines.append(
            f"| {row.store} | {row.operation} | {size} | {row.connections} | {row.score.rate:,.1f} | {carried:,.0f} "
            f"| {row.score.p99_s * 1e3:,.1f} | {row.score.cpu_us:,.0f} | {ratio} | {physical} |"
        )
    return "\n".join(lines)


def _measured(
    store: str, target: Target, seconds: float, shots: Sequence[tuple[int, int]], before: Sequence[Row]
) -> list[Row]:
    raw = target.raw()
    assert raw.call("PUT", "/bench").status == 200
    rows = []
    for size, connections in shots:
        prefix = f"/bench/{store.replace(' ', '-')}/{size}"
        put = replace(target.shot("PUT", connections, seconds), prefix=prefix, body_bytes=size)
        rows.append(_row(store, put, size, measure(put, target.pids), before))
        names = [f"{prefix}/get/{number}" for number in range(OBJECTS[size])]
        for name in names:
            assert raw.call("PUT", name, name.encode().ljust(size, b"\0")).status == 200
        get = replace(target.shot("GET", connections, seconds), targets=names, answer_bytes=size)
        rows.append(_row(store, get, size, measure(get, target.pids), before))
        done = tuple(min(count, names_of(size)) for count in rows[-2].score.done_each)
        gone = replace(target.shot("DELETE", connections, seconds), prefix=prefix, statuses=(204,), names_each=done)
        measure(gone, target.pids)
    return rows


def _settle(cluster: Cluster) -> None:
    """Wait until a new map is followed everywhere and its groups were compared: work of a cluster's beginning."""
    time.sleep(_FOLLOWED_SECONDS)
    deadline = time.monotonic() + _SETTLE_SECONDS_MAX
    while not cluster.admin().ask("GET", "/v1/cluster")["healed"]:
        assert time.monotonic() < deadline, cluster.admin().ask("GET", "/v1/cluster")["not_healed_because"]
        time.sleep(0.5)


def _row(store: str, shot: Shot, size: int, score: Score, before: Sequence[Row]) -> Row:
    wanted = (shot.method, size)
    plain = next((row.score for row in before if (row.operation, row.size) == wanted and row.plain is None), None)
    row = Row(store, shot.method, size, shot.connections, score, plain)
    print(table([row]).splitlines()[-1], flush=True)
    return row


@contextmanager
def _cluster(root: Path, database: bool) -> Iterator[tuple[Cluster, Target]]:
    lock = claim(root)
    plan = planned(root, SHAPE, Wishes(database, extra={kind: {"log_level": "warning"} for kind in (MANAGER, GATEWAY)}))
    cluster = Cluster(plan)
    try:
        cluster.start(lambda: time.sleep(0.1))
        pids = [pid for one in cluster.processes.values() if one.pid for pid in pids_of_group(one.pid)]
        _, port = plan.of_kind(GATEWAY)[0].bind("s3_bind")
        yield cluster, Target(port, Credentials(plan.access_key, plan.secret_key), pids)
    finally:
        cluster.stop()
        os.close(lock)
