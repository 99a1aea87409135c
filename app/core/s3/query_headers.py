"""Headers that came as query parameters: presigned URLs bear `x-amz-*` headers there, so that nobody need send them.

Knows names and texts. Must not know signatures: whoever asks has the request's own headers and query verified. A
parameter that was ignored instead would drop what its signer asked for: an ACL, an expected owner, a checksum.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from app.core.errors import S3Error

_NAME: Final = re.compile(r"x-amz-[!#$%&'*+.^_`|~0-9a-z-]*")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OF_SIGNATURES: Final = frozenset(
    f"x-amz-{name}"
    for name in ("algorithm", "credential", "date", "expires", "security-token", "signature", "signedheaders")
)


def effective(headers: Mapping[str, str], query: str) -> Mapping[str, str]:
    """The headers a request means: its own (lower-case names), and those its raw query bears in their stead.

    Raises InvalidArgument for one that is given twice with different values, or that no header could be.
    """
    found: dict[str, str] = {}
    for piece in query.split("&"):
        raw_name, _, raw_value = piece.partition("=")
        name = (_decoded(raw_name) if "%" in raw_name else raw_name).lower()
        if not name.startswith("x-amz-") or name in _OF_SIGNATURES:
            continue
        value = _decoded(raw_value).strip(" \t")
        known = found.get(name, headers.get(name, value))
        if known != value or not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise S3Error("InvalidArgument", fields={"ArgumentName": name})
        found[name] = value
    return {**headers, **found} if found else headers


def _decoded(raw: str) -> str:
    """Latin-1 text, as headers have it; "+" is a space, as everywhere in a query."""
    return unquote_to_bytes(raw.replace("+", " ").encode("latin-1")).decode("latin-1")
