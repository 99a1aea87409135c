"""The rules of the DeviceStore port, held by every implementation: in memory, on a directory, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from app.adapters.chunks.remote import RemoteDevice
from app.core.cluster_limits import FRAGMENT_BYTES_MAX
from app.core.errors import Conflict, Corrupt, Missing
from app.core.limits import BLOCK_BYTES
from app.runtime.offload import Offload
from tests.chunk_room import name_of, payload_of
from tests.host_room import guarded_at, hosting
from tests.placed_room import FaultyDevice

LENGTHS = [1, 4095, 4097, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES + 77, FRAGMENT_BYTES_MAX]


@pytest.fixture(params=["memory", "directory", "http"])
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield FaultyDevice(1)
    elif request.param == "directory":
        guarded = guarded_at(tmp_path / "device")
        yield guarded
        guarded.close()
    else:
        offload = Offload(2)
        with hosting(tmp_path / "device") as room:
            peer = room.peer()
            yield RemoteDevice(next(iter(room.devices)), peer, offload)
            peer.close()
            assert room.bugs == []
        offload.close()


def put(device: Any, number: int, length: int = 100) -> bytes:
    data = payload_of(number, length)
    device.put(name_of(number), memoryview(data))
    return data


def id_of(number: int) -> bytes:
    return name_of(number).blob_id


@pytest.mark.parametrize("length", LENGTHS)
def test_what_is_put_is_read_whole(device: Any, length: int) -> None:
    data = put(device, 1, length)
    assert bytes(device.whole(id_of(1))) == data
    with device.open(id_of(1), length) as reader:
        assert bytes(reader.read(0, length)) == data
    with device.open(id_of(1)) as reader:
        assert reader.length == length


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (BLOCK_BYTES - 1, 2), (3, 200_000), (299_999, 1), (5, 0)])
def test_any_range_is_read(device: Any, offset: int, length: int) -> None:
    data = put(device, 1, 300_000)
    with device.open(id_of(1), 300_000) as reader:
        assert bytes(reader.read(offset, length)) == data[offset : offset + length]


def test_a_range_beyond_the_end_is_the_callers_mistake(device: Any) -> None:
    put(device, 1)
    with device.open(id_of(1)) as reader, pytest.raises(ValueError, match="is not within"):
        reader.read(50, 51)


@pytest.mark.parametrize("length", [0, FRAGMENT_BYTES_MAX + 1])
def test_a_fragment_of_no_or_too_many_bytes_is_the_callers_mistake(device: Any, length: int) -> None:
    with pytest.raises(ValueError, match="bytes, not"):
        device.put(name_of(1), memoryview(bytes(length)))


def test_an_id_is_used_once_and_what_was_there_stays(device: Any) -> None:
    data = put(device, 1)
    with pytest.raises(Conflict):
        device.put(name_of(1), memoryview(b"another"))
    assert bytes(device.whole(id_of(1))) == data


def test_what_is_not_there_is_missing(device: Any) -> None:
    with pytest.raises(Missing):
        device.whole(id_of(1))
    with pytest.raises(Missing):
        device.verify(id_of(1))
    with pytest.raises(Missing), device.open(id_of(1), 100) as reader:
        reader.read(0, 1)


def test_another_length_than_was_said_is_corrupt(device: Any) -> None:
    put(device, 1)
    with pytest.raises(Corrupt), device.open(id_of(1), 99) as reader:
        reader.read(0, 1)


def test_verify_tells_the_length(device: Any) -> None:
    put(device, 1, 70_000)
    assert device.verify(id_of(1)) == 70_000


def test_deleted_fragments_are_gone_and_deleting_again_is_fine(device: Any) -> None:
    for number in (1, 2):
        put(device, number)
    assert device.delete_many([id_of(1), id_of(3)]) == [True, True]
    assert device.delete_many([id_of(1)]) == [True]
    assert device.held([id_of(1), id_of(2), id_of(3)]) == [False, True, False]
    with pytest.raises(Missing):
        device.whole(id_of(1))


def test_nothing_is_asked_about_nothing(device: Any) -> None:
    assert device.held([]) == []
    assert device.delete_many([]) == []


def test_pages_are_in_order_and_within_their_range(device: Any) -> None:
    for number in (5, 1, 300, 70_000, 2):
        put(device, number)
    first, end = (0).to_bytes(14, "big"), (1).to_bytes(14, "big")
    assert [name.blob_id for name in device.page(first, end, b"", 10)] == [id_of(n) for n in (1, 2, 5, 300)]
    assert device.page(first, end, id_of(2), 1) == [name_of(5)]
    assert device.page(first, end, id_of(300), 10) == []
    assert device.page(end, None, b"", 10) == [name_of(70_000)]
    assert [name.blob_id for name in device.page(b"", None, b"", 2)] == [id_of(1), id_of(2)]


def test_many_at_once_keep_to_themselves(device: Any) -> None:
    greenlets = [gevent.spawn(put, device, number, 1000 * number) for number in range(1, 30)]
    gevent.joinall(greenlets, raise_error=True)
    reading = [gevent.spawn(device.whole, id_of(number)) for number in range(1, 30)]
    gevent.joinall(reading, raise_error=True)
    assert [bytes(each.value) for each in reading] == [payload_of(number, 1000 * number) for number in range(1, 30)]


def test_stats_count_what_is_there(device: Any) -> None:
    for number in (1, 2):
        put(device, number, 5000)
    stats = device.stats()
    assert (stats.blobs, stats.bytes_live) == (2, 10_000)
    assert stats.bytes_free > 0
