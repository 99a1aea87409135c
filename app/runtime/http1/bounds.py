"""The bounds of one worker's wire, as one value that tests make small.

Knows the names; the numbers and their sources stand in app/core/limits.py.
"""

from dataclasses import dataclass

from app.core import limits


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bytes, counts and seconds of the wire. A request beyond one is refused, a client slower than one is dropped."""

    head_bytes_max: int = limits.HEAD_BYTES_MAX
    head_fields_max: int = limits.HEAD_FIELDS_MAX
    target_bytes_max: int = limits.TARGET_BYTES_MAX
    head_seconds_max: float = limits.HEAD_SECONDS_MAX
    idle_seconds_max: float = limits.IDLE_SECONDS_MAX
    stall_seconds_max: float = limits.BODY_STALL_SECONDS_MAX
    stall_bytes_min: int = limits.STALL_BYTES_MIN
    drain_bytes_max: int = limits.DRAIN_BYTES_MAX
    drain_seconds_max: float = limits.DRAIN_SECONDS_MAX
    chunk_head_bytes_max: int = limits.CHUNK_HEAD_BYTES_MAX
    trailer_bytes_max: int = limits.TRAILER_BYTES_MAX
