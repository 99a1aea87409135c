"""What a crash may leave on disk, byte class by byte class, and what a recovery makes of it."""

import os
import random
import shutil
from pathlib import Path

import pytest

from app.adapters.chunks import record
from app.adapters.chunks.disk import UNBORN, UNFINISHED, Device
from app.adapters.chunks.recovery import recover
from app.adapters.chunks.segment import OpenSegment, head_page, read_head
from app.adapters.chunks.store import SegmentStore
from app.core.checksums import block_checksums
from app.core.errors import Corrupt, Missing, StoreError, Unavailable
from app.core.limits import BLOCK_BYTES
from app.runtime.offload import Offload
from tests.chunk_room import (
    device_at,
    flip,
    name_of,
    opened,
    payload_of,
    read_all,
    recovered_blobs,
    segment_files,
)

PAGE = record.PAGE
LENGTHS = [100, BLOCK_BYTES + 1, 5000, 3 * BLOCK_BYTES, 1]


def filled(device: Device, numbers: range) -> dict[bytes, bytes]:
    """Put blobs one by one, each in a batch of its own, and end cleanly."""
    data = {}
    with opened(device) as store:
        for number in numbers:
            payload = payload_of(number, LENGTHS[number % len(LENGTHS)])
            store.put(name_of(number), memoryview(payload))
            data[name_of(number).blob_id] = payload
    return data


def unsealed(device: Device) -> Path:
    """Take the end mark away from the only segment: its writer has died."""
    (path,) = segment_files(device)
    with path.open("r+b") as file:
        file.seek(record.END_OFFSET)
        file.write(bytes(64))
    return path


def after_power_loss(device: Device) -> Device:
    """The same device, left by a boot that ended without a close."""
    (device.root / "state").write_text("an earlier boot")
    return device


def test_a_lost_index_is_rebuilt_as_it_was(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(12))
    with opened(device) as store:
        for number in (1, 5):
            assert store.delete(name_of(number).blob_id)
            del data[name_of(number).blob_id]
        stats, names = store.stats(), sorted(store.names(), key=lambda name: name.blob_id)
    shutil.rmtree(device.index)
    report, blobs = recovered_blobs(device)
    assert report.rebuilt
    assert not report.damage
    assert blobs == data
    with opened(device) as store:
        assert (store.stats().blobs, store.stats().bytes_live) == (stats.blobs, stats.bytes_live)
        assert sorted(store.names(), key=lambda name: name.blob_id) == names


def test_an_index_of_another_boot_is_not_believed_and_one_ended_cleanly_is(tmp_path: Path) -> None:
    device = device_at(tmp_path, boot_id="first")
    data = filled(device, range(5))
    second = device_at(tmp_path, boot_id="second")
    assert not recover(second).rebuilt
    (tmp_path / "state").write_text("first")  # the first boot ended without a close
    with pytest.raises(Unavailable, match="recovery"):
        SegmentStore(second, Offload(1))
    report, blobs = recovered_blobs(second)
    assert report.rebuilt
    assert blobs == data


@pytest.mark.parametrize("harm", [b"", b"\xff" * 8192, b"\0" * 100_000])
def test_a_garbled_index_is_rebuilt(tmp_path: Path, harm: bytes) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(5))
    (device.index / "data.mdb").write_bytes(harm)
    report, blobs = recovered_blobs(device)
    assert report.rebuilt
    assert blobs == data


def test_a_cut_index_is_rebuilt(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(5))
    os.truncate(device.index / "data.mdb", 12_288)
    report, blobs = recovered_blobs(device)
    assert report.rebuilt
    assert blobs == data


def test_a_device_in_use_is_not_recovered(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    with opened(device), pytest.raises(Unavailable, match="another process"):
        recover(device)


def test_a_directory_of_another_make_is_refused(tmp_path: Path) -> None:
    recover(device_at(tmp_path))
    (tmp_path / "device.json").write_text('{"format": 99}')
    with pytest.raises(Corrupt, match="format 99"):
        recover(device_at(tmp_path))


@pytest.mark.parametrize("seed", range(12))
def test_a_segment_cut_anywhere_keeps_every_record_before_the_cut(tmp_path: Path, seed: int) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(8))
    path = unsealed(device)
    cut = random.Random(seed).randrange(PAGE, path.stat().st_size)
    whole = {name_of(number).blob_id for number in ends_before(cut)}
    os.truncate(path, cut)
    _, blobs = recovered_blobs(after_power_loss(device))
    assert blobs.keys() >= whole
    assert all(blobs[blob_id] == data[blob_id] for blob_id in blobs)
    assert recovered_blobs(after_power_loss(device))[1] == blobs


def ends_before(cut: int) -> list[int]:
    """The numbers of `filled` whose record lies wholly before `cut`."""
    at, numbers = PAGE, []
    for number in range(8):
        at += record.record_size(LENGTHS[number % len(LENGTHS)])
        if at <= cut:
            numbers.append(number)
    return numbers


@pytest.mark.parametrize("junk", [b"\xff", b"\0", b"ZREC"])
@pytest.mark.parametrize("place", ["head", "table", "payload", "after"])
def test_a_torn_last_record_is_dropped_and_nothing_else(tmp_path: Path, place: str, junk: bytes) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(4))  # the last one is three blocks
    last = name_of(3).blob_id
    path = unsealed(device)
    start = path.stat().st_size - record.record_size(3 * BLOCK_BYTES)
    offset = {"head": start, "table": start + 128, "payload": start + PAGE + 70_000, "after": path.stat().st_size}
    with path.open("r+b") as file:
        file.seek(offset[place])
        file.write((junk * 6000)[:6000] if place != "table" else b"\xaa\xbb\xcc")
    report, blobs = recovered_blobs(after_power_loss(device))
    if place != "after":
        del data[last]
    assert blobs == data
    assert not report.damage
    assert read_end_of(path) is not None
    if place != "after":
        with opened(device, recovering=True) as store, pytest.raises(Missing):
            store.open(last)


def read_end_of(path: Path) -> int | None:
    page = path.read_bytes()[:PAGE]
    head = record.decode_segment_head(page)
    return record.decode_end(head, page) if head else None


def test_a_damaged_head_in_the_middle_costs_one_blob_and_is_reported(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(8))
    (path,) = segment_files(device)
    start = PAGE + sum(record.record_size(LENGTHS[number]) for number in range(3))
    flip(path, start + 30)
    report, blobs = recovered_blobs(after_power_loss(device))
    del data[name_of(3).blob_id]
    assert blobs == data
    assert [(damage.offset, damage.length) for damage in report.damage] == [
        (start, record.record_size(3 * BLOCK_BYTES))
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_is_detected_or_harmless_wherever_it_is(tmp_path: Path, seed: int) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(5))
    (path,) = segment_files(device)
    rng = random.Random(seed)
    for _ in range(3):
        flip(path, rng.randrange(path.stat().st_size), 1 << rng.randrange(8))
    for index_lost in (False, True):
        if index_lost:
            shutil.rmtree(device.index)
        with opened(device) as store:
            for blob_id, payload in data.items():
                try:
                    found = read_all(store, blob_id)
                except (Corrupt, Missing):
                    continue
                assert found == payload


def test_a_span_of_damaged_bytes_is_never_handed_out(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    filled(device, range(4))
    (path,) = segment_files(device)
    start = PAGE + sum(record.record_size(LENGTHS[number]) for number in range(3)) + PAGE
    flip(path, start + BLOCK_BYTES + 9)
    with opened(device) as store, store.open(name_of(3).blob_id) as reader:
        assert reader.span(0, BLOCK_BYTES) is not None
        for _ in range(2):
            with pytest.raises(Corrupt):
                reader.span(0, reader.length)
            with pytest.raises(Corrupt):
                reader.read(BLOCK_BYTES, 1)
        assert reader.span(2 * BLOCK_BYTES, BLOCK_BYTES) is not None
        with pytest.raises(Corrupt):
            store.verify(name_of(3).blob_id)


def test_a_payload_that_looks_like_records_never_becomes_one(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    filled(device, range(4))
    with opened(device) as store:
        (path,) = segment_files(device)
        stolen = path.read_bytes()  # more than a client ever sees: real heads of a real segment
        store.put(name_of(90), memoryview(stolen))
        crafted = b"".join(stolen[at : at + PAGE] for at in range(0, len(stolen), PAGE))
        store.put(name_of(91), memoryview(bytes(1000) + crafted))
        store.put(name_of(92), memoryview(crafted))
        assert store.delete_many([name_of(number).blob_id for number in (*range(4), 90)]) == [True] * 5
    (newest,) = (file for file in segment_files(device) if file != path)
    flip(newest, PAGE + record.record_size(len(stolen)) + 20)  # the scan must walk through the payload of 91
    shutil.rmtree(device.index)
    _, blobs = recovered_blobs(device)
    assert set(blobs) == {name_of(92).blob_id}


def test_what_was_deleted_stays_deleted_after_a_rebuild_without_hole_punching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.adapters.chunks.disk.punch", lambda *_: False)  # a file system that lacks it
    device = device_at(tmp_path)
    data = filled(device, range(6))
    with opened(device) as store:
        assert store.delete(name_of(2).blob_id)
    del data[name_of(2).blob_id]
    shutil.rmtree(device.index)
    report, blobs = recovered_blobs(device)
    assert blobs == data
    assert not report.damage


def test_a_deletion_cut_off_before_the_index_heard_of_it_reads_as_missing(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    filled(device, range(2))
    (path,) = segment_files(device)
    with path.open("r+b") as file:
        head = read_head(file.fileno())
        assert head is not None
        first = record.decode_head(head, PAGE, os.pread(file.fileno(), record.HEAD_BYTES, PAGE))
        assert first is not None
        dead = record.Head(first.name, first.length, 0, True, bytes(8))
        os.pwrite(file.fileno(), record.encode_head(head, PAGE, dead), PAGE)
    with opened(device) as store:
        with pytest.raises(Missing):
            store.open(name_of(0).blob_id)
        assert store.delete(name_of(0).blob_id)
        assert [name.blob_id for name in store.names()] == [name_of(1).blob_id]


def test_a_blob_found_in_two_places_is_kept_once(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(3))
    again = OpenSegment(device)
    again.batch = 1
    payload = data[name_of(0).blob_id]
    table = block_checksums(payload)
    head = record.Head(name_of(0), len(payload), 1, False, record.table_digest(table))
    page = head_page(record.encode_head(again.head, PAGE, head), table)
    again.append([page, payload.ljust(PAGE, b"\0")], 2 * PAGE)
    again.seal()
    shutil.rmtree(device.index)
    assert recovered_blobs(device)[1] == data
    with opened(device) as store:
        assert store.delete(name_of(0).blob_id)
    shutil.rmtree(device.index)
    del data[name_of(0).blob_id]
    assert recovered_blobs(device)[1] == data


def test_what_an_unborn_segment_or_an_unfinished_merge_leaves_is_swept_up(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(3))
    Path(device.path(77, UNBORN)).touch()
    OpenSegment(device, (5, 6), UNFINISHED).close()
    assert len(segment_files(device)) == 3
    assert recovered_blobs(device)[1] == data
    assert len(segment_files(device)) == 1


def test_decay_of_an_acknowledged_last_blob_is_told_and_not_taken_for_a_torn_write(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    data = filled(device, range(4))
    path = unsealed(device)
    flip(path, path.stat().st_size - 1)
    report = recover(device)  # the index is of this boot: it knows that the last blob was acknowledged
    assert (report.torn, report.sealed) == (0, 1)
    with opened(device) as store:
        with pytest.raises(Corrupt):
            store.verify(name_of(3).blob_id)
        assert {name.blob_id for name in store.names()} == data.keys()


def test_a_segment_without_a_readable_head_is_reported_and_left_alone(tmp_path: Path) -> None:
    device = device_at(tmp_path)
    filled(device, range(2))
    (path,) = segment_files(device)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\xff" * PAGE)
    report, blobs = recovered_blobs(after_power_loss(device))
    assert blobs == {}
    assert [(damage.offset, damage.length) for damage in report.damage] == [(0, size)]
    with opened(device) as store:
        assert store.maintain() == 0
    assert path.stat().st_size == size


def test_a_failing_disk_fails_the_waiting_writes_and_the_next_segment_serves(tmp_path: Path) -> None:
    broken: list[bool] = []

    def sync(fd: int) -> None:
        if broken:
            raise OSError(5, "Input/output error")
        os.fdatasync(fd)

    device = device_at(tmp_path, sync=sync)
    with opened(device) as store:
        store.put(name_of(1), memoryview(b"before"))
        broken.append(True)
        with pytest.raises(Unavailable, match="writing a segment"):
            store.put(name_of(2), memoryview(b"lost"))
        broken.clear()
        store.put(name_of(3), memoryview(b"after"))
        with pytest.raises(StoreError):
            store.open(name_of(2).blob_id)
        assert len(segment_files(device)) == 2
        assert read_all(store, name_of(1).blob_id) == b"before"
    shutil.rmtree(device.index)
    assert recovered_blobs(device)[1] == {name_of(1).blob_id: b"before", name_of(3).blob_id: b"after"}
