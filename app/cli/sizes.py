"""Amounts of bytes and moments, as people read and write them. Knows texts only."""

from datetime import UTC, datetime

from app.config_values import whole
from app.core.limits import TIB

BYTES_MAX = 1 << 20  # tebibytes: an exbibyte, beyond what any cluster holds


def size(text: str) -> int:
    """Bytes of "64MiB". Raises ValueError."""
    return whole(0, BYTES_MAX * TIB)(text)


def amount(count: int | None) -> str:
    """Bytes for people: 12.5 GiB."""
    if count is None:
        return "-"
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1_024:
            break
        value, unit = value / 1_024, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def moment(at_ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601, "-" for never."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at_ms else "-"
