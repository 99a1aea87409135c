"""A device that hangs, fails, is gone or is somebody else's, and what its callers and its neighbours notice."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import gevent
import gevent.event
import pytest
from gevent import monkey

from app.adapters.chunks import marker
from app.adapters.chunks.guarded import GuardedDevice
from app.core import cluster_limits
from app.core.errors import Conflict, Unavailable
from app.ports.hosting import DOWN, FAILING, UP, Hung
from tests.chunk_room import device_at, name_of, opened, payload_of
from tests.host_room import CLUSTER, guarded_at

_NativeEvent = monkey.get_original("threading", "Event")
DATA = memoryview(payload_of(1, 5000))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Room:
    """A device whose fdatasync waits for `gate` and raises `fault`."""

    def __init__(self, root: Path) -> None:
        self.gate: threading.Event = _NativeEvent()
        self.gate.set()
        self.fault: OSError | None = None
        self.clock = Clock()
        self.device = device_at(root, sync=self.sync)
        made = marker.prepare(self.device, CLUSTER, "n1")
        self.guarded = GuardedDevice(made.device_id, self.device, (CLUSTER, "n1"), self.clock)
        self.guarded.look()

    def sync(self, fd: int) -> None:
        self.gate.wait()
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path / "device")
    yield room
    room.gate.set()
    room.fault = None
    room.guarded.close()


def test_a_device_that_hangs_is_down_until_it_answers_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_limits, "DEVICE_CALL_SECONDS_MAX", 0.1)
    room.gate.clear()
    over = gevent.event.Event()
    with pytest.raises(Hung) as hung:
        room.guarded.put(name_of(1), DATA)
    hung.value.over(over.set)
    assert room.guarded.health().status == DOWN
    with gevent.Timeout(0.05), pytest.raises(Unavailable, match="did not end"):
        room.guarded.held([name_of(1).blob_id])  # at once, without being tried
    assert not over.is_set()
    room.gate.set()
    assert over.wait(5)
    monkeypatch.setattr(cluster_limits, "DEVICE_CALL_SECONDS_MAX", 10.0)
    room.clock.now += cluster_limits.DEVICE_REST_SECONDS
    room.guarded.look()
    assert room.guarded.health().status == UP


def test_a_device_that_fails_again_and_again_is_left_in_peace_and_looked_at_later(room: Room) -> None:
    room.fault = OSError(5, "Input/output error")
    for number in range(cluster_limits.DEVICE_ERRORS_MAX):
        with pytest.raises(Unavailable, match="Input/output error"):
            room.guarded.put(name_of(number), DATA)
    assert room.guarded.health().status == FAILING
    assert room.guarded.health().errors == cluster_limits.DEVICE_ERRORS_MAX
    room.fault = None
    with pytest.raises(Unavailable, match="is failing"):
        room.guarded.put(name_of(9), DATA)
    room.guarded.look()
    assert room.guarded.health().status == FAILING
    room.clock.now += cluster_limits.DEVICE_REST_SECONDS
    room.guarded.look()
    room.guarded.put(name_of(9), DATA)
    assert bytes(room.guarded.whole(name_of(9).blob_id)) == bytes(DATA)


def test_a_directory_that_comes_back_is_opened_again_with_all_it_had(room: Room) -> None:
    room.guarded.put(name_of(1), DATA)
    elsewhere = room.device.root.with_name("elsewhere")
    room.device.root.rename(elsewhere)
    room.guarded.look()
    assert room.guarded.health().status == DOWN
    elsewhere.rename(room.device.root)
    room.clock.now += cluster_limits.DEVICE_REST_SECONDS
    room.guarded.look()
    assert bytes(room.guarded.whole(name_of(1).blob_id)) == bytes(DATA)


def test_another_device_at_the_path_is_not_taken_for_the_one_it_was(room: Room, tmp_path: Path) -> None:
    other = guarded_at(tmp_path / "other")
    other.close()
    room.device.root.rename(tmp_path / "elsewhere")
    (tmp_path / "other").rename(room.device.root)
    room.guarded.look()
    assert "another is there" in room.guarded.health().why


def test_a_device_of_another_cluster_is_refused_and_not_touched(tmp_path: Path) -> None:
    guarded_at(tmp_path / "device").close()
    before = {path: path.read_bytes() for path in (tmp_path / "device").rglob("*") if path.is_file()}
    with pytest.raises(Conflict, match="belongs to cluster"):
        marker.prepare(device_at(tmp_path / "device"), "d" * 32, "n1")
    assert before == {path: path.read_bytes() for path in (tmp_path / "device").rglob("*") if path.is_file()}


def test_what_a_single_machine_stored_is_no_device_of_a_cluster(tmp_path: Path) -> None:
    with opened(device_at(tmp_path / "device")) as store:
        store.put(name_of(1), DATA)
    with pytest.raises(Conflict, match="single machine"):
        marker.prepare(device_at(tmp_path / "device"), CLUSTER, "n1")


def test_a_device_may_move_to_another_node_of_its_cluster(tmp_path: Path) -> None:
    first = marker.prepare(device_at(tmp_path / "device"), CLUSTER, "n1")
    second = marker.prepare(device_at(tmp_path / "device"), CLUSTER, "n2")
    assert (second.device_id, second.node_id) == (first.device_id, "n2")
    assert json.loads((tmp_path / "device" / "device.json").read_bytes())["node_id"] == "n2"


def test_a_device_prepared_before_its_cluster_was_known_is_claimed_later(tmp_path: Path) -> None:
    device = device_at(tmp_path / "device")
    assert marker.prepare(device, "", "n1").cluster_id == ""
    assert marker.claim(device, CLUSTER, "n1").cluster_id == CLUSTER
    assert marker.read(device) == marker.claim(device, CLUSTER, "n1")


def test_counting_that_takes_its_time_keeps_nobody_waiting_and_says_nothing_against_the_device(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_limits, "DEVICE_STATS_SECONDS_MAX", 0.05)
    assert room.guarded.stats().blobs == 0
    room.guarded.put(name_of(1), DATA)
    room.guarded.delete_many([name_of(1).blob_id])
    room.gate.clear()
    upkeep = gevent.spawn(room.guarded.maintain)
    gevent.sleep(0)
    with gevent.Timeout(1):
        assert room.guarded.stats().blobs == 0
    assert room.guarded.health().status == UP
    room.gate.set()
    upkeep.get(timeout=5)
