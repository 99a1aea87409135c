"""The spellings of time a signature uses. Knows formats only; the present is always handed in."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

from app.core.limits import TIMESTAMPS_KEPT_MAX

_ISO: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def basic(now_s: float) -> str:
    """Seconds since the epoch as yyyymmddThhmmssZ."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")


def iso_extended(now_s: float) -> str:
    """Seconds since the epoch as yyyy-mm-ddThh:mm:ssZ."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> tuple[str, int] | None:
    """The timestamp and its seconds since the epoch, None unless `text` is yyyymmddThhmmssZ and a real moment."""
    # Only the 16 characters of a well-formed time reach the cache: its memory is not for clients to fill.
    return _moment(text) if _ISO.fullmatch(text) else None


@lru_cache(maxsize=TIMESTAMPS_KEPT_MAX)
def _moment(text: str) -> tuple[str, int] | None:
    try:
        return text, int(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def parse(text: str) -> tuple[str, int] | None:
    """As `parse_iso`, from that form or an HTTP date (RFC 9110 section 5.6.7)."""
    moment = parse_iso(text)
    if moment is not None:
        return moment
    try:
        moment_gmt = parsedate_to_datetime(text)
        # A date with the zone "-0000" comes back without one; an HTTP date is always GMT.
        seconds = int((moment_gmt if moment_gmt.tzinfo else moment_gmt.replace(tzinfo=UTC)).timestamp())
        return basic(seconds), seconds
    except (ValueError, OverflowError):
        return None
