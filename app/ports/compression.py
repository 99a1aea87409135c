"""The promise of a compressor: bytes to fewer bytes and back, the frame telling where it ends.

Knows bytes. Must not know chunks or profiles.
"""

from typing import Protocol


class Compressor(Protocol):
    """Calls may take tens of milliseconds: callers offload them. For any thread."""

    def compress(self, data: bytes | memoryview) -> bytes:
        """One frame that gives `data` back. It bears a checksum of what it holds."""

    def decompress(self, frame: bytes | memoryview, length: int) -> bytes:
        """The `length` bytes of a frame; zeros after its end are not looked at. Corrupt when it holds others."""
