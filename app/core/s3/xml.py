"""Documents written: a small fast XML writer, key encodings, and the error document.

Knows S3's escaping. Must not know what any document means.

Characters XML 1.0 cannot hold are written as character references, as AWS writes them; a client that lists such keys
asks for `encoding-type=url`, which is always safe.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html (EncodingType)
"""

import re
from typing import Final
from urllib.parse import quote_from_bytes

from app.core.errors import S3Error

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL: Final = re.compile('[&<>"\x00-\x08\x0b-\x1f\ufffe\uffff]')
_PLAIN: Final = re.compile(rb"[A-Za-z0-9._~/-]*")  # the same in every encoding
_UNREADABLE: Final = re.compile(b"[\x00-\x08\x0b-\x1f]|\xef\xbf[\xbe\xbf]")
_NO_CHARACTERS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text: str) -> str:
    """Text as element content."""
    return _SPECIAL.sub(_reference, text) if _SPECIAL.search(text) else text


def _reference(match: re.Match[str]) -> str:
    character = match[0]
    return _NAMED.get(character) or f"&#x{ord(character):X};"


def readable(text: str) -> str:
    """Text with U+FFFD for what XML 1.0 (2.2) has no character for: even a reference to one breaks the document for
    every parser. Not for what clients must get back as it is."""
    return _NO_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text)


def key_text(key: bytes, url: bool) -> str:
    """A key as element content: escaped, or percent-encoded when the client asked for `encoding-type=url`."""
    if _PLAIN.fullmatch(key):
        return key.decode("ascii")
    return quote_from_bytes(key, "/") if url else escape(key.decode("utf-8", "replace"))


def is_readable(key: bytes) -> bool:
    """Whether XML 1.0 can hold the key, escaped."""
    return not _UNREADABLE.search(key)


class Writer:
    """Builds one document. Tags are ours and trusted; texts are escaped."""

    __slots__ = ("_parts", "_root")

    def __init__(self, root: str, namespace: str = NAMESPACE) -> None:
        self._root = root
        self._parts = [DECLARATION, f'<{root} xmlns="{namespace}">' if namespace else f"<{root}>"]

    def text(self, tag: str, value: str | int) -> None:
        """One element with text."""
        self._parts.append(f"<{tag}>{escape(str(value))}</{tag}>")

    def flag(self, tag: str, value: bool) -> None:
        """One element holding true or false."""
        self._parts.append(f"<{tag}>{'true' if value else 'false'}</{tag}>")

    def key(self, tag: str, value: bytes, url: bool) -> None:
        """One element holding a key, see `key_text`."""
        self._parts.append(f"<{tag}>{key_text(value, url)}</{tag}>")

    def open(self, tag: str) -> None:
        """Begin an element."""
        self._parts.append(f"<{tag}>")

    def open_typed(self, tag: str, kind: str) -> None:
        """Begin an element that says by `xsi:type` what it holds."""
        self._parts.append(f'<{tag} xmlns:xsi="{_XSI}" xsi:type="{escape(kind)}">')

    def close(self, tag: str) -> None:
        """End the element begun last."""
        self._parts.append(f"</{tag}>")

    def raw(self, markup: str) -> None:
        """Markup made by `escape` and constant tags, for the rows of long pages."""
        self._parts.append(markup)

    def document(self) -> bytes:
        """The whole document, UTF-8. Ask once, last."""
        self._parts.append(f"</{self._root}>")
        return "".join(self._parts).encode("utf-8", "replace")


def error_document(error: S3Error, resource: str, request_id: str, host_id: str) -> bytes:
    """`<Error>` as S3 writes it: Code, Message, the error's own fields, Resource, RequestId, HostId."""
    writer = Writer("Error", namespace="")
    writer.text("Code", error.code)
    writer.text("Message", error.message)
    for tag, value in error.fields.items():
        writer.text(tag, value)
    writer.text("Resource", resource)
    writer.text("RequestId", request_id)
    writer.text("HostId", host_id)
    return writer.document()
