"""Reading chunks from devices that fail: what is readable of what is left, what is asked for, who is told."""

from itertools import combinations

import gevent
import pytest

from app.core import cluster_limits, limits
from app.core.errors import Corrupt, Missing, Unavailable
from app.core.layout.blob_ids import fragment_id
from app.core.layout.placement import OUT
from app.core.layout.profiles import Profile
from tests.chunk_room import payload_of
from tests.placed_fixtures import COPIES, EC, KIB, coded, copied, fields, named, room, set_state, short_waits, tolerated
from tests.placed_room import PlacedRoom, placed, placement_of, until

__all__ = ["coded", "copied", "room", "short_waits"]


# --- what one reads of what is left


def test_every_loss_the_profile_allows_leaves_a_chunk_readable(room: PlacedRoom) -> None:
    length = 40 * KIB + 3
    data = room.put(1, length)
    for lost in combinations(room.homes(1), tolerated(room.profile)):
        room.stop(*lost)
        assert room.read(1, length) == data
        with room.store.open(room.name(1).blob_id, length) as reader:
            for start, count in ((0, 1), (length - 1, 1), (10_000, 20_000), (length // 2, 5)):
                assert reader.read(start, count) == data[start : start + count]
        room.start()


def test_one_loss_more_is_unavailable_and_never_missing(room: PlacedRoom) -> None:
    room.put(1)
    room.stop(*room.homes(1)[: tolerated(room.profile) + 1])
    with pytest.raises(Unavailable):
        room.read(1, 1000)


def test_a_blob_is_missing_only_when_every_device_of_the_cluster_says_so(room: PlacedRoom) -> None:
    with pytest.raises(Missing):
        room.read(1, 1000)
    stranger = next(number for number in room.devices if number not in room.homes(1))
    room.stop(stranger)
    with pytest.raises(Unavailable):
        room.read(1, 1000)


def test_a_device_that_is_out_is_asked_for_nothing(copied: PlacedRoom) -> None:
    copied.put(1)
    away = copied.homes(1)[0]
    set_state(copied, away, OUT)
    copied.devices[away].calls.clear()
    assert copied.read(1, 1000) == payload_of(1, 1000)
    assert copied.store.delete(copied.name(1).blob_id)
    assert not copied.devices[away].calls


def test_damaged_fragments_are_passed_over_and_told(room: PlacedRoom) -> None:
    length = 9000
    data = room.put(1, length)
    for index, number in list(enumerate(room.homes(1)))[: tolerated(room.profile)]:
        room.devices[number].rotten.add(fragment_id(room.name(1).blob_id, index))
    assert room.read(1, length) == data
    told = {why for _, why in room.suspects.told}
    assert told == ({"corrupt"} if tolerated(room.profile) else set())


def test_a_chunk_of_which_all_is_damaged_is_corrupt(copied: PlacedRoom) -> None:
    copied.put(1)
    for index, number in enumerate(copied.homes(1)):
        copied.devices[number].rotten.add(fragment_id(copied.name(1).blob_id, index))
    with pytest.raises(Corrupt):
        copied.read(1, 1000)


def test_a_fragment_gone_from_its_home_is_told_as_missing(coded: PlacedRoom) -> None:
    data = coded.put(1, 9000)
    coded.devices[coded.homes(1)[1]].store.close()
    assert coded.read(1, 9000) == data
    assert (coded.name(1).blob_id, "missing") in coded.suspects.told


def test_a_range_of_a_coded_chunk_fetches_only_the_bytes_it_needs(coded: PlacedRoom) -> None:
    coded.put(1, 400_000)
    for device in coded.devices.values():
        device.calls.clear()
    with coded.store.open(coded.name(1).blob_id, 400_000) as reader:
        assert reader.read(99_990, 20) == payload_of(1, 400_000)[99_990:100_010]
    reads = [(call[2], number) for number, device in coded.devices.items() for call in device.calls]
    assert sorted(reads) == sorted([(10, coded.homes(1)[0]), (10, coded.homes(1)[1])])


def test_a_range_of_a_lost_fragment_fetches_the_same_range_of_others(coded: PlacedRoom) -> None:
    coded.put(1, 400_000)
    coded.stop(coded.homes(1)[0])
    for device in coded.devices.values():
        device.calls.clear()
    with coded.store.open(coded.name(1).blob_id, 400_000) as reader:
        assert reader.read(1_000, 500) == payload_of(1, 400_000)[1_000:1_500]
    assert sum(call[2] for device in coded.devices.values() for call in device.calls if device.fault is None) == 2_000


def test_two_lost_fragments_of_a_whole_read_cost_no_more_than_any_k(coded: PlacedRoom) -> None:
    data = coded.put(1, 400_000)
    coded.stop(*coded.homes(1)[:2])
    for device in coded.devices.values():
        device.calls.clear()
    assert coded.read(1, 400_000) == data
    got = [call for device in coded.devices.values() for call in device.calls if device.fault is None]
    assert [call[2] for call in got] == [100_000] * 4


def test_a_reader_that_tells_what_it_wants_has_it_fetched_together(copied: PlacedRoom) -> None:
    length = 4 * limits.SLICE_BYTES
    data = copied.put(1, length)
    first = copied.homes(1)[0]
    copied.devices[first].gate.clear()
    with copied.store.open(copied.name(1).blob_id, length) as reader:
        assert reader.span(0, length) is None
        reading = gevent.spawn(reader.read, 0, limits.SLICE_BYTES)
        until(lambda: len([call for call in copied.devices[first].calls if call[0] == "read"]) == 4)
        copied.devices[first].gate.set()
        assert reading.get() == data[: limits.SLICE_BYTES]
        for start in range(limits.SLICE_BYTES, length, limits.SLICE_BYTES):
            assert reader.read(start, limits.SLICE_BYTES) == data[start : start + limits.SLICE_BYTES]


@pytest.mark.parametrize("profile", [COPIES, EC], ids=named)
def test_reading_on_gives_the_same_bytes_with_and_without_memory_for_reading_ahead(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    length = 5 * 100_000 + 7
    for room_ahead in (0, 150_000, limits.MIB):
        monkeypatch.setattr(cluster_limits, "READ_AHEAD_BYTES_MAX", room_ahead)
        with placed(profile, profile.width) as room:
            data = room.put(1, length)
            for told in (True, False):
                with room.store.open(room.name(1).blob_id, length) as reader:
                    if told:
                        reader.span(0, length)
                    pieces = [reader.read(at, min(100_000, length - at)) for at in range(0, length, 100_000)]
                assert b"".join(pieces) == data
            until(lambda room=room, left=room_ahead: room.store._ahead._left == left)


@pytest.mark.parametrize("profile", [COPIES, EC], ids=named)
def test_a_slow_device_is_not_waited_for(profile: Profile) -> None:
    with placed(profile, profile.width) as room:
        data = room.put(1, 50_000)
        slow = room.devices[room.homes(1)[0]]
        slow.gate.clear()
        assert room.read(1, 50_000) == data
        slow.calls.clear()
        assert room.read(1, 50_000) == data
        assert not slow.calls  # whoever reads next need not wait to find out


def test_a_slow_device_is_waited_for_when_nothing_else_is_left(coded: PlacedRoom) -> None:
    data = coded.put(1, 50_000)
    homes = coded.homes(1)
    coded.stop(*homes[1:3])
    coded.devices[homes[0]].gate.clear()
    reading = gevent.spawn(coded.read, 1, 50_000)
    gevent.sleep(3 * cluster_limits.READ_HEDGE_S)
    assert not reading.ready()
    coded.devices[homes[0]].gate.set()
    assert reading.get() == data


def test_a_copy_on_this_node_is_read_first() -> None:
    with placed(COPIES, 3, near=lambda number: number == 2) as room:
        for blob in range(6):
            room.put(blob)
            for device in room.devices.values():
                device.calls.clear()
            room.read(blob, 1000)
            assert [number for number, device in room.devices.items() if device.calls] == [2]


def test_what_one_epoch_wrote_is_read_in_the_next_before_it_moved(room: PlacedRoom) -> None:
    data = room.put(1, 5000)
    before = room.placement
    after = placement_of(room.profile, len(room.devices), turn=2)
    room.placement = type(before)(**{**fields(after), "previous": before.current})
    assert room.read(1, 5000) == data
    assert not room.suspects.told
    assert room.store.delete(room.name(1).blob_id)
    assert not room.holding(1)
