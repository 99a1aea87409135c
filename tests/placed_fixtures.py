"""What the tests of placing share: profiles, rooms of devices, short waits. Fixtures are taken by importing them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.core import cluster_limits
from app.core.layout.profiles import ZSTD, Profile, erasure, replication
from tests.placed_room import PlacedRoom, placed

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
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_limits, "PUT_SLOW_S", 0.05)
    monkeypatch.setattr(cluster_limits, "READ_HEDGE_S", 0.05)


def tolerated(profile: Profile) -> int:
    return profile.width - profile.needed


def set_state(room: PlacedRoom, number: int, state: str) -> None:
    device = replace(room.placement.devices[number], state=state)
    room.placement = replace(room.placement, devices={**room.placement.devices, number: device})


def fields(placement: object) -> dict[str, object]:
    return {name: getattr(placement, name) for name in type(placement).__dataclass_fields__}  # type: ignore[attr-defined]
