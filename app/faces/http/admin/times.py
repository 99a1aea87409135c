"""Times in answers of the admin face: RFC 3339 in UTC, as every tool reads them."""

from app.core.s3.times import iso_time


def shown_time(at_ms: int) -> str:
    """As in "2026-11-23T04:05:06.000Z"; "" where no time was kept."""
    return iso_time(at_ms) if at_ms else ""
