"""Bearer tokens of the admin face: made for who signs with a long-term key, and worth what that key is worth.

Knows a token's form: PREFIX and base64url of the sealed access key, expiry and a digest of the key's secret. Must not
know how it is sealed. There is no table: a token dies at its time, and when its key or the key's holder is disabled or
gone, for the gate looks the key up with each request; a key made again by the same name has another secret. Temporary
credentials are given none: it would outlive or outrank them.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from typing import Final, NamedTuple

from app.core.errors import Corrupt, S3Error
from app.core.limits import BEARER_SECONDS_MAX, BEARER_SECONDS_MIN, BEARER_TOKEN_CHARS_MAX
from app.services.call import Caller
from app.services.identity.commanding import CommandRefused

PREFIX: Final = "zapfs_"  # by which people and scanners for leaked secrets know one

Seal = Callable[[bytes], bytes]
Open = Callable[[bytes], bytes]
"""Raises Corrupt for what was not sealed here as a token."""


class Minted(NamedTuple):
    """A token, shown this once. `expires_ms`: since the epoch."""

    token: str
    expires_ms: int

    def __repr__(self) -> str:
        """Without the token: reprs end up in logs."""
        return f"Minted(expires_ms={self.expires_ms})"


class Opened(NamedTuple):
    """The access key a token was made for, and which secret it had."""

    access_key: str
    digest: str

    def is_of(self, secret: str) -> bool:
        """Whether that is still the key's secret."""
        return compare_digest(self.digest, _digest(secret))


class BearerTokens:
    """One per process."""

    def __init__(self, seal: Seal, opening: Open, now_ms: Callable[[], int]) -> None:
        self._seal = seal
        self._open = opening
        self._now_ms = now_ms

    def mint(self, caller: Caller, secret: str, seconds: int) -> Minted:
        """A token of the caller's access key, whose secret that is. Raises CommandRefused InvalidInput, S3Error
        AccessDenied."""
        if not BEARER_SECONDS_MIN <= seconds <= BEARER_SECONDS_MAX:
            raise CommandRefused("InvalidInput", f"seconds must be {BEARER_SECONDS_MIN}..{BEARER_SECONDS_MAX}")
        if caller.session is not None:
            raise S3Error("AccessDenied", "Temporary credentials are given no token.")
        expires_ms = self._now_ms() + seconds * 1000
        sealed = self._seal(json.dumps([caller.access_key_id, expires_ms, _digest(secret)]).encode())
        return Minted(PREFIX + urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii"), expires_ms)

    def opened(self, token: str) -> Opened:
        """What a token stands for. Raises S3Error InvalidBearerToken, ExpiredBearerToken."""
        text = token.removeprefix(PREFIX)
        if text == token or not text.isascii() or len(token) > BEARER_TOKEN_CHARS_MAX:
            raise S3Error("InvalidBearerToken")
        try:
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            # One spelling for one token: base64 has others, whose last bits nobody reads.
            if urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii") != text:
                raise S3Error("InvalidBearerToken")
            access_key, expires_ms, digest = json.loads(self._open(sealed))
        except (Corrupt, ValueError):
            raise S3Error("InvalidBearerToken") from None
        if self._now_ms() >= expires_ms:
            raise S3Error("ExpiredBearerToken")
        return Opened(str(access_key), str(digest))


def _digest(secret: str) -> str:
    return sha256(b"zapfs bearer token\0" + secret.encode()).hexdigest()
