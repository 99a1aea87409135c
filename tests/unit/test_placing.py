"""Chunks over devices that fail: what is durable when, what is readable, what is visible, who is told."""

from collections.abc import Iterator
from itertools import combinations
from random import Random

import gevent
import pytest

from app.adapters.erasure import codec
from app.core import limits
from app.core.errors import Conflict, Corrupt, Full, Missing, Unavailable
from app.core.layout.blob_ids import fragment_id
from app.core.layout.placement import DRAINING, OUT
from app.core.layout.profiles import ZSTD, Profile, erasure, replication
from app.services.placing.fragments import Source, collect, remade
from tests.chunk_room import payload_of
from tests.placed_room import FULL, PlacedRoom, placed, placement_of, until

PROFILES = [
    replication(1, "ONE", 1),
    replication(2, "TWO", 2),
    replication(3, "STANDARD", 3),
    replication(4, "THIN", 3, ZSTD),
    erasure(5, "E21", 2, 1),
    erasure(6, "E42", 4, 2),
    erasure(7, "E42Z", 4, 2, ZSTD),
]
EC = PROFILES[5]
COPIES = PROFILES[2]
KIB = 1024


def named(profile: Profile) -> str:
    return profile.storage_class


@pytest.fixture(params=PROFILES, ids=named)
def room(request: pytest.FixtureRequest) -> Iterator[PlacedRoom]:
    with placed(request.param, request.param.width + 2) as made:
        yield made


@pytest.fixture
def coded() -> Iterator[PlacedRoom]:
    with placed(EC, 9) as made:
        yield made


@pytest.fixture
def copied() -> Iterator[PlacedRoom]:
    with placed(COPIES, 5) as made:
        yield made


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUT_SLOW_S", 0.05)
    monkeypatch.setattr(limits, "READ_HEDGE_S", 0.05)


def tolerated(profile: Profile) -> int:
    return profile.width - profile.needed


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
        monkeypatch.setattr(limits, "READ_AHEAD_BYTES_MAX", room_ahead)
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
    gevent.sleep(3 * limits.READ_HEDGE_S)
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
    monkeypatch.setattr(limits, "PLACED_BYTES_MAX", 2_500)
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


# --- stored form and fragments


def test_only_what_shrinks_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    with placed(PROFILES[3], 3) as room:
        noise, text = Random(1).randbytes(400_000), b"the same again " * 20_000
        assert room.put(1, data=noise) == room.read(1, len(noise))
        assert room.put(2, data=text) == room.read(2, len(text))
        sizes = {name.blob_id[14]: device.store for device in room.devices.values() for name in device.store.names()}
        assert sizes
        stored = sum(device.store.stats().bytes_live for device in room.devices.values())
        assert 3 * len(noise) < stored < 3 * (len(noise) + len(text) // 50)


@pytest.mark.parametrize("profile", PROFILES, ids=named)
def test_fragments_are_made_again_exactly_as_they_were(profile: Profile) -> None:
    with placed(profile, profile.width) as room:
        room.put(1, 30_001)
        blob_id = room.name(1).blob_id
        whole = {
            index: room.devices[number].whole(fragment_id(blob_id, index)) for index, number in enumerate(room.homes(1))
        }
        for lost in combinations(range(profile.width), tolerated(profile)):
            sources = [Source(index, room.devices[room.homes(1)[index]]) for index in range(profile.width)]
            have = collect(profile, blob_id, [source for source in sources if source.index not in lost])
            assert len(have) == profile.needed
            made = remade(profile, codec(profile.data, profile.parity) if profile.erasure else None, have, lost)
            assert made == {index: whole[index] for index in lost}


def test_collecting_from_too_few_says_why(coded: PlacedRoom) -> None:
    coded.put(1)
    sources = [Source(index, coded.devices[number]) for index, number in enumerate(coded.homes(1))]
    with pytest.raises(Missing):
        collect(EC, coded.name(2).blob_id, sources)
    coded.stop(*coded.homes(1)[:3])
    with pytest.raises(Unavailable):
        collect(EC, coded.name(1).blob_id, sources)


# --- everything together


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("profile", [COPIES, PROFILES[4], EC, PROFILES[6]], ids=named)
def test_what_was_acknowledged_stays_readable_under_any_failures_the_profile_allows(
    profile: Profile, seed: int
) -> None:
    """Between puts and reads devices stop and return; of what a put acknowledged at quorum as many devices are lost for
    good as the quorum allows beyond what reading needs."""
    chance = Random(f"{profile.number} {seed}")
    with placed(profile, profile.width + 2) as room:
        kept: dict[int, bytes] = {}
        for blob in range(25):
            room.start()
            room.stop(*chance.sample(sorted(room.devices), chance.randrange(4)))
            data = chance.randbytes(chance.choice([1, 50, 5_000, 20_000])) * chance.choice([1, 3])
            try:
                room.store.put(room.name(blob), memoryview(data))
            except Unavailable:
                room.store.close()
                continue
            kept[blob] = data
            if chance.random() < 0.3:
                room.store.close()
        room.store.close()
        room.start()
        for blob, data in kept.items():
            holding = sorted(room.holding(blob))
            assert len(holding) >= profile.quorum
            room.stop(*chance.sample(holding, len(holding) - profile.needed))
            assert room.read(blob, len(data)) == data
            room.start()
        told = {name.blob_id for name in room.store.names()}
        assert told >= {room.name(blob).blob_id for blob in kept}


def set_state(room: PlacedRoom, number: int, state: str) -> None:
    from dataclasses import replace

    device = replace(room.placement.devices[number], state=state)
    room.placement = replace(room.placement, devices={**room.placement.devices, number: device})


def fields(placement: object) -> dict[str, object]:
    return {name: getattr(placement, name) for name in type(placement).__dataclass_fields__}  # type: ignore[attr-defined]
