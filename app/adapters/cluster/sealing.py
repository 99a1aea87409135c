"""Sealing of stored secrets, key material and tokens: AES-256-GCM under master keys, bound to what they belong to.

Knows the sealed form. Must not know accounts or files. Randomness is handed in; master keys never leave here. Sealed
form: 1 byte of version (2), 4 bytes that name the master key, 12 bytes of nonce, ciphertext with its 16-byte tag. Form
1, of earlier releases, names no key. The associated data is the name, or the key's id and version, so that what is
moved to another access key or key does not open. Boxes for other purposes have keys of their own, derived from the
master keys by HKDF, so that what was sealed for one purpose opens for no other. Sources: NIST SP 800-38D, RFC 5869.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import Corrupt
from app.core.limits import SECRETS_OPEN_MAX

Random = Callable[[int], bytes]
_FIRST_FORM: Final = b"\x01"
_FORM: Final = b"\x02"
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_DOMAIN: Final = b"zapfs secret of "
_MATERIAL_DOMAIN: Final = b"zapfs key material, version "
_ID_DOMAIN: Final = b"zapfs master key"


def key_id_of(master_key: bytes) -> str:
    """How a master key is named where it is not to be shown: 8 hex digits, of no use to guess it."""
    return sha256(_ID_DOMAIN + master_key).digest()[:_ID_BYTES].hex()


def key_named(sealed: bytes) -> str:
    """The id of the master key something is sealed under; "" for form 1, which names none."""
    return sealed[1 : 1 + _ID_BYTES].hex() if sealed[:1] == _FORM else ""


class Box:
    """Seals and opens for one purpose, under the first of its keys and with any of them. Nothing opened is kept."""

    __slots__ = ("_held", "_random")

    def __init__(self, keys: Mapping[str, bytes], random: Random) -> None:
        """`keys`: by their master keys' ids, the one that seals first."""
        self._random = random
        self._held: tuple[bytes, Mapping[bytes, AESGCM]]
        self.take(keys)

    def take(self, keys: Mapping[str, bytes]) -> None:
        """Go on with other keys."""
        ciphers = {bytes.fromhex(name): AESGCM(key) for name, key in keys.items()}
        self._held = next(iter(ciphers)), ciphers  # as one, for who seals at this moment in another thread

    def seal(self, plain: bytes, bound_to: bytes = b"") -> bytes:
        """The sealed form, 33 bytes longer, to be opened with the same `bound_to` only."""
        first, ciphers = self._held
        nonce = self._random(_NONCE_BYTES)
        return _FORM + first + nonce + ciphers[first].encrypt(nonce, plain, bound_to)

    def open(self, sealed: bytes, bound_to: bytes = b"", what: str = "what was sealed") -> bytes:
        """What was sealed. Raises Corrupt: under another master key, for another purpose, or altered."""
        _, ciphers = self._held
        name = sealed[1 : 1 + _ID_BYTES]
        if sealed[:1] == _FIRST_FORM:
            tried, rest = list(ciphers.values()), sealed[1:]
        elif sealed[:1] == _FORM and name in ciphers:
            tried, rest = [ciphers[name]], sealed[1 + _ID_BYTES :]
        elif sealed[:1] == _FORM and len(name) == _ID_BYTES:
            raise Corrupt(f"{what} does not open: sealed under another master key ({name.hex()})")
        else:
            raise Corrupt(f"{what} is not sealed in a known form")
        if len(rest) < _NONCE_BYTES + _TAG_BYTES:
            raise Corrupt(f"{what} is not sealed in a known form")
        for cipher in tried:
            try:
                return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], bound_to)
            except InvalidTag:
                continue
        raise Corrupt(f"{what} does not open: sealed under another master key, or altered")


class Sealer:
    """Seals and opens short secrets. Opened ones are kept in memory, at most SECRETS_OPEN_MAX of them."""

    def __init__(self, master_key: bytes, random: Random, more: Sequence[bytes] = ()) -> None:
        """Seals under `master_key` and opens with `more` too: 32 bytes each; ValueError otherwise. `random(n)` gives n
        unpredictable bytes."""
        self._keys = _named((master_key, *more))
        self._random = random
        self._own = Box(self._keys, random)
        self._boxes: dict[str, Box] = {}
        self._opened: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Of the master keys, the one that seals first."""
        return tuple(self._keys)

    def take(self, master_keys: Sequence[bytes]) -> bool:
        """Go on with other master keys, in every box too; True when they are others. ValueError as above."""
        keys = _named(master_keys)
        if list(keys.items()) == list(self._keys.items()):
            return False
        self._keys = keys
        self._own.take(keys)
        for purpose, box in self._boxes.items():
            box.take(_derived(keys, purpose))
        self._opened.clear()
        return True

    def box(self, purpose: str) -> Box:
        """What seals for another purpose than secrets and material: "session", "bearer token", "backup" …"""
        if purpose not in self._boxes:
            self._boxes[purpose] = Box(_derived(self._keys, purpose), self._random)
        return self._boxes[purpose]

    def seal(self, name: str, secret: str) -> bytes:
        """The sealed form of `secret`, to be opened under the same name only."""
        return self._own.seal(secret.encode(), _DOMAIN + name.encode())

    def unseal(self, name: str, sealed: bytes) -> str:
        """The secret. Raises Corrupt when it was sealed by another key, for another name, or was altered."""
        known = self._opened.get((name, sealed))
        if known is not None:
            return known
        secret = self._own.open(sealed, _DOMAIN + name.encode(), f"the secret of {name}").decode()
        self._opened[name, sealed] = secret
        while len(self._opened) > SECRETS_OPEN_MAX:
            self._opened.popitem(last=False)
        return secret

    def seal_material(self, key_id: str, version: int, material: bytes) -> bytes:
        """The sealed form of a key's 32-byte material, to be opened as this version of this key only."""
        return self._own.seal(material, _bound(key_id, version))

    def open_material(self, key_id: str, version: int, sealed: bytes) -> bytes:
        """The material; nothing is kept. Raises Corrupt as `unseal` does."""
        return self._own.open(sealed, _bound(key_id, version), f"version {version} of key {key_id}")


def _named(master_keys: Sequence[bytes]) -> dict[str, bytes]:
    keys = {key_id_of(key): key for key in master_keys}
    if not keys or any(len(key) != 32 for key in keys.values()):
        raise ValueError("the master key is 32 bytes")
    if len(keys) < len(set(master_keys)):
        raise ValueError("two master keys have the same id: make another one")
    return keys


def _derived(keys: Mapping[str, bytes], purpose: str) -> dict[str, bytes]:
    info = b"zapfs " + purpose.encode()
    return {name: HKDF(SHA256(), 32, salt=None, info=info).derive(key) for name, key in keys.items()}


def _bound(key_id: str, version: int) -> bytes:
    return _MATERIAL_DOMAIN + f"{version} of {key_id}".encode()
