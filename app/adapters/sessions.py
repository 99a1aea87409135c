"""Session tokens: a session sealed (AES-256-GCM), so that a token needs no table and says nothing to who holds it.

Knows the token's form: base64url without padding of the sealed, deflated document of the session. Must not know who is
believed, nor the time. A token sealed under another cluster's master key, or with one bit changed, does not open.
"""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from typing import Final

from app.adapters.cluster.sealing import Sealer
from app.core.errors import Corrupt, S3Error
from app.core.limits import SESSION_DOCUMENT_BYTES_MAX, SESSION_TOKEN_CHARS_MAX, SESSIONS_OPEN_MAX
from app.core.sessions.session import Session, decode, encode

_PURPOSE: Final = "session token"


class SessionTokens:
    """One per process. Opened tokens are kept in its memory, at most SESSIONS_OPEN_MAX: a client sends the same one
    with each request."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._box = sealer.box(_PURPOSE)
        self._keys = sealer.key_ids
        self._opened: OrderedDict[str, Session] = OrderedDict()

    def seal(self, session: Session) -> str:
        """The token. One longer than SESSION_TOKEN_CHARS_MAX will not be opened again: who issues it looks."""
        return urlsafe_b64encode(self._box.seal(zlib.compress(encode(session)))).rstrip(b"=").decode("ascii")

    def open(self, token: str) -> Session:
        """The session, expired or not. Raises S3Error InvalidToken for what this cluster did not seal."""
        if self._keys != self._sealer.key_ids:
            # A master key that was taken out opens nothing any more, seen before or not.
            self._opened.clear()
            self._keys = self._sealer.key_ids
        session = self._opened.get(token)
        if session is not None:
            return session
        session = self._read(token)
        self._opened[token] = session
        while len(self._opened) > SESSIONS_OPEN_MAX:
            self._opened.popitem(last=False)
        return session

    def _read(self, token: str) -> Session:
        if len(token) > SESSION_TOKEN_CHARS_MAX or not token.isascii():
            raise S3Error("InvalidToken")
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            # One spelling for one token: base64 has others, which would each be kept.
            if urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii") != token:
                raise S3Error("InvalidToken")
            packed = self._box.open(sealed, b"", "a session token")
            return decode(zlib.decompressobj().decompress(packed, SESSION_DOCUMENT_BYTES_MAX))
        except (ValueError, Corrupt, zlib.error):
            raise S3Error("InvalidToken") from None
