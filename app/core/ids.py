"""Ids: 16 bytes, time-ordered, unique without coordination. Knows the layout; time and randomness are handed in.

Layout: 48 bits of milliseconds since the epoch, big endian, then 80 random bits.
"""


def make_id(now_ms: int, random10: bytes) -> bytes:
    """16 bytes from a time in ms and exactly 10 random bytes. Raises ValueError on another length."""
    if len(random10) != 10:
        raise ValueError("an id takes exactly 10 random bytes")
    return now_ms.to_bytes(6, "big") + random10


def id_time_ms(value: bytes) -> int:
    """The time in ms since the epoch an id was made at."""
    return int.from_bytes(value[:6], "big")
