"""The Date header of answers: the one place of this room that reads the wall clock."""

import time
from email.utils import formatdate


class _Rendered:
    """The line of one second; worth keeping, because rendering it costs as much as the rest of a head."""

    __slots__ = ("line", "second")

    def __init__(self) -> None:
        self.second = 0
        self.line = ""


_rendered = _Rendered()


def date_line() -> str:
    """`Date: <IMF-fixdate>` with its CRLF (RFC 9110 section 6.6.1), rendered once a second."""
    second = int(time.time())
    if second != _rendered.second:
        _rendered.second = second
        _rendered.line = f"Date: {formatdate(second, usegmt=True)}\r\n"
    return _rendered.line
