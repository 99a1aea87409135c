"""How a signed request speaks of its body: the values of x-amz-content-sha256, and the announced trailers.

Knows the header's vocabulary. Must not know signatures (sigv4) or how frames are decoded (stream).

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from app.core.errors import S3Error

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")


class Framing(Enum):
    """The aws-chunked framings; a plain body has none."""

    SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    @property
    def signed(self) -> bool:
        """Every frame bears a signature."""
        return self is not Framing.UNSIGNED_TRAILER

    @property
    def trailing(self) -> bool:
        """Trailers may follow the last frame."""
        return self is not Framing.SIGNED


_FRAMINGS: Final[Mapping[str, Framing]] = {framing.value: framing for framing in Framing}


def check(value: str) -> str:
    """The value of x-amz-content-sha256 if it is one S3 knows. Raises S3Error InvalidArgument."""
    if value == UNSIGNED or value in _FRAMINGS or _HEX.fullmatch(value):
        return value
    text = f"x-amz-content-sha256 must be {UNSIGNED}, {', '.join(_FRAMINGS)}, or a valid sha256 value."
    fields = {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value}
    raise S3Error("InvalidArgument", text, fields=fields)


def framing_of(headers: Mapping[str, str]) -> Framing | None:
    """The framing of a request's body, None for a plain one (headers by lower-case name)."""
    return _FRAMINGS.get(headers.get("x-amz-content-sha256", ""))


def decoded_length(headers: Mapping[str, str]) -> int:
    """Bytes of content inside an aws-chunked body. Raises S3Error MissingContentLength or InvalidArgument."""
    text = headers.get("x-amz-decoded-content-length")
    if text is None:
        raise S3Error("MissingContentLength", reason="x-amz-decoded-content-length is missing")
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        fields = {"ArgumentName": "x-amz-decoded-content-length", "ArgumentValue": text}
        raise S3Error("InvalidArgument", "Invalid value for x-amz-decoded-content-length", fields=fields)
    return int(text)


def announced_trailers(headers: Mapping[str, str]) -> frozenset[str]:
    """The trailers x-amz-trailer announces, in lower case."""
    names = (name.strip().lower() for name in headers.get("x-amz-trailer", "").split(","))
    return frozenset(name for name in names if name)
