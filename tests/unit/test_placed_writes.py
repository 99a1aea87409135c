"""Writing chunks to devices that fail: what is durable when, what stays when a put is refused, what goes."""

from random import Random

import gevent
import pytest

from app.core import cluster_limits, limits
from app.core.errors import Conflict, Full, Missing, Unavailable
from app.core.layout.placement import DRAINING
from tests.chunk_room import payload_of
from tests.placed_fixtures import COPIES, coded, copied, room, set_state, short_waits
from tests.placed_room import FULL, PlacedRoom, placed, until

__all__ = ["coded", "copied", "room", "short_waits"]


# --- what is durable when


def test_a_put_answers_when_its_quorum_is_durable_and_goes_on_without_the_caller(room: PlacedRoom) -> None:
    profile = room.profile
    waiting = room.homes(1)[profile.quorum :]
    for number in waiting:
        room.devices[number].gate.clear()
    data = bytearray(payload_of(1, 70_000))
    room.store.put(room.name(1), memoryview(data))
    assert sorted(room.holding(1)) == sorted(room.homes(1)[: profile.quorum])
    expected, data[:] = bytes(data), bytes(len(data))  # the buffer is the caller's again
    for number in waiting:
        room.devices[number].gate.set()
    room.store.close()
    assert room.holding(1) == {number: [index] for index, number in enumerate(room.homes(1))}
    assert room.read(1, 70_000) == expected
    assert not room.suspects.told


def test_below_the_quorum_nothing_stays_and_the_reason_is_one_line(room: PlacedRoom) -> None:
    left = room.profile.quorum - 1
    room.stop(*list(room.devices)[left:])
    with pytest.raises(Unavailable, match=f"{left} of {room.profile.quorum} devices needed") as refused:
        room.put(1)
    assert "\n" not in str(refused.value)
    assert not room.holding(1)
    room.start()
    with pytest.raises(Missing):
        room.read(1, 1000)


def test_full_homes_give_way_to_others_and_a_full_cluster_says_so(room: PlacedRoom) -> None:
    homes = room.homes(1)
    for number in homes[:2]:
        room.devices[number].refuses_puts = FULL
    data = room.put(1)
    assert room.read(1, 1000) == data
    assert len(room.holding(1)) == room.profile.width
    for device in room.devices.values():
        device.refuses_puts = FULL
    with pytest.raises(Full):
        room.put(2)


def test_homes_that_are_down_get_handoffs_and_healing_is_told(coded: PlacedRoom) -> None:
    homes = coded.homes(1)
    coded.stop(*homes[:2])
    data = coded.put(1, 50_000)
    holding = coded.holding(1)
    assert sorted(index for indices in holding.values() for index in indices) == list(range(6))
    assert all(len(indices) == 1 for indices in holding.values())
    assert (coded.name(1).blob_id, "partial") in coded.suspects.told
    coded.stop(homes[3], homes[4])  # of those at home only two are left; the handoffs have the rest
    assert coded.read(1, 50_000) == data


def test_a_slow_home_gets_a_handoff_before_the_put_gives_up(copied: PlacedRoom) -> None:
    homes = copied.homes(1)
    for number in homes[:2]:
        copied.devices[number].gate.clear()
    copied.store.put(copied.name(1), memoryview(b"x" * 1000))
    assert len(copied.holding(1)) >= COPIES.quorum
    assert copied.devices[homes[0]].store.stats().blobs == 0


def test_devices_whose_node_is_down_are_tried_last() -> None:
    down: set[int] = set()
    with placed(COPIES, 5, up=lambda number: number not in down) as room:
        down.update(room.homes(1)[:2])
        room.put(1)
        assert not down & set(room.holding(1))
        down.update(room.devices)
        room.put(2)  # what the managers believe may be wrong: all of them are tried
        assert sorted(room.holding(2)) == sorted(room.homes(2))


def test_no_device_gets_two_fragments_while_there_are_enough(coded: PlacedRoom) -> None:
    chance = Random(5)
    for blob in range(40):
        coded.start()
        coded.stop(*chance.sample(sorted(coded.devices), 3))
        coded.put(blob)
        assert all(len(indices) == 1 for indices in coded.holding(blob).values())


def test_an_id_used_twice_is_a_conflict_and_harms_nothing(room: PlacedRoom) -> None:
    data = room.put(1)
    with pytest.raises(Conflict):
        room.store.put(room.name(1), memoryview(b"other"))
    room.store.close()
    assert room.read(1, 1000) == data


def test_a_put_that_is_killed_leaves_nothing(copied: PlacedRoom) -> None:
    for number in copied.homes(1):
        copied.devices[number].gate.clear()
    putting = gevent.spawn(copied.store.put, copied.name(1), memoryview(b"x" * 1000))
    until(lambda: all(copied.devices[number].calls for number in copied.homes(1)))
    putting.kill()
    for number in copied.homes(1):
        copied.devices[number].gate.set()
    copied.store.close()
    assert not copied.holding(1)


def test_puts_beyond_the_memory_for_fragments_wait_for_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_limits, "PLACED_BYTES_MAX", 2_500)
    with placed(COPIES, 3) as room:
        for device in room.devices.values():
            device.gate.clear()
        putting = [gevent.spawn(room.store.put, room.name(blob), memoryview(bytes(1_000))) for blob in range(3)]
        until(lambda: sum(len(device.calls) for device in room.devices.values()) == 6)
        gevent.sleep(0)
        assert sum(len(device.calls) for device in room.devices.values()) == 6
        for device in room.devices.values():
            device.gate.set()
        gevent.joinall(putting, raise_error=True)


# --- deleting and listing


def test_a_deletion_is_true_only_when_every_device_that_may_hold_something_answered(room: PlacedRoom) -> None:
    room.put(1)
    room.stop(room.homes(1)[-1])
    assert not room.store.delete(room.name(1).blob_id)
    room.start()
    assert room.store.delete(room.name(1).blob_id)
    assert not room.holding(1)


def test_handoffs_are_deleted_too(coded: PlacedRoom) -> None:
    coded.stop(*coded.homes(1)[:2])
    coded.put(1)
    coded.start()
    assert coded.store.delete_many([coded.name(1).blob_id, coded.name(2).blob_id]) == [True, True]
    assert not coded.holding(1)


def test_names_tell_each_blob_once_whatever_device_fails(coded: PlacedRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NAMES_PAGE", 7)
    for blob in range(60):
        coded.put(blob, 10)
    expected = sorted((coded.name(blob) for blob in range(60)), key=lambda name: name.blob_id)
    assert list(coded.store.names()) == expected
    coded.stop(3)
    assert list(coded.store.names()) == expected


def test_draining_devices_still_serve(copied: PlacedRoom) -> None:
    data = copied.put(1)
    for number in copied.homes(1):
        set_state(copied, number, DRAINING)
    assert copied.read(1, 1000) == data


def test_without_a_layout_everything_is_unavailable(copied: PlacedRoom) -> None:
    copied.placement = type(copied.placement)()
    with pytest.raises(Unavailable, match="no layout"):
        copied.put(1)
    with pytest.raises(Unavailable, match="no layout"):
        copied.read(1, 1000)
    assert not copied.store.delete(copied.name(1).blob_id)
