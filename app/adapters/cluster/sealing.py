"""Sealing of stored secrets and key material: AES-256-GCM under the master key, bound to what they belong to.

Knows the sealed form. Must not know accounts or files. Randomness is handed in; the master key never leaves here.
Sealed form: 1 byte of version (1), 12 bytes of nonce, ciphertext with its 16-byte tag. The associated data is the
name, or the key's id and version, so that what is moved to another access key or key does not open.
Source: NIST SP 800-38D.
"""

from collections import OrderedDict
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.errors import Corrupt
from app.core.limits import SECRETS_OPEN_MAX

_VERSION = b"\x01"
_NONCE_BYTES = 12
_DOMAIN = b"zapfs secret of "
_MATERIAL_DOMAIN = b"zapfs key material, version "


class Sealer:
    """Seals and opens short secrets. Opened ones are kept in memory, at most SECRETS_OPEN_MAX of them."""

    def __init__(self, master_key: bytes, random: Callable[[int], bytes]) -> None:
        """`master_key`: 32 bytes; ValueError otherwise. `random(n)` gives n unpredictable bytes."""
        if len(master_key) != 32:
            raise ValueError("the master key is 32 bytes")
        self._cipher = AESGCM(master_key)
        self._random = random
        self._opened: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    def seal(self, name: str, secret: str) -> bytes:
        """The sealed form of `secret`, to be opened under the same name only."""
        return self._sealed(secret.encode(), _DOMAIN + name.encode())

    def unseal(self, name: str, sealed: bytes) -> str:
        """The secret. Raises Corrupt when it was sealed by another key, for another name, or was altered."""
        known = self._opened.get((name, sealed))
        if known is not None:
            return known
        secret = self._open(sealed, _DOMAIN + name.encode(), f"the secret of {name}").decode()
        self._opened[name, sealed] = secret
        while len(self._opened) > SECRETS_OPEN_MAX:
            self._opened.popitem(last=False)
        return secret

    def seal_material(self, key_id: str, version: int, material: bytes) -> bytes:
        """The sealed form of a key's 32-byte material, to be opened as this version of this key only."""
        return self._sealed(material, _bound(key_id, version))

    def open_material(self, key_id: str, version: int, sealed: bytes) -> bytes:
        """The material; nothing is kept. Raises Corrupt as `unseal` does."""
        return self._open(sealed, _bound(key_id, version), f"version {version} of key {key_id}")

    def _sealed(self, plain: bytes, bound_to: bytes) -> bytes:
        nonce = self._random(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, bound_to)

    def _open(self, sealed: bytes, bound_to: bytes, what: str) -> bytes:
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) != _NONCE_BYTES or len(ciphertext) < 16:
            raise Corrupt(f"{what} is not sealed in a known form")
        try:
            return self._cipher.decrypt(nonce, ciphertext, bound_to)
        except InvalidTag:
            raise Corrupt(f"{what} does not open: sealed under another master key, or altered") from None


def _bound(key_id: str, version: int) -> bytes:
    return _MATERIAL_DOMAIN + f"{version} of {key_id}".encode()
