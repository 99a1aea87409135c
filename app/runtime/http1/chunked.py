"""The framing of chunked bodies: single lines in, sizes and trailer fields out.

Knows RFC 9112 section 7.1, read strictly; must not know where lines come from. A line here is without its CRLF.
"""

import re
from typing import Final

FORBIDDEN_TRAILERS: Final = frozenset(
    {"authorization", "content-encoding", "content-length", "content-range", "content-type", "cookie", "expect", "host"}
    | {"te", "trailer", "transfer-encoding"}
)
"""RFC 9110 section 6.5.1: fields of framing, routing and authentication mean nothing, or harm, after the body."""

# Fifteen hexadecimal digits are more than any object; no sign, no prefix, no blank. Extensions are ignored, as they
# must be, but may hold nothing a sloppier reader takes for the end of the line.
_CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")


class BadFraming(Exception):
    """The bytes are no chunked body. What follows them on the connection cannot be trusted."""


def chunk_size(line: bytes) -> int:
    """Bytes of the chunk this line announces; 0 = the last one. Raises BadFraming."""
    match = _CHUNK_HEAD.fullmatch(line)
    if match is None:
        raise BadFraming("the size of a chunk is malformed")
    return int(match[1], 16)


def trailer_field(line: bytes) -> tuple[str, str]:
    """(lower-case name, latin-1 value) of one trailer line. Raises BadFraming, on forbidden fields too."""
    match = _TRAILER.fullmatch(line)
    if match is None:
        raise BadFraming("a trailer field is malformed")
    name = match[1].decode("ascii").lower()
    if name in FORBIDDEN_TRAILERS:
        raise BadFraming("a field that must not come as a trailer did")
    return name, match[2].decode("latin-1").rstrip(" \t")
