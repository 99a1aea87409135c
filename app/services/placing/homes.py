"""Where the fragments of a blob are to be looked for, and in which order. Pure look-ups in a Placement.

Must not know devices as things to talk to.
"""

from collections.abc import Callable, Iterator

from app.core.errors import Unavailable
from app.core.layout.blob_ids import index_of, profile_of
from app.core.layout.placement import DRAINING, IN, OUT, Placement
from app.core.layout.profiles import Profile
from app.core.types import BlobId


def profile_and_homes(placement: Placement, blob_id: BlobId) -> tuple[Profile, tuple[int, ...]]:
    """A blob's profile and the devices of its group. Unavailable when this process knows neither (yet).

    An id made before the cluster had a profile is that of no placed blob; nearly all show it by their index."""
    profile = placement.profile(blob_id) if not index_of(blob_id) else None
    homes = () if profile is None else placement.homes(blob_id)
    if profile is None or not homes:
        raise Unavailable(f"no layout is known here for profile {profile_of(blob_id)}")
    return profile, homes


def home_of(homes: tuple[int, ...], index: int) -> int:
    """The device fragment `index` belongs on; `homes` is not empty."""
    return homes[index % len(homes)]


def answering(placement: Placement, number: int) -> bool:
    """Whether a device is to be asked at all: it is known, and not out."""
    device = placement.devices.get(number)
    return device is not None and device.state != OUT


def members(placement: Placement) -> list[int]:
    """Every device that is part of the cluster: what nobody of them has is missing."""
    return [number for number, device in sorted(placement.devices.items()) if device.state in (IN, DRAINING)]


def copies_near(
    placement: Placement, blob_id: BlobId, near: Callable[[int], bool], up: Callable[[int], bool]
) -> list[tuple[int, int]]:
    """(index, device) of every copy where it belongs: this node's first, those of nodes that are down last; then those
    of the epoch being left."""
    profile, homes = profile_and_homes(placement, blob_id)
    here = [(index, home_of(homes, index)) for index in range(profile.width)]
    here.sort(key=lambda place: (not up(place[1]), not near(place[1])))
    return [
        place for place in here + _former(placement, blob_id, profile.width, here) if answering(placement, place[1])
    ]


def places_of(placement: Placement, blob_id: BlobId, index: int) -> Iterator[int]:
    """The devices on which fragment `index` belongs: now, then in the epoch being left."""
    homes, former = placement.homes(blob_id), placement.former_homes(blob_id)
    numbers = dict.fromkeys(home_of(each, index) for each in (homes, former) if each)
    return (number for number in numbers if answering(placement, number))


def _former(placement: Placement, blob_id: BlobId, width: int, here: list[tuple[int, int]]) -> list[tuple[int, int]]:
    former = placement.former_homes(blob_id)
    if not former:
        return []
    return [place for place in ((index, home_of(former, index)) for index in range(width)) if place not in here]
