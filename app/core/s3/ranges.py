"""Byte ranges: `Range` of a read and `x-amz-copy-source-range` of a part copy, to half-open spans.

Knows the header texts and the object's size. Must not know where bytes come from.
Source: RFC 9110 section 14; https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

import re
from typing import Final, NamedTuple

from app.core.errors import S3Error

_RANGE: Final = re.compile(r"bytes=\s*([0-9]{0,19})-([0-9]{0,19})\s*", re.ASCII)
_COPY_RANGE: Final = re.compile(r"bytes=([0-9]{1,19})-([0-9]{1,19})", re.ASCII)


class Span(NamedTuple):
    """Bytes [start, stop) of an object."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Bytes in the span."""
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """The Content-Range value of a 206 for an object of `size` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def requested_span(header: str | None, size: int) -> Span | None:
    """The span a `Range` header asks of `size` bytes; None = the whole object.

    Several ranges, another unit and every malformed value are ignored, as AWS does. Raises InvalidRange when no byte of
    the object is in the range.
    """
    if header is None:
        return None
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = match.groups()
    if first:
        return _from_first(header, int(first), int(last) if last else None, size)
    if not last:
        return None
    tail = int(last)
    if tail == 0 or size == 0:
        raise _unsatisfiable(header, size)
    return Span(max(size - tail, 0), size)


def _from_first(header: str, first: int, last: int | None, size: int) -> Span | None:
    if last is not None and last < first:
        return None
    if first >= size:
        raise _unsatisfiable(header, size)
    return Span(first, size if last is None else min(last + 1, size))


def _unsatisfiable(header: str, size: int) -> S3Error:
    return S3Error(
        "InvalidRange",
        fields={"RangeRequested": header, "ActualObjectSize": str(size)},
        headers={"Content-Range": f"bytes */{size}"},
    )


def copy_span(header: str, size: int) -> Span:
    """The span of a copy source of `size` bytes; both ends must be given and inside it.

    Raises InvalidArgument for another form, InvalidRange for an end beyond the source.
    """
    match = _COPY_RANGE.fullmatch(header)
    first, last = (int(match[1]), int(match[2])) if match else (1, 0)
    if first > last:
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            fields={"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": header},
        )
    if last >= size:
        raise S3Error("InvalidRange", f"Range specified is not valid for source object of size: {size}")
    return Span(first, last + 1)
