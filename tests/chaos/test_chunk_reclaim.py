"""Space given back while others read: no reader ever sees another byte than it should."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest

from app.adapters.chunks.disk import UNBORN, UNFINISHED, Device
from app.adapters.chunks.store import SegmentStore
from app.core.errors import Full, Missing
from app.core.limits import BLOCK_BYTES, MIB
from tests.chaos.chunk_worker import length_of
from tests.chaos.test_chunk_kill import started
from tests.chunk_room import device_at, name_of, opened, payload_of, read_all, recovered_blobs, segment_files

SMALL = 4 * MIB


def filled(store: SegmentStore, numbers: range) -> None:
    """Put blobs of many lengths."""
    for number in numbers:
        store.put(name_of(number), memoryview(payload_of(number, length_of(number))))


def settled(store: SegmentStore) -> int:
    """Upkeep until nothing comes back; the bytes given back."""
    total = 0
    for _ in range(50):
        step = store.maintain()
        total += step
        if not step:
            return total
    raise AssertionError("upkeep has no end")


def check(store: SegmentStore, alive: range) -> None:
    """Exactly these blobs are there, whole."""
    assert {name.blob_id for name in store.names()} == {name_of(number).blob_id for number in alive}
    for number in alive:
        assert read_all(store, name_of(number).blob_id) == payload_of(number, length_of(number))


def sparse(device: Device) -> range:
    """Segments of which little lives: 200 put, every tenth kept, all sealed."""
    with opened(device) as store:
        filled(store, range(200))
        store.delete_many([name_of(number).blob_id for number in range(200) if number % 10])
    return range(0, 200, 10)


def test_deleting_gives_space_back_at_once(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    with opened(device) as store:
        for number in range(10):
            store.put(name_of(number), memoryview(payload_of(number, MIB)))
        before = store.stats().bytes_allocated
        store.delete_many([name_of(number).blob_id for number in range(8)])
        assert before - store.stats().bytes_allocated >= 8 * MIB


def test_empty_segments_go_and_sparse_ones_are_merged(tmp_path: Path) -> None:
    device = device_at(tmp_path, segment_bytes_max=SMALL)
    alive = sparse(device)
    before = len(segment_files(device))
    assert before >= 5
    with opened(device) as store:
        settled(store)
        assert len(segment_files(device)) == 1
        check(store, alive)
        store.delete_many([name_of(number).blob_id for number in alive])
        settled(store)
        assert segment_files(device) == []
        assert store.stats().blobs == 0
    shutil.rmtree(device.index)
    assert recovered_blobs(device)[1] == {}


def test_readers_opened_before_a_merge_keep_their_bytes_and_their_space_comes_back_after(tmp_path: Path) -> None:
    device = device_at(tmp_path, segment_bytes_max=SMALL)
    alive = sparse(device)
    with opened(device) as store:
        readers = [store.open(name_of(number).blob_id) for number in alive]
        spans = [reader.span(0, reader.length) for reader in readers]
        settled(store)
        assert store.delete_many([name_of(number).blob_id for number in alive[:10]]) == [True] * 10
        for number, reader, span in zip(alive, readers, spans, strict=True):
            want = payload_of(number, length_of(number))
            assert reader.read(0, reader.length) == want
            assert span is not None
            assert os.pread(span.fd, span.length, span.offset) == want
            reader.close()
        with pytest.raises(Missing):
            store.open(name_of(0).blob_id)
        gone = [link for link in map(os.readlink, descriptors()) if ".seg (deleted)" in link]
        assert not gone


def descriptors() -> list[str]:
    """This process's descriptors that can be looked at."""
    return [path for path in (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")) if os.path.islink(path)]


def test_a_slow_reader_keeps_its_bytes_while_another_process_deletes_and_merges(tmp_path: Path) -> None:
    device = device_at(tmp_path, segment_bytes_max=SMALL)
    held = (5, 55, 105, 155)
    with opened(device) as store:
        filled(store, range(200))
        readers = {number: store.open(name_of(number).blob_id) for number in held}
        spans = {number: reader.span(0, reader.length) for number, reader in readers.items()}
        sweeper = started("sweeping", device, 0, 200)
        assert sweeper.stdout is not None
        assert sweeper.stdout.readline() == b"left 4\n"
        for _ in range(20):
            for number, reader in readers.items():
                want, span = payload_of(number, length_of(number)), spans[number]
                assert reader.read(0, reader.length) == want
                assert span is not None
                assert os.pread(span.fd, span.length, span.offset) == want
            gevent.sleep(0.02)
        for reader in readers.values():
            reader.close()
        assert sweeper.communicate(timeout=20)[0].endswith(b"all gone\n")
        assert store.stats().blobs == 0


def test_processes_read_right_bytes_while_all_around_is_deleted_and_merged(tmp_path: Path) -> None:
    device = device_at(tmp_path, segment_bytes_max=SMALL)
    with opened(device) as store:
        filled(store, range(40))
        readers = [started("reading", device, 0, 40) for _ in range(2)]
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"reading\n"
        end = time.monotonic() + 2
        turn = 0
        while time.monotonic() < end or turn <= 3:
            turn += 1
            filled(store, range(turn * 1000, turn * 1000 + 60))
            store.delete_many([name_of(turn * 1000 + each).blob_id for each in range(60)])
            store.maintain()
        for reader in readers:
            assert reader.poll() is None
            reader.kill()
            assert b"bad" not in reader.communicate()[0]
        check(store, range(40))


def test_upkeep_does_not_touch_a_segment_being_born_in_another_process(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    with opened(device) as store:
        unborn = Path(device.path(77, UNBORN))
        unborn.touch()
        settled(store)
        assert unborn.exists()


@pytest.mark.parametrize("moment", ["before the switch", "after the switch", "after the commit"])
@pytest.mark.parametrize("boot", ["same boot", "next boot"])
def test_a_merge_cut_off_at_any_moment_loses_and_revives_nothing(tmp_path: Path, moment: str, boot: str) -> None:
    device = device_at(tmp_path, segment_bytes_max=SMALL)
    alive = sparse(device)
    with opened(device) as store:
        cut_off(device, store, moment)
        deleted = [name_of(number).blob_id for number in alive[:5]]
        gone = {blob for blob, dead in zip(deleted, store.delete_many(deleted), strict=True) if dead}
    if boot == "next boot":
        (device.root / "state").write_text("an earlier boot")
    report, blobs = recovered_blobs(device)
    assert report.rebuilt == (boot == "next boot")
    assert blobs == {
        name_of(number).blob_id: payload_of(number, length_of(number))
        for number in alive
        if name_of(number).blob_id not in gone
    }
    with opened(device) as store:
        settled(store)
        assert store.delete_many(deleted) == [True] * 5
        check(store, alive[5:])
        assert not list(device.segments.glob("*" + UNFINISHED))
        settled(store)
    shutil.rmtree(device.index)
    assert recovered_blobs(device)[1].keys() == {name_of(number).blob_id for number in alive[5:]}


def cut_off(device: Device, store: SegmentStore, moment: str) -> None:
    """Merge as upkeep would, up to the given moment, then let go of everything as a killed process does."""
    from app.adapters.chunks import merge
    from app.adapters.chunks.segment import OpenSegment, read_head

    sources = []
    for path in segment_files(device):
        with path.open("rb") as file:
            head = read_head(file.fileno())
            assert head is not None
            sources.append(head)
    fds = {head.segment_id: os.open(device.path(head.segment_id), os.O_RDWR) for head in sources}
    copy = OpenSegment(device, tuple(fds), UNFINISHED)
    moves = merge._copy(store._index, sources, fds, copy)
    if moment != "before the switch":
        store._index.move(moves)
    if moment == "after the commit":
        os.rename(device.path(copy.head.segment_id, UNFINISHED), device.path(copy.head.segment_id))
    copy.close()
    for fd in fds.values():
        os.close(fd)


def test_a_segment_with_damage_is_never_merged_away(tmp_path: Path) -> None:
    device = device_at(tmp_path, segment_bytes_max=SMALL)
    alive = sparse(device)
    with opened(device) as store:
        place = store._index.get(name_of(alive[0]).blob_id)
    assert place is not None
    with open(device.path(place.segment_id), "r+b") as file:
        file.seek(place.offset + 4096)
        file.write(b"\xff")
    with opened(device) as store:
        settled(store)
        assert os.path.exists(device.path(place.segment_id))
        for number in alive[1:]:
            store.verify(name_of(number).blob_id)


def test_a_reserve_refuses_new_blobs_and_harms_no_old_ones(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    with opened(device) as store:
        filled(store, range(5))
    room = os.statvfs(tmp_path)
    low = device_at(tmp_path, reserve_bytes=room.f_bavail * room.f_frsize + 64 * MIB)
    with opened(low) as store:
        with pytest.raises(Full):
            store.put(name_of(9), memoryview(b"no room"))
        assert store.stats().bytes_free == 0
        check(store, range(5))
        assert store.delete(name_of(4).blob_id)
    with opened(device) as store:
        filled(store, range(4, 10))
        check(store, range(10))


def until_full(store: SegmentStore) -> list[int]:
    """Put blobs of one block until there is no room; the numbers of those that were stored."""
    for number in range(1000):
        try:
            store.put(name_of(number), memoryview(payload_of(number, BLOCK_BYTES)))
        except Full:
            return list(range(number))
    raise AssertionError("the file system has no end")


@contextmanager
def little_room(root: Path) -> Iterator[Device]:
    """A device with 24 MiB: a file system of its own, or where that may not be mounted, a reserve of all the rest."""
    mounted = (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(root)], check=False).returncode == 0
    )
    room = os.statvfs(root)
    reserve = 256 * 1024 if mounted else room.f_bavail * room.f_frsize - 24 * MIB
    try:
        yield device_at(root / "device", segment_bytes_max=SMALL, reserve_bytes=reserve)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(root)], check=True)


def test_a_full_file_system_refuses_serves_and_accepts_again(tmp_path: Path) -> None:
    with little_room(tmp_path) as device:
        with opened(device) as store:
            stored = until_full(store)
            assert len(stored) > 100
            with pytest.raises(Full):
                store.put(name_of(5000), memoryview(bytes(8 * MIB)))
            assert {name.blob_id for name in store.names()} == {name_of(number).blob_id for number in stored}
            for number in stored:
                assert read_all(store, name_of(number).blob_id) == payload_of(number, BLOCK_BYTES)
            assert all(store.delete_many([name_of(number).blob_id for number in stored[:100]]))
            settled(store)
            store.put(name_of(6000), memoryview(payload_of(6000, MIB)))
            assert read_all(store, name_of(6000).blob_id) == payload_of(6000, MIB)
        shutil.rmtree(device.index)
        assert len(recovered_blobs(device)[1]) == len(stored) - 99
