"""Pages of IAM's lists. Knows Marker, MaxItems and IsTruncated. Must not know what is listed.

A marker is the place of the last entry of the page before it: entries that come or go meanwhile move no other.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import TypeVar

from app.core.limits import QUERY_MARKER_CHARS_MAX
from app.faces.http.query.answers import Values
from app.faces.http.query.iam.ask import Ask, limit_of
from app.services.identity.commanding import CommandRefused

T = TypeVar("T")


def paged(ask: Ask, entries: Iterable[tuple[str, T]]) -> tuple[list[T], Values]:
    """The entries of this page, by their places, and what tells of the next. Places are unique; they are compared
    without case first, as IAM orders names."""
    most, after = limit_of(ask), _place(ask.text("Marker"))
    ordered = sorted((((place.lower(), place), entry) for place, entry in entries), key=lambda one: one[0])
    if after:
        ordered = [one for one in ordered if one[0] > (after.lower(), after)]
    shown = ordered[:most]
    if len(ordered) <= most:
        return [entry for _, entry in shown], {"IsTruncated": False}
    marker = base64.urlsafe_b64encode(shown[-1][0][1].encode()).decode()
    return [entry for _, entry in shown], {"IsTruncated": True, "Marker": marker}


def _place(marker: str) -> str:
    if len(marker) > QUERY_MARKER_CHARS_MAX:
        raise CommandRefused("ValidationError", "Invalid Marker.")
    try:
        return base64.b64decode(marker.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise CommandRefused("ValidationError", "Invalid Marker.") from None
