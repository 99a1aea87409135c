"""One page of a listing: an adaptive skip-scan over keys in binary order.

Knows prefix, delimiter, marker and page size as ListObjects, ListObjectsV2, ListMultipartUploads and
ListObjectVersions share them. Must not know what is listed nor where it is kept: the scan is handed in.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html

Cost: a page reads at most about its own size in rows plus SCAN_SKIP_AFTER rows and one seek per common prefix, however
many keys lie under each: after SCAN_SKIP_AFTER rows folded into one common prefix the scan seeks past it.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from app.core.errors import S3Error
from app.core.limits import (
    KEY_BYTES_MAX,
    SCAN_ROWS_MAX,
    SCAN_ROWS_MIN,
    SCAN_SKIP_AFTER,
)

_TOKEN_FORMAT: Final = b"\x01"


class Keyed(Protocol):
    """Anything that has a key."""

    @property
    def key(self) -> bytes: ...


Item = TypeVar("Item", bound=Keyed)

Scan = Callable[[bytes, bool, bytes | None, int], Sequence[Item]]
"""(start, inclusive, stop, limit) -> at most `limit` items in binary order of their keys, key >= (or >) `start` and
< `stop` (None = to the end). Fewer than `limit` means the end."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asked for. `after` is v1's marker, v2's start-after or `Page.last`: every name of the page, be it a
    key or a common prefix, is > it, so an `after` inside a common prefix leaves that prefix out."""

    prefix: bytes = b""
    delimiter: bytes = b""
    after: bytes = b""
    keys_max: int = 1000


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Items and common prefixes of one page, each in binary order; together at most `keys_max`.

    `last` is the last name of the page (a key or a common prefix) when more follows, else None: handed in as `after` it
    resumes exactly behind this page.
    """

    items: list[Item]
    prefixes: list[bytes]
    last: bytes | None

    @property
    def is_truncated(self) -> bool:
        """True when more follows."""
        return self.last is not None


def list_page(scan: Scan[Item], query: Query) -> Page[Item]:
    """One page. Raises what `scan` raises."""
    if query.keys_max <= 0:
        return Page([], [], None)
    walk: _Walk[Item] = _Walk(query)
    while not walk.done:
        walk.take(scan(walk.start, walk.inclusive, walk.stop, walk.rows))
    return Page(walk.items, walk.prefixes, walk.last if walk.truncated else None)


def after_prefix(prefix: bytes) -> bytes | None:
    """The smallest key behind every key that starts with `prefix`; None when there can be none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None


def encode_token(last: bytes) -> str:
    """An opaque continuation token for `Page.last`."""
    body = _TOKEN_FORMAT + last
    return base64.urlsafe_b64encode(body + _token_check(body)).decode()


def decode_token(token: str) -> bytes:
    """Back to `Page.last`. Raises S3Error InvalidArgument for anything encode_token does not make."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    body, check = raw[:-4], raw[-4:]
    if body[:1] != _TOKEN_FORMAT or not 2 <= len(body) <= KEY_BYTES_MAX + 1 or check != _token_check(body):
        raise S3Error(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            fields={"ArgumentName": "continuation-token"},
        )
    return body[1:]


def _token_check(body: bytes) -> bytes:
    """Against typing mistakes and guesses, not against forgery: a token grants nothing a start-after would not."""
    return binascii.crc32(body).to_bytes(4, "big")


class _Walk(Generic[Item]):
    """The state between two batches."""

    __slots__ = (
        "_delimiter",
        "_folded",
        "_keys_max",
        "_prefix_bytes",
        "_seen",
        "done",
        "inclusive",
        "items",
        "last",
        "prefixes",
        "rows",
        "start",
        "stop",
        "truncated",
    )

    def __init__(self, query: Query) -> None:
        self._delimiter = query.delimiter
        self._prefix_bytes = len(query.prefix)
        self._keys_max = query.keys_max
        self._folded = 0
        self._seen = 0
        self.items: list[Item] = []
        self.prefixes: list[bytes] = []
        self.last: bytes | None = None
        self.truncated = False
        self.stop = after_prefix(query.prefix)
        self.start, self.inclusive = (query.after, False) if query.after >= query.prefix else (query.prefix, True)
        self.done = self.stop is not None and self.start >= self.stop
        self.rows = min(SCAN_ROWS_MIN if query.delimiter else SCAN_ROWS_MAX, query.keys_max + 1)
        if query.after.startswith(query.prefix):
            listed = self._common_prefix(query.after)
            if listed is not None:
                self._seek_past(listed)

    def take(self, batch: Sequence[Item]) -> None:
        """Fold one batch and decide where the next one starts."""
        asked = self.rows
        for item in batch:
            key = item.key
            common = self._common_prefix(key)
            if common is not None and self.prefixes and self.prefixes[-1] == common:
                self._folded += 1
                if self._folded >= SCAN_SKIP_AFTER:
                    self.rows = max(SCAN_SKIP_AFTER, self.rows // 2)
                    self._seek_past(common)
                    return
            elif len(self.items) + len(self.prefixes) == self._keys_max:
                self.done = self.truncated = True
                return
            elif common is None:
                self.items.append(item)
                self.last = key
            else:
                self.prefixes.append(common)
                self.last = common
                self._folded = 1
            self.start, self.inclusive = key, False
        self.done = self.done or len(batch) < asked
        self._seen += len(batch)
        self.rows = min(asked * 2, SCAN_ROWS_MAX, self._rows_wanted())

    def _rows_wanted(self) -> int:
        """What the rest of the page takes at the rows a name took so far, and one to see whether more follows."""
        names = len(self.items) + len(self.prefixes)
        return (self._keys_max - names) * self._seen // max(1, names) + SCAN_SKIP_AFTER

    def _common_prefix(self, key: bytes) -> bytes | None:
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, self._prefix_bytes)
        return None if at < 0 else key[: at + len(self._delimiter)]

    def _seek_past(self, common: bytes) -> None:
        behind = after_prefix(common)
        if behind is None or (self.stop is not None and behind >= self.stop):
            self.done = True
        else:
            self.start, self.inclusive = behind, True
