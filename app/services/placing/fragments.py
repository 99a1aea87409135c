"""Whole fragments: fetched, and made again from others. For healing, and for reads of what is compressed.

Knows fragments and how many of them suffice. Must not know layouts: whoever asks says on which devices to look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gevent

from app.core.errors import Conflict, Corrupt, Full, Missing, StoreError, Unavailable
from app.core.layout.blob_ids import fragment_id
from app.core.layout.profiles import Profile
from app.core.types import BlobId
from app.ports.devices import DeviceStore
from app.ports.erasure import ErasureCodec


@dataclass(frozen=True, slots=True)
class Source:
    """A device that is believed to hold fragment (or copy) `index` of the blob in question."""

    index: int
    device: DeviceStore


def collect(profile: Profile, blob_id: BlobId, sources: Sequence[Source]) -> dict[int, memoryview]:
    """`profile.needed` whole fragments (or one copy) by index, every byte verified by its device.

    Sources are asked in their order, as many at a time as are still needed: the next where one fails. Each fetch holds
    a fragment in memory. Raises Missing when every source answered that it has none, Corrupt when what was found does
    not suffice and some of it is damaged, else Unavailable.
    """
    found: dict[int, memoryview] = {}
    failures: list[StoreError] = []
    left = list(sources)
    while len(found) < profile.needed:
        batch = _next_batch(left, found, profile.needed)
        if not batch:
            raise short(failures, f"{len(found)} of {profile.needed} fragments needed of blob {blob_id.hex()}")
        asked = [gevent.spawn(_whole, blob_id, source) for source in batch]
        gevent.joinall(asked)
        for source, each in zip(batch, asked, strict=True):
            answer = each.get()
            if isinstance(answer, StoreError):
                failures.append(answer)
            else:
                found[source.index] = answer
    return found


def remade(
    profile: Profile, codec: ErasureCodec | None, have: Mapping[int, memoryview], missing: Sequence[int]
) -> dict[int, memoryview]:
    """The fragments `missing`, exactly as they were first made, from what `collect` gave.

    `codec` is None for copies. It computes for milliseconds: offload it. Raises Corrupt when `have` does not fit
    together.
    """
    if not profile.erasure or codec is None:
        copy = next(iter(have.values()))
        return dict.fromkeys(missing, copy)
    return {index: codec.rebuild(have, index) for index in missing}


def short(failures: Sequence[StoreError], what: str) -> StoreError:
    """What to raise when there is too little: Missing only where everybody said so."""
    if all(isinstance(failure, Missing) for failure in failures):
        return Missing(f"too little is there: {what}")
    if not any(isinstance(failure, Unavailable | Full | Conflict) for failure in failures):
        return Corrupt(f"too much is damaged: {what}")
    return Unavailable(f"too little answers: {what}")


def _next_batch(left: list[Source], found: Mapping[int, memoryview], needed: int) -> list[Source]:
    """Take the next sources out of `left`: one for each index not found, as many as are needed."""
    batch: dict[int, Source] = {}
    for source in list(left):
        if len(found) + len(batch) == needed:
            break
        if source.index not in found and source.index not in batch:
            batch[source.index] = source
            left.remove(source)
    return list(batch.values())


def _whole(blob_id: BlobId, source: Source) -> memoryview | StoreError:
    """The fragment, or why not: a failure is an answer like another here."""
    try:
        return source.device.whole(fragment_id(blob_id, source.index))
    except StoreError as error:
        return error
