"""What healing is made of: lists merged, blobs judged, bytes paced."""

import pytest

from app.core import cluster_limits
from app.core.layout.blob_ids import blob_id_for, fragment_id
from app.core.layout.profiles import erasure
from app.ports.chunks import BlobName
from app.services.healing.judging import CRITICAL, FULL, LOST, REDUCED, level
from app.services.healing.pace import Pace
from app.services.healing.whereabouts import Sighting, find, walk
from tests.model.healing_device import WorldDevice

CODED = erasure(0, "CODED", 4, 2)


def test_a_walk_brings_every_fragment_of_a_blob_together_whatever_page_it_is_on(monkeypatch):
    monkeypatch.setattr(cluster_limits, "HEAL_PAGE_NAMES", 4)
    devices = {number: WorldDevice(number, lambda *_: None, lambda: 0.0) for number in (1, 2, 3)}
    blobs = [blob_id_for(1, number.to_bytes(16, "big")) for number in range(23)]
    for place, blob_id in enumerate(blobs):
        for index in range(3):
            if (place + index) % 5:
                name = BlobName(fragment_id(blob_id, index), b"c" * 32, b"r" * 16)
                devices[1 + (index + place // 7) % 3].put(name, memoryview(b"x"))
    found = [s for batch in walk(devices.__getitem__, (1, 2, 3), (b"\x00\x00", None)) for s in batch.sightings]
    assert [sighting.blob_id for sighting in found] == sorted(blobs)
    assert all(
        sighting.distinct == 3 - (place % 5 in (0, 3, 4))
        for place, sighting in zip((blobs.index(sighting.blob_id) for sighting in found), found, strict=True)
    )
    assert [s.blob_id for s in find(devices.__getitem__, (1, 2, 3), blobs[5]).sightings] == [blobs[5]]


@pytest.mark.parametrize(
    ("seen", "answered", "expected"),
    [
        (6, False, FULL),
        (5, False, REDUCED),
        (4, False, CRITICAL),
        (3, False, CRITICAL),
        (3, True, LOST),
        (4, True, CRITICAL),
    ],
)
def test_a_blob_is_lost_only_when_nobody_is_left_who_may_have_more_of_it(seen, answered, expected):
    sighting = Sighting(BlobName(bytes(16), bytes(32), bytes(16)))
    for index in range(seen):
        sighting.seen(index, 10 + index)
    assert level(CODED, tuple(range(10, 16)), sighting, everybody_answered=answered) == expected


def test_fragments_away_from_home_make_a_blob_readable_and_not_full():
    sighting = Sighting(BlobName(bytes(16), bytes(32), bytes(16)))
    for index in range(6):
        sighting.seen(index, 20 + index)
    assert level(CODED, tuple(range(10, 16)), sighting, everybody_answered=True) == REDUCED
    assert level(CODED, (), sighting, everybody_answered=True) == REDUCED


def test_where_devices_are_fewer_than_fragments_each_is_home_to_several():
    sighting = Sighting(BlobName(bytes(16), bytes(32), bytes(16)))
    for index in range(6):
        sighting.seen(index, 1 + index % 4)
    assert level(CODED, (1, 2, 3, 4), sighting, everybody_answered=True) == FULL


def test_a_pace_lets_no_more_bytes_a_second_through_than_it_was_told():
    now = [0.0]

    def pause(seconds):
        now[0] += seconds

    pace = Pace(lambda: 1_000, lambda: now[0], pause)
    for _ in range(50):
        pace.spend(500)
    assert 23.5 <= now[0] <= 25.5
    assert pace.spent == 25_000
    assert 900 <= pace.rate <= 1_100


def test_a_pace_without_a_bound_never_waits():
    pace = Pace(lambda: 0, lambda: 0.0, lambda _: pytest.fail("it waited"))
    pace.spend(1 << 40)
