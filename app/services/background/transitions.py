"""Moving a version from one storage class to another.

Knows which classes there are. On one machine all of them are kept alike, so that a move changes what the version says
and not one chunk. A class with another profile needs its chunks written again first: `rewrite` (rewriting.py) is where
that is done, before the version says so.
"""

from collections.abc import Callable, Container
from dataclasses import replace

from app.core.errors import Conflict, Missing
from app.core.types import NULL_PLACE, NULL_VERSION, Attributes, Bucket, Version, VersionPlace
from app.ports.metadata import Announce, MetadataStore

Rewrite = Callable[[Bucket, Version, str], None]
"""(bucket, version, storage class): make the bytes lie as the class says there, durable on return."""


def place_of(version: Version) -> VersionPlace:
    """How the store finds this version again."""
    return NULL_PLACE if version.version_id == NULL_VERSION else VersionPlace(version.seq, version.version_id)


def same(judged: Version, found: Version) -> bool:
    """Whether what the store has now is what was judged: the same commit, nothing appended since, the same tags."""
    return _judged_by(found) == _judged_by(judged)


def _judged_by(version: Version) -> tuple[object, ...]:
    """All that rules look at but the storage class, which a move changes just before an expiration."""
    commit = version.seq, version.version_id, version.ref_id
    return *commit, version.part_count, version.size, version.modified_ms, dict(version.attributes.tags)


class Transitions:
    """`classes`: those objects can be moved to. `rewrite`: None where all classes are kept alike."""

    def __init__(self, store: MetadataStore, classes: Container[str], rewrite: Rewrite | None = None) -> None:
        self._store = store
        self._classes = classes
        self._rewrite = rewrite

    def knows(self, storage_class: str) -> bool:
        """Whether objects can be moved there."""
        return storage_class in self._classes

    def move(self, bucket: Bucket, version: Version, storage_class: str, announce: Announce | None = None) -> Version:
        """The version in its new class, durable, and announced with that. Raises Conflict when it changed, Missing when
        it is gone."""
        if not self.knows(storage_class):
            raise Missing(f"no storage class {storage_class}")
        if self._rewrite is not None:
            self._rewrite(bucket, version, storage_class)

        def amend(found: Version) -> Attributes:
            if not same(version, found):
                raise Conflict("the version changed since it was judged")
            return replace(found.attributes, storage_class=storage_class)

        return self._store.version_amend(bucket.bucket_id, version.key, place_of(version), amend, announce)
