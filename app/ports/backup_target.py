"""The promise of a place where backups are kept: whole ones only, under names of their own."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Kept(NamedTuple):
    """One backup at a target."""

    name: str
    bytes: int


class BackupTarget(Protocol):
    """Every method blocks, for a bounded time, and raises Unavailable or Full when the place does not answer."""

    name: str

    def put(self, name: str, document: bytes) -> None:
        """All of it or nothing is there under the name; durable when this returns."""
        ...

    def listed(self) -> Sequence[Kept]:
        """What is there, also things of others."""
        ...

    def remove(self, name: str) -> None:
        """None of that name is no error."""
        ...
