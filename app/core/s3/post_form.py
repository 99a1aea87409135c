"""An HTML form on its way: multipart/form-data cut into fields, and the file as a body of its own.

Knows the framing and its bounds. Must not know policies or what a field means. Fields before the file are held, at most
POST_FIELDS_BYTES_MAX of them; what follows the file is no part of the request, as on S3.

The file is never held whole, unless the form ends within POST_HELD_BYTES_MAX of its start. A store must know how long
a body is before it begins; a longer file's length is the request's, less the form's closing line, so a longer file must
be the form's last field.
Source: RFC 7578, RFC 2046 section 5.1; https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from app.core import limits
from app.core.body import Body
from app.core.errors import S3Error

FILE: Final = "file"
_STEP_BYTES: Final = 8 * limits.KIB
_SCAN_BYTES: Final = 64 * limits.KIB
_BOUNDARY: Final = re.compile(
    r"multipart/form-data\s*;(?:.*;)?\s*boundary=(?:\"([^\"]{1,70})\"|([^\s;\",]{1,70}))\s*(?:;|$)", re.IGNORECASE
)
_PARAMETER: Final = re.compile(rb';\s*([a-zA-Z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_QUOTED: Final = re.compile(rb'\\(["\\])')


class Form(NamedTuple):
    """`fields` by lower-case name, in the order sent, without the file. `file`: its bytes, to be pulled once."""

    fields: Mapping[str, str]
    filename: str
    file: Body


def boundary_of(content_type: str) -> bytes:
    """The boundary a Content-Type names. Raises RequestIsNotMultiPartContent, MalformedPOSTRequest."""
    if not content_type.lower().startswith("multipart/form-data"):
        raise S3Error("RequestIsNotMultiPartContent")
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise _malformed("no boundary")
    return (found[1] or found[2]).encode("latin-1")


def read(body: Body, boundary: bytes) -> Form:
    """The form up to its file, whose first bytes may have been read already.

    Raises MalformedPOSTRequest, MaxPostPreDataLengthExceededError, InvalidArgument (no file, a field given twice),
    MissingContentLength (a file of a length nobody told), and what the body raises.
    """
    reader = _Reader(body, b"\r\n--" + boundary)
    fields: dict[str, str] = {}
    for _ in range(limits.POST_FIELDS_MAX + 1):
        name, filename = reader.part_head()
        if name == FILE:
            return Form(fields, filename, reader.file())
        if name in fields:
            raise S3Error("InvalidArgument", "POST fields must be given once.", fields={"ArgumentName": name})
        fields[name] = reader.value()
    raise S3Error("MaxPostPreDataLengthExceededError")


class _Reader:
    """A window on the body: `_held[_at:]` is what was received and not consumed yet."""

    def __init__(self, body: Body, delimiter: bytes) -> None:
        self._body = body
        self._delimiter = delimiter
        # The first boundary stands at the body's start; with the line end before it, it looks like all others.
        self._held = bytearray(b"\r\n")
        self._at = 0
        self._ended = False
        self._skip_delimiter()

    def part_head(self) -> tuple[str, str]:
        """(lower-case name, filename) of the part that begins here."""
        self._until(2, limits.POST_FIELDS_BYTES_MAX)
        mark = bytes(self._held[self._at : self._at + 2])
        if mark == b"--":
            fields = {"ArgumentName": FILE, "ArgumentValue": "0"}
            raise S3Error("InvalidArgument", "POST requires exactly one file upload per request.", fields=fields)
        if mark != b"\r\n":
            raise _malformed("no line end after a boundary")
        # From the line end on, so that a part without any header is seen as such.
        end = self._find(b"\r\n\r\n")
        head = bytes(self._held[self._at + 2 : end])
        self._at = end + 4
        return _disposition(head)

    def value(self) -> str:
        """A field's text; moves behind the boundary that ends it."""
        end = self._find(self._delimiter)
        found = bytes(self._held[self._at : end])
        self._at = end + len(self._delimiter)
        try:
            return found.decode()
        except UnicodeDecodeError:
            raise _malformed("a field is not UTF-8") from None

    def file(self) -> Body:
        """The file that begins here."""
        del self._held[: self._at]
        self._at = 0
        while True:
            end = self._held.find(self._delimiter)
            if end >= 0:
                return _HeldFile(bytes(self._held[:end]))
            if self._ended:
                raise S3Error("IncompleteBody", reason="the form ends within its file")
            if len(self._held) >= limits.POST_HELD_BYTES_MAX:
                return self._streamed()
            self._more()

    def _streamed(self) -> Body:
        left = self._body.length
        if left is None:
            raise S3Error("MissingContentLength")
        tail = self._delimiter + b"--\r\n"
        return _StreamedFile(self._body, bytes(self._held), len(self._held) + left - len(tail), tail)

    def _skip_delimiter(self) -> None:
        self._until(len(self._delimiter), limits.POST_FIELDS_BYTES_MAX)
        if not self._held.startswith(self._delimiter):
            raise _malformed("the form does not begin with its boundary")
        self._at = len(self._delimiter)

    def _find(self, what: bytes) -> int:
        start = self._at
        while (found := self._held.find(what, start)) < 0:
            start = max(self._at, len(self._held) - len(what) + 1)
            if len(self._held) > limits.POST_FIELDS_BYTES_MAX:
                raise S3Error("MaxPostPreDataLengthExceededError")
            if self._ended:
                raise _malformed("the form ends early")
            self._more()
        if found > limits.POST_FIELDS_BYTES_MAX:
            raise S3Error("MaxPostPreDataLengthExceededError")
        return found

    def _until(self, count: int, most: int) -> None:
        while len(self._held) - self._at < count:
            if self._ended or len(self._held) > most:
                raise _malformed("the form ends early")
            self._more()

    def _more(self) -> None:
        piece = bytearray(_STEP_BYTES)
        count = self._body.receive(memoryview(piece))
        self._held += piece[:count]
        self._ended = count < _STEP_BYTES


class _HeldFile:
    """A file received whole."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    @property
    def length(self) -> int:
        return len(self._left)

    def receive(self, view: memoryview) -> int:
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class _StreamedFile:
    """A file of known length, the last field of its form: `tail` must follow it, and nothing of the boundary may be in
    it. Both are seen before the last byte is handed out, so that no other bytes are ever taken for the file's."""

    def __init__(self, body: Body, begun: bytes, length: int, tail: bytes) -> None:
        if length < len(begun):
            raise _malformed("a file of this size must be the form's last field")
        self._body = body
        self._begun = memoryview(begun)
        self._left = length
        self._tail = tail
        self._seen = b""  # the end of what was handed out: a boundary may lie across two pieces

    @property
    def length(self) -> int:
        return self._left

    def receive(self, view: memoryview) -> int:
        view = view[: self._left]
        count = min(len(view), len(self._begun))
        view[:count] = self._begun[:count]
        self._begun = self._begun[count:]
        if count < len(view):
            count += self._body.receive(view[count:])
            if count < len(view):
                raise S3Error("IncompleteBody", reason="the form ends within its file")
        if count:
            self._scan(view)
            self._left -= count
            if not self._left:
                self._finish()
        return count

    def _scan(self, view: memoryview) -> None:
        delimiter = self._tail[:-4]
        for start in range(0, len(view), _SCAN_BYTES):
            seen = self._seen + bytes(view[start : start + _SCAN_BYTES])
            if delimiter in seen:
                raise _malformed("a file of this size must be the form's last field")
            self._seen = seen[1 - len(delimiter) :]

    def _finish(self) -> None:
        end = bytearray(len(self._tail) + 1)
        count = self._body.receive(memoryview(end))
        if end[:count] != self._tail:
            raise _malformed("a file of this size must be the form's last field")


def _disposition(head: bytes) -> tuple[str, str]:
    """Name and filename of a part. Its other headers say nothing S3 reads."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() != b"content-disposition":
            continue
        if not value.strip().lower().startswith(b"form-data"):
            break
        found = {key.lower(): _QUOTED.sub(rb"\1", quoted) or plain for key, quoted, plain in _PARAMETER.findall(value)}
        try:
            filename = found.get(b"filename", b"").decode()
            if b"filename*" in found:
                filename = unquote_to_bytes(found[b"filename*"].rpartition(b"'")[2]).decode()
            if found.get(b"name"):
                return found[b"name"].decode().lower(), _base(filename)
        except UnicodeDecodeError:
            raise _malformed("a name is not UTF-8") from None
        break
    raise _malformed("a part without a name")


def _base(filename: str) -> str:
    """The last piece of a path: browsers once sent whole ones."""
    return filename.replace("\\", "/").rpartition("/")[2]


def _malformed(reason: str) -> S3Error:
    return S3Error("MalformedPOSTRequest", reason=reason)
