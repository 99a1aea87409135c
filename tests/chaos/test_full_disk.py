"""A disk that runs full refuses new bytes and harms nothing stored; room made is room again. Needs root for tmpfs."""

import contextlib
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.limits import KIB
from tests.integration.server import Server
from tests.integration.test_objects import MIB, noise

DISK_BYTES = 600 * MIB
RESERVES = {"reserve kept": 64 * MIB, "to the last byte": 0}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of a known size, unmounted afterwards."""
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "zapfs-test", str(mount)], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("reserve", RESERVES)
def test_a_full_disk_refuses_writes_serves_reads_and_recovers(small_disk: Path, reserve: str) -> None:
    settings = {"ZAPFS_DISK_RESERVE_BYTES": str(RESERVES[reserve]), "ZAPFS_GC_GRACE_S": "0", "ZAPFS_GC_INTERVAL_S": "1"}
    server = Server(small_disk / "data", workers=1, dev=True, environment=settings)
    with server:
        raw = server.raw()
        assert raw.call("PUT", "/full").status == 200
        stored = fill(server)
        assert len(stored) >= 10
        if not RESERVES[reserve]:
            take_the_rest(small_disk)
        for _ in range(5):
            assert raw.call("PUT", "/full/more", noise(8 * MIB, 999)).status in (503, 507)
        for key, digest in stored.items():
            answer = raw.call("GET", f"/full/{key}")
            assert (answer.status, hashlib.md5(answer.body).hexdigest()) == (200, digest)
        assert raw.call("GET", "/full/more").status == 404
        assert raw.call("GET", "/full?list-type=2").status == 200
        for key in list(stored)[: len(stored) // 2]:
            assert raw.call("DELETE", f"/full/{key}").status == 204, "a full disk must still let go"
            del stored[key]
        deadline = time.monotonic() + 40
        while raw.call("PUT", "/full/again", noise(8 * MIB, 1000)).status != 200:
            assert time.monotonic() < deadline, "room made by deleting was not given back"
            server.admin("gc", "run")
        server.stop()
        assert "\nTraceback" not in server.log_path.read_text(), "a full disk is an outcome, told in a line"
        done = server.fsck()
        assert done.returncode == 0, done.stdout + done.stderr
        server.start()
        assert server.raw().call("GET", "/full/again").body == noise(8 * MIB, 1000)


@pytest.mark.slow
def test_small_objects_leave_the_reserve_to_deletions_and_configurations(small_disk: Path) -> None:
    settings = {"ZAPFS_DISK_RESERVE_BYTES": str(64 * MIB), "ZAPFS_GC_GRACE_S": "0", "ZAPFS_GC_INTERVAL_S": "1"}
    with Server(small_disk / "data", workers=1, dev=True, environment=settings) as server:
        raw, workers = server.raw(), set(server.worker_pids())
        on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        assert raw.call("PUT", "/full").status == 200
        assert raw.call("PUT", "/full?versioning", on).status == 200
        fill(server)
        written = 0
        while (status := raw.call("PUT", "/full/small", noise(16_000, written)).status) == 200:
            written += 1
            assert written < 2_000, "small objects were written into the reserve"
        assert status == 507
        tags = b"<Tagging><TagSet><Tag><Key>full</Key><Value>yes</Value></Tag></TagSet></Tagging>"
        assert raw.call("PUT", "/full?tagging", tags).status == 200
        assert raw.call("DELETE", "/full/k000").status == 204, "no room for a delete marker"
        assert raw.call("DELETE", "/full/k000?versionId=null").status == 204
        assert workers == set(server.worker_pids()), "a process died of a full disk"
        server.stop()
        assert "\nTraceback" not in server.log_path.read_text(), "a full disk is an outcome, told in a line"
        done = server.fsck()
        assert done.returncode == 0, done.stdout + done.stderr


def fill(server: Server) -> dict[str, str]:
    """PUT objects of 8 MiB until one is refused; key -> MD5 of those acknowledged."""
    raw, stored = server.raw(), {}
    for number in range(DISK_BYTES // (8 * MIB) + 1):
        data = noise(8 * MIB, number)
        answer = raw.call("PUT", f"/full/k{number:03}", data)
        if answer.status != 200:
            assert answer.status in (503, 507), answer.body
            return stored
        stored[f"k{number:03}"] = hashlib.md5(data).hexdigest()
    raise AssertionError("the disk never ran full")


def take_the_rest(disk: Path) -> None:
    """What somebody else on the same disk does: write until nothing is left, and keep it."""
    with (disk / "others").open("wb", buffering=0) as others, contextlib.suppress(OSError):
        while others.write(bytes(64 * KIB)):
            pass
    room = os.statvfs(disk)
    assert room.f_bavail * room.f_frsize < MIB
