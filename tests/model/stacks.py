"""Stacks of versions as a dictionary: what a bucket holds after each change, with nothing but lists.

It says what a store must answer and what it must refuse; it knows no rows, pointers or heads.
"""

from dataclasses import dataclass, field

from app.core.types import NULL_VERSION, Version, Versioning


@dataclass
class Entry:
    """One version or marker. `content`: inline bytes and chunk ids in order."""

    version: Version
    content: list[bytes]

    @property
    def is_null(self) -> bool:
        return self.version.version_id == NULL_VERSION

    @property
    def marker(self) -> bool:
        return self.version.delete_marker


def held(version: Version | None) -> bool:
    """Whether the lock of these tests keeps it: a legal hold."""
    return version is not None and version.attributes.lock.legal_hold


@dataclass
class Stacks:
    """`keys`: newest first; a key without version is not in it. `given`: the greatest seq while the key was there."""

    versioning: Versioning = Versioning.OFF
    keys: dict[bytes, list[Entry]] = field(default_factory=dict)
    given: dict[bytes, int] = field(default_factory=dict)

    def stack(self, key: bytes) -> list[Entry]:
        return self.keys.get(key, [])

    def current(self, key: bytes) -> Entry | None:
        return next((one for one in self.stack(key)[:1] if not one.marker), None)

    def null(self, key: bytes) -> Entry | None:
        return next((one for one in self.stack(key) if one.is_null), None)

    def goes(self, key: bytes) -> Version | None:
        """What a put or a delete would end for good."""
        replaced = None if self.versioning is Versioning.ENABLED else self.null(key)
        return None if replaced is None else replaced.version

    def put(self, version: Version, content: list[bytes], asked: bytes) -> None:
        """A version or marker on top, as the store says it made it; `asked`: the id it was handed."""
        key = version.key
        kept = [one for one in self.stack(key) if one.version is not self.goes(key)]
        assert version.version_id == (asked if self.versioning is Versioning.ENABLED else NULL_VERSION)
        assert version.seq > self.given.get(key, 0)
        self.keys[key] = [Entry(version, content), *kept]
        self.given[key] = version.seq

    def remove(self, entry: Entry) -> None:
        """For good."""
        key = entry.version.key
        left = [one for one in self.stack(key) if one is not entry]
        if left:
            self.keys[key] = left
        else:
            del self.keys[key], self.given[key]

    def delete(self, key: bytes, marker: Version | None, asked: bytes) -> None:
        """Without a version; `marker` as the store made it."""
        if self.versioning is not Versioning.OFF:
            assert marker is not None
            self.put(marker, [], asked)
        elif (entry := self.current(key)) is not None:
            assert marker is None
            self.remove(entry)

    def everything(self) -> list[Entry]:
        """By key, newest first."""
        return [one for _, stack in sorted(self.keys.items()) for one in stack]
