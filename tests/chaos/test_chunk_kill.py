"""Processes killed at any moment: what was acknowledged is there, what was deleted is not, nothing is half."""

import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from app.adapters.chunks.disk import Device
from app.adapters.chunks.recovery import recover
from app.adapters.chunks.store import SegmentStore
from app.core.errors import Missing
from tests.chaos.chunk_worker import length_of
from tests.chunk_room import device_at, name_of, opened, payload_of, recovered_blobs

ROUND = 10**7


def started(program: str, device: Device, first: int, second: int) -> "subprocess.Popen[bytes]":
    arguments = [sys.executable, "-m", "tests.chaos.chunk_worker", program, str(device.root), str(first), str(second)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])


def killed_after(processes: list["subprocess.Popen[bytes]"], facts: int, pause_s: float) -> list[str]:
    """Let each say some facts, wait, kill -9 one after the other; every fact that was said."""
    said: list[str] = []
    for process in processes:
        assert process.stdout is not None
        said += [process.stdout.readline().decode() for _ in range(facts)]
    time.sleep(pause_s)
    for process in processes:
        process.kill()
        said += process.communicate()[0].decode().splitlines()
    return [line.strip() for line in said if line.strip()]


class Ledger:
    """What the processes said: numbers that must be there, that must not, and that may or may not."""

    def __init__(self) -> None:
        self.there: set[int] = set()
        self.gone: set[int] = set()

    def note(self, facts: list[str]) -> None:
        for fact in facts:
            number = int(fact[1:])
            if fact[0] == "+":
                self.there.add(number)
            elif fact[0] == "?":
                self.there.discard(number)
            else:
                self.gone.add(number)

    def check(self, blobs: dict[bytes, bytes]) -> None:
        found = {int.from_bytes(blob_id, "big"): data for blob_id, data in blobs.items()}
        assert self.there <= found.keys()
        assert not self.gone & found.keys()
        for number, data in found.items():
            assert data == payload_of(number, length_of(number))


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_while_putting_deleting_and_merging_loses_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    device = device_at(tmp_path, segment_bytes_max=4 << 20)
    ledger = Ledger()
    recover(device)
    for turn in range(3):
        workers = [started("putting", device, ROUND * (10 * turn + each), seed) for each in range(1, 4)]
        ledger.note(killed_after(workers, 30, rng.random() * 0.4))
        assert len(ledger.there) > 30
        report, blobs = recovered_blobs(device)
        assert not report.rebuilt
        ledger.check(blobs)
    shutil.rmtree(device.index)  # and the segments alone tell the same
    report, rebuilt = recovered_blobs(device)
    assert report.rebuilt
    assert not report.damage
    assert rebuilt == blobs


def test_upkeep_seals_what_a_killed_writer_left_while_others_go_on(tmp_path: Path) -> None:
    device = device_at(tmp_path, segment_bytes_max=4 << 20)
    ledger = Ledger()
    with opened(device) as store:
        ledger.note(killed_after([started("putting", device, ROUND, 1)], 40, 0.1))
        store.put(name_of(1), memoryview(payload_of(1, length_of(1))))
        for _ in range(10):
            store.maintain()
        ledger.check(readable(store))
        unsealed = [path for path in device.segments.glob("*.seg") if path.read_bytes()[1024:1032] != b"ZAPFSEND"]
        assert len(unsealed) == 1


def readable(store: SegmentStore) -> dict[bytes, bytes]:
    """Every blob by id; one whose deletion the kill cut off may still be named, and is no longer there."""
    blobs = {}
    for name in store.names():
        with suppress(Missing), store.open(name.blob_id) as reader:
            blobs[name.blob_id] = bytes(reader.read(0, reader.length))
    return blobs
