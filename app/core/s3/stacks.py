"""What a sweep must know of a version beside its row: its place among the others of its key. Pure.

Knows that a scan gives a key's versions newest first, page by page. Must not know rules or stores.
"""

from collections.abc import Sequence
from typing import NamedTuple

from app.core.s3.lifecycle import Facts
from app.core.types import Version


class Place(NamedTuple):
    """Where a scan stands: behind the version `seq` of `key`, which was made at `made_ms` and above which lay `newer`
    noncurrent versions, itself counted when it is one. The start: an empty key."""

    key: bytes = b""
    seq: int | None = None
    made_ms: int = 0
    newer: int = 0


class Found(NamedTuple):
    """A version with its facts, and the place behind it."""

    version: Version
    facts: Facts
    place: Place


def judged(rows: Sequence[Version], place: Place, last: bool, keeps_versions: bool) -> list[Found]:
    """The versions of one page of a scan that began at `place`, in order.

    `last`: no page follows. Otherwise the page's last row only tells that the one before it is not alone or is, and is
    left for the next page: so a page must have two rows or more.
    """
    found: list[Found] = []
    for index, version in enumerate(rows if last else rows[:-1]):
        same = place.seq is not None and place.key == version.key
        follower = rows[index + 1] if index + 1 < len(rows) else None
        newer = place.newer if same else 0
        facts = Facts(
            version.key,
            version.size,
            version.attributes.tags,
            version.attributes.storage_class,
            version.modified_ms,
            version.delete_marker,
            place.made_ms if same else None,
            newer,
            alone=not same and (follower is None or follower.key != version.key),
            keeps_versions=keeps_versions,
        )
        # Markers are not counted as newer versions: the rule keeps rather a version more than one less.
        counts = same and not version.delete_marker
        place = Place(version.key, version.seq, version.modified_ms, newer + counts)
        found.append(Found(version, facts, place))
    return found
