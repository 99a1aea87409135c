"""Which profile a new content is kept under: by its storage class, or by what its bucket says of STANDARD.

Knows placements and buckets. Must not know blobs or devices. On a single machine there are no profiles, and everything
is kept under number 0.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from app.core.errors import Unavailable
from app.core.layout.blob_ids import profile_of
from app.core.layout.placement import EMPTY, Placement
from app.core.limits import INLINE_BYTES_MAX
from app.core.s3.headers import STANDARD
from app.core.types import Bucket, ChunkEntry

CONFIGURATION: Final = "profile"  # kind of the bucket's configuration; its document names a storage class


class Keeping(NamedTuple):
    """How contents are kept. `profile`: number of a profile, 0 on a single machine. `inline_bytes`: contents up to it
    live with their row."""

    profile: int = 0
    inline_bytes: int = INLINE_BYTES_MAX

    def fits(self, contents: Iterable[ChunkEntry | bytes]) -> bool:
        """Whether these chunks are kept so already. Ids of a single machine bear no profile: there all are alike."""
        if not self.profile:
            return True
        return all(profile_of(each.blob_id) == self.profile for each in contents if isinstance(each, ChunkEntry))


HERE: Final = Keeping()
"""On a single machine."""


class Profiles:
    """One per worker process. `placement`: the newest known, cheap; it decides anew with every call."""

    def __init__(self, placement: Callable[[], Placement]) -> None:
        self._placement = placement

    def of(self, bucket: Bucket, storage_class: str) -> Keeping:
        """How a new object of this class is kept. A class without a profile of its own is kept as STANDARD is, and that
        as the bucket says (`CONFIGURATION`). Unavailable while a cluster has no profile for it."""
        placement = self._placement()
        if not placement.profiles:
            return HERE
        number = placement.classes.get(storage_class) if storage_class != STANDARD else None
        if number is None:
            number = self._default(placement, bucket)
        profile = None if number is None else placement.profiles.get(number)
        if profile is None:
            raise Unavailable(f"no profile is known here for storage class {storage_class}")
        return Keeping(profile.number, min(profile.inline_bytes, INLINE_BYTES_MAX))

    def knows(self, storage_class: str) -> bool:
        """Whether the cluster defines this class."""
        return storage_class in self._placement().classes

    @staticmethod
    def _default(placement: Placement, bucket: Bucket) -> int | None:
        named = bucket.configs.get(CONFIGURATION)
        number = None if named is None else placement.classes.get(named.decode("ascii", "replace"))
        return placement.classes.get(STANDARD) if number is None else number


NO_PROFILES: Final = Profiles(lambda: EMPTY)
"""Those of a single machine."""
