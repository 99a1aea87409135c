"""Many writers at once: of conditional writers exactly one wins, and readers never see half of anything."""

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Callable

import pytest

from tests.integration.server import Server
from tests.integration.test_objects import noise
from tests.wire.connection import RawClient
from tests.wire.signer import UNSIGNED

WRITERS = 32
ROUNDS = int(os.environ.get("ZAPFS_RACE_ROUNDS", "50"))  # a thousand by hand: some minutes


def _race(raw: RawClient, barrier: "threading.Barrier", results: list[list[int]], who: int, bucket: str) -> None:
    """One writer: its own connection, one conditional PUT per round, all writers released together."""
    with raw.connect(60) as connection:
        for number in range(len(results)):
            body = b"%d" % who
            target = f"/{bucket}/{number}"
            headers = {"content-length": str(len(body)), "if-none-match": "*"}
            head = raw.head("PUT", target, headers, UNSIGNED)
            barrier.wait(60)
            connection.send_head("PUT", target, head)
            connection.send(body)
            results[number].append(connection.answer("PUT").status)


@pytest.fixture
def four_workers(own_server: Callable[..., Server]) -> Server:
    """A server of four S3 workers."""
    return own_server(workers=4)


@pytest.mark.slow
@pytest.mark.timeout(110 + ROUNDS)
@pytest.mark.parametrize("versioning", ["", "Enabled", "Suspended"])
def test_of_racing_conditional_writers_exactly_one_wins(four_workers: Server, versioning: str) -> None:
    raw, bucket = four_workers.raw(), f"race{versioning.lower()}"
    assert raw.call("PUT", f"/{bucket}").status == 200
    if versioning:
        configuration = {"Status": versioning}
        four_workers.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    barrier = threading.Barrier(WRITERS)
    results: list[list[int]] = [[] for _ in range(ROUNDS)]
    threads = [
        threading.Thread(target=_race, args=(raw, barrier, results, who, bucket), daemon=True) for who in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100 + ROUNDS)
    for statuses in results:
        assert len(statuses) == WRITERS
        assert statuses.count(200) == 1, statuses
        assert set(statuses) <= {200, 409, 412}, statuses


def _overwrite(raw: RawClient, key: str, bodies: list[bytes], rounds: int) -> None:
    """Write the bodies in turn to one key."""
    with raw.connect(60) as connection:
        for number in range(rounds):
            answer = raw.on(connection, "PUT", key, bodies[number % len(bodies)])
            assert answer.status == 200, answer.body


@pytest.mark.slow
def test_readers_see_one_whole_body_while_writers_overwrite(four_workers: Server) -> None:
    raw = four_workers.raw()
    raw.call("PUT", "/torn")
    bodies = [noise(size, seed) for seed, size in enumerate((10, 16_384, 20_000, 1_500_000, 9_000_000))]
    digests = {hashlib.md5(body).hexdigest() for body in bodies}
    raw.call("PUT", "/torn/k", bodies[0])
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=_overwrite, args=(raw, "/torn/k", bodies[who:] + bodies[:who], 25)) for who in range(3)
    ]
    for writer in writers:
        writer.start()
    reads = 0
    with raw.connect(60) as connection:
        while any(writer.is_alive() for writer in writers):
            answer = raw.on(connection, "GET", "/torn/k")
            assert answer.status == 200, answer.body
            digest = hashlib.md5(answer.body).hexdigest()
            assert answer.headers["etag"] == f'"{digest}"'
            assert digest in digests
            reads += 1
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert reads > 10
