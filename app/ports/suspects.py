"""The promise of a suspects' desk: who finds a blob short of fragments says so, and it is looked at soon.

Knows blob ids only. Telling is best effort and never blocks or raises: each group's sweep finds what was not told.
"""

from collections.abc import Sequence
from typing import Protocol

from app.core.types import BlobId


class Suspects(Protocol):
    """A bounded memory: when it is full the oldest is forgotten."""

    def report(self, blob_ids: Sequence[BlobId], why: str) -> None:
        """`why`: one word for the log: missing, corrupt, unreachable, partial."""
