"""The canonical request of Signature Version 4 as S3 builds it, and the key and string that sign it.

Knows encodings only; shared by the server's side (sigv4, stream) and the client's (signer). Must not know errors.

S3 neither normalises a path nor escapes it twice: its canonical form is uri-encode(decode(raw)), slashes kept. Clients
that escape otherwise than they sign, or sign what they send, are both met: see `sigv4.verify`.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from hmac import digest
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from app.core.limits import SIGNING_KEYS_MAX

ALGORITHM: Final = "AWS4-HMAC-SHA256"

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_.~/-]*")
_BLANKS: Final = re.compile(r"[ \t]+")
_UNTIDY: Final = re.compile(r"^[ \t]|[ \t]$|[ \t]{2}|\t")


def path(raw: str) -> str:
    """The canonical URI of a raw path (latin-1 text as received). "+" stands for itself in a path."""
    if _PLAIN_PATH.fullmatch(raw):
        return raw or "/"
    return quote(unquote_to_bytes(raw.encode("latin-1")), safe="/")


def component(raw: str) -> str:
    """The canonical form of a raw query name or value. "+" stands for a space in a query."""
    if _PLAIN.fullmatch(raw):
        return raw
    return quote(unquote_to_bytes(raw.replace("+", " ").encode("latin-1")), safe="")


def plain(encoded: str) -> str:
    """The text behind a canonical name or value, latin-1."""
    return unquote_to_bytes(encoded).decode("latin-1") if "%" in encoded else encoded


def pairs(raw_query: str) -> list[tuple[str, str]]:
    """The canonical (name, value) pairs of a raw query in the order received; a missing "=" is an empty value."""
    found = []
    for piece in raw_query.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            found.append((component(name), component(value)))
    return found


def raw_pairs(raw_query: str) -> list[tuple[str, str]]:
    """As `pairs`, escaped as it was sent."""
    return [(name, value) for name, _, value in (piece.partition("=") for piece in raw_query.split("&")) if name]


def query(named: Iterable[tuple[str, str]]) -> str:
    """The canonical query of encoded pairs; a presigned request's own signature is no part of it."""
    return "&".join([f"{name}={value}" for name, value in sorted(named) if name != "X-Amz-Signature"])


def header(value: str) -> str:
    """A header's canonical value: trimmed, runs of blanks made one space."""
    if (" " in value or "\t" in value) and _UNTIDY.search(value):  # a session token is long, and has neither
        return _BLANKS.sub(" ", value.strip(" \t"))
    return value


def request(method: str, target: tuple[str, str], headers: Mapping[str, str], signed: str, payload: str) -> str:
    """The canonical request.

    `target`: canonical path and query. `headers` by lower-case name; `signed`: the names signed, sorted and joined by
    ";". A signed header that is absent counts as empty. `payload`: the value of x-amz-content-sha256.
    """
    lines = "".join([f"{name}:{header(headers.get(name, ''))}\n" for name in signed.split(";")])
    return f"{method}\n{target[0]}\n{target[1]}\n{lines}\n{signed}\n{payload}"


def string_to_sign(timestamp: str, scope: str, canonical_request: str) -> str:
    """What the signing key signs. `timestamp`: yyyymmddThhmmssZ; `scope`: date/region/service/aws4_request."""
    hashed = sha256(canonical_request.encode("latin-1")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashed}"


@lru_cache(maxsize=SIGNING_KEYS_MAX)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The 32-byte key of one secret for a day (yyyymmdd), region and service."""
    key = f"AWS4{secret}".encode()
    for step in (date, region, service, "aws4_request"):
        key = digest(key, step.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """The signature of a text, in 64 lower-case hex digits."""
    return digest(key, text.encode("latin-1"), "sha256").hex()
