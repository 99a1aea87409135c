"""The three spellings of time on S3's wire, from and to milliseconds since the epoch, UTC.

Knows texts only; reads no clock. S3 shows whole seconds everywhere, so a version's time reads the same in a listing
and in a header. Source: RFC 9110 section 5.6.7; https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(time_ms: int) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT`, as in Last-Modified."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    day = f"{_DAYS[moment.weekday()]}, {moment.day:02d} {_MONTHS[moment.month]} {moment.year:04d}"
    return f"{day} {moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} GMT"


def iso_time(time_ms: int) -> str:
    """`2009-10-12T17:50:30.000Z`, as in documents; the milliseconds are always zero, as AWS writes them."""
    # Listings write a thousand of these: isoformat takes a third of strftime's time.
    return datetime.fromtimestamp(time_ms // 1000, UTC).isoformat()[:19] + ".000Z"


def parse_http_date(text: str) -> int | None:
    """Seconds since the epoch of any of HTTP's three date forms; None when it is none of them (RFC: ignore it)."""
    try:
        moment = parsedate_to_datetime(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def parse_iso_time(text: str) -> int | None:
    """Seconds since the epoch of an ISO 8601 time (no offset means UTC), or None."""
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def precise_time(time_ms: int) -> str:
    """`2009-10-12T17:50:30.123Z`, as in event records."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
