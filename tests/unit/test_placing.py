"""Chunks over devices as a whole: the stored form, fragments made again, and everything together under failures."""

from itertools import combinations
from random import Random

import pytest

from app.adapters.erasure import codec
from app.core.errors import Missing, Unavailable
from app.core.layout.blob_ids import fragment_id
from app.core.layout.profiles import Profile
from app.services.placing.fragments import Source, collect, remade
from tests.placed_fixtures import COPIES, EC, PROFILES, coded, copied, named, room, short_waits, tolerated
from tests.placed_room import PlacedRoom, placed

__all__ = ["coded", "copied", "room", "short_waits"]


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
