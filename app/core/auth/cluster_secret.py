"""Keys of a cluster, each for one purpose, derived from the one secret its nodes share.

Knows HKDF (RFC 5869, SHA-256). Must not know what a key is used for, or where the secret comes from.
"""

import hmac
from hashlib import sha256
from typing import Final

_SALT: Final = b"zapfs cluster 1"


def derive(secret: bytes, purpose: str) -> bytes:
    """32 bytes for a purpose; keys of two purposes tell nothing of each other or of the secret."""
    extracted = hmac.digest(_SALT, secret, sha256)
    return hmac.digest(extracted, purpose.encode() + b"\x01", sha256)
